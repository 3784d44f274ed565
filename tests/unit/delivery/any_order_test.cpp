// Order any: several requests of one lane on their way at once, and every rule that holds for one holds.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class AnyOrder : public CloudTest {
 protected:
  AnyOrder() { Begin(1); }

  void Begin(std::uint32_t max_records, std::uint32_t max_in_flight = 4, bool any = true) {
    any_order_ = any;
    max_in_flight_ = max_in_flight;
    max_records_ = max_records;
    Rebuild();
    if (any) {
      Hear();
    }
  }
  void AppendSome(int count) {
    for (int i = 0; i < count; ++i) {
      Append(Payload(next_++));
    }
  }
  // Answers all that is sent by `reply`, those first that were sent last, until so many records are delivered.
  bool DeliverTo(std::uint64_t records, const std::function<void(std::size_t place, FakeUploader::Sent&)>& reply) {
    return Turn([&] {
      std::vector<FakeUploader::Sent> sent = std::exchange(uploader_.sent, {});
      for (std::size_t i = sent.size(); i > 0; --i) {
        reply(i - 1, sent[i - 1]);
      }
      return Row().delivered >= records;
    });
  }
  // Takes everything, as much at once as is allowed. How many that were at most.
  std::size_t TakeAll(std::uint64_t delivered) {
    std::size_t most = 0;
    EXPECT_TRUE(Turn([&] {
      SendsNow();
      most = std::max(most, uploader_.sent.size());
      for (const FakeUploader::Sent& sent : std::exchange(uploader_.sent, {})) {
        Accept(sent);
      }
      return Row().delivered == delivered;
    }));
    return most;
  }
  void ExpectOneAtATime(std::size_t requests) {
    for (std::size_t i = 0; i < requests; ++i) {
      ASSERT_TRUE(Turn([&] { return !uploader_.sent.empty(); }));
      SendsNow();
      ASSERT_EQ(uploader_.sent.size(), 1U) << i;
      Accept(std::exchange(uploader_.sent, {}).front());
    }
  }
  static upload::Response Busy(const char* seconds) {
    upload::Response reply = Reply(429);
    reply.headers.emplace_back("retry-after", seconds);
    return reply;
  }

  int next_ = 0;
};

TEST_F(AnyOrder, RequestsOfALaneAreOnTheirWayUpToTheMaximum) {
  AppendSome(10);
  std::vector<FakeUploader::Sent> sent = OnTheWay(4);
  EXPECT_FALSE(SendsNow());
  EXPECT_EQ(Now().requests_in_flight, 4U);
  Accept(sent[2]);
  EXPECT_EQ(OnTheWay(1).size(), 1U) << "the place that is free is used at once";
}

TEST_F(AnyOrder, OtherOrdersSendOneOfALaneHoweverManyMayBe) {
  for (const bool live_first : {false, true}) {
    live_first_ = live_first;
    Begin(1, 32, false);
    AppendSome(5);
    EXPECT_EQ(OnTheWay(1).size(), 1U);
    EXPECT_FALSE(SendsNow());
  }
}

TEST_F(AnyOrder, NumberGrowsToTheMaximum) {
  Begin(1, 8);
  AppendSome(60);
  EXPECT_EQ(TakeAll(60), 8U);
  EXPECT_EQ(Now().learnt_in_flight, 8U);
  EXPECT_EQ(uploader_.total, 60U);
}

TEST_F(AnyOrder, RepliesInAnyOrderSettleEachBatchOnce) {
  AppendSome(40);
  EXPECT_TRUE(DeliverTo(40, [&](std::size_t, FakeUploader::Sent& sent) { Accept(sent); }));
  EXPECT_EQ(uploader_.total, 40U);
  EXPECT_EQ(Now().possible_duplicates, 0U);
}

TEST_F(AnyOrder, ApiThatTakesFourAndRefusesTheFifthIsLearntAndItsRateIsNot) {
  Begin(1, 8);
  AppendSome(200);
  std::size_t refused = 0;
  EXPECT_TRUE(Turn([&] {
    SendsNow();
    std::vector<FakeUploader::Sent> sent = std::exchange(uploader_.sent, {});
    for (std::size_t i = sent.size(); i > 0; --i) {
      refused += i > 4 ? 1 : 0;
      if (i > 4) {
        sent[i - 1].done(Busy("1"));
      } else {
        Accept(sent[i - 1]);
      }
    }
    clock_.Advance(50ms);
    return Row().delivered == 200;
  }));
  EXPECT_EQ(refused, 1U);
  EXPECT_EQ(Now().learnt_in_flight, 4U);
  EXPECT_EQ(Now().learnt_requests_per_second, 0);
  EXPECT_EQ(Suspects() + Dead(), 0U);
}

TEST_F(AnyOrder, RetryAfterIsForTheWholeLane) {
  AppendSome(12);
  std::vector<FakeUploader::Sent> sent = OnTheWay(4);
  sent[1].done(Busy("30"));
  for (const std::size_t i : {0U, 2U, 3U}) {
    Accept(sent[i]);
  }
  ASSERT_TRUE(Settled(3));
  clock_.Advance(29s);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(60s);
  std::vector<FakeUploader::Sent> again = OnTheWay(1);
  EXPECT_EQ(again[0].body, sent[1].body) << "it goes again, alone";
  Accept(again[0]);
  EXPECT_TRUE(DeliverTo(12, [&](std::size_t, FakeUploader::Sent& one) { Accept(one); }));
}

TEST_F(AnyOrder, FailureBesideOthersIsTriedAgainAloneBeforeAnythingIsConcluded) {
  AppendSome(8);
  std::vector<FakeUploader::Sent> sent = OnTheWay(4);
  sent[0].done(Reply(500));
  clock_.Advance(2s);
  EXPECT_FALSE(SendsNow()) << "the others are still on their way";
  for (const std::size_t i : {1U, 2U, 3U}) {
    Accept(sent[i]);
  }
  std::vector<FakeUploader::Sent> again = OnTheWay(1);
  EXPECT_EQ(again[0].body, sent[0].body);
  EXPECT_FALSE(SendsNow()) << "nothing goes beside it";
  Accept(again[0]);
  EXPECT_EQ(OnTheWay(4).size(), 4U);
}

TEST_F(AnyOrder, OutageOfAllThatIsOnTheWayEndsNothingAndProbesOneByOne) {
  Begin(10, 8);
  AppendSome(400);
  const MonoTime begin = clock_.Mono();
  std::size_t together = 0;
  Play(
      [&](const Records& records, const FakeUploader::Sent&) {
        together = std::max(together, uploader_.sent.size());
        return clock_.Mono() - begin < 10min ? Reply(502, "", "text/html") : Take(records);
      },
      2h, [&] { return AllEnded(); });
  EXPECT_EQ(stored_.size(), 400U);
  EXPECT_EQ(Dead(), 0U);
  EXPECT_EQ(Suspects(), 0U);
  const std::set<std::string> bodies(requests_.begin(), requests_.end());
  EXPECT_LE(bodies.size(), 55U) << "40 batches, and one that was split in search of a culprit";
  EXPECT_LE(requests_.size(), 150U);
}

TEST_F(AnyOrder, PoisonRecordIsFoundAmongManyAndNothingElseIsSetAside) {
  for (const int status : {422, 500}) {
    stored_.clear();
    requests_.clear();
    Begin(20, 8);
    const int first = next_;
    AppendSome(400);
    const Script poison = [&](const Records& records, const FakeUploader::Sent&) {
      const bool bad =
          std::any_of(records.begin(), records.end(), [&](const Record& record) { return record.n() == first + 205; });
      return bad ? Reply(status, "", "text/plain") : Take(records);
    };
    const std::uint64_t dead = Dead();
    const std::uint64_t suspects = Suspects();
    EXPECT_TRUE(Play(poison, 10min, [&] { return stored_.size() == 399 && Suspects() + Dead() > suspects + dead; }))
        << stored_.size();
    EXPECT_EQ(Suspects() + Dead(), suspects + dead + 1);
    EXPECT_FALSE(IsOpen("destination_held"));
    EXPECT_LE(requests_.size(), 20U + 25U) << status;
    for (const auto& [id, times] : stored_) {
      EXPECT_EQ(times, 1) << id;
    }
  }
}

TEST_F(AnyOrder, RefusalsOfAllSingleRecordsHoldTheDestinationOnlyOnceTheNewestIsRefusedToo) {
  Begin(1, 8);
  AppendSome(60);
  std::set<int> seen;
  const auto refuse = [&](const Records& records, const FakeUploader::Sent&) {
    seen.insert(records.front().n());
    return Refuse();
  };
  Play(refuse, 30s, [&] { return Now().state == limit::CircuitState::kHeld; });
  EXPECT_EQ(Now().state, limit::CircuitState::kHeld);
  EXPECT_TRUE(seen.contains(59)) << "the newest was asked";
  EXPECT_LE(Suspects(), 4U);
  EXPECT_EQ(Dead(), 0U);
}

TEST_F(AnyOrder, WhatAPartialSuccessLeftWaitsAndTheOthersGoOn) {
  Begin(4);
  AppendSome(40);
  std::set<std::string> known;
  const Script half = [&](const Records& records, const FakeUploader::Sent&) {
    if (!known.insert(records.front().id).second || records.front().n() != 0) {
      return Take(records);
    }
    Take({records.front()});
    std::string again;
    for (std::size_t i = 1; i < records.size(); ++i) {
      again += (i > 1 ? ",\"" : "\"") + records[i].id + "\"";
    }
    return Reply(207, R"({"accepted":1,"rejected":[],"retry":[)" + again + "]}");
  };
  EXPECT_TRUE(Play(half, 1min, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 40U);
  EXPECT_EQ(requests_.size(), 11U);
  const auto rest = std::find_if(requests_.begin(), requests_.end(),
                                 [&](const std::string& body) { return RecordsOf(body).size() == 3; });
  EXPECT_GE(rest - requests_.begin(), 7) << "it waits its time, which nothing else does";
}

TEST_F(AnyOrder, BatchThatIsTooLargeIsSplitAndTheLaterOnesAreSmaller) {
  Begin(20);
  AppendSome(400);
  EXPECT_TRUE(Play([&](const Records& records,
                       const FakeUploader::Sent&) { return records.size() > 10 ? Refuse(413) : Take(records); },
                   10min, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 400U);
  EXPECT_LT(Now().learnt_max_records, 20U);
  EXPECT_LE(requests_.size(), 60U);
}

TEST_F(AnyOrder, AfterFiveFailuresOneAtATimeProbes) {
  Begin(1, 8);
  AppendSome(60);
  TakeAll(60);
  AppendSome(20);
  for (FakeUploader::Sent& one : OnTheWay(8)) {
    one.done(Reply(500));
  }
  clock_.Advance(2min);
  SendsNow();
  EXPECT_EQ(uploader_.sent.size(), 1U);
}

TEST_F(AnyOrder, WhatWasOnTheWayAtARestartGoesAgainUnderItsKeys) {
  AppendSome(20);
  std::multiset<std::string> keys;
  for (const FakeUploader::Sent& sent : OnTheWay(4)) {
    keys.insert(sent.Header("Idempotency-Key"));
  }
  Restart();
  std::multiset<std::string> again;
  EXPECT_TRUE(DeliverTo(20, [&](std::size_t, FakeUploader::Sent& one) {
    again.insert(one.Header("Idempotency-Key"));
    Accept(one);
  }));
  for (const std::string& key : keys) {
    EXPECT_EQ(again.count(key), 1U) << key;
  }
  EXPECT_EQ(Row().delivered, 20U);
}

TEST_F(AnyOrder, SuccessorGoesOnWithTheNumberThatWasLearnt) {
  Begin(1, 8);
  AppendSome(60);
  TakeAll(60);
  ASSERT_GT(Now().learnt_in_flight, 4U);
  const std::uint32_t learnt = Now().learnt_in_flight;
  std::unique_ptr<Destination> old = std::move(destination_);
  Rebuild();
  EXPECT_EQ(Now().learnt_in_flight, 4U);
  destination_->TakeOver(*old);
  EXPECT_EQ(Now().learnt_in_flight, learnt);
}

TEST_F(AnyOrder, DrainingEndsOnceAllThatIsOnTheWayIsSettled) {
  AppendSome(4);
  std::vector<FakeUploader::Sent> sent = OnTheWay(4);
  destination_->Drain();
  AppendSome(4);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_FALSE(destination_->idle());
    Accept(sent[i]);
  }
  EXPECT_TRUE(Turn([&] { return destination_->idle(); }));
  EXPECT_EQ(Row().delivered, 4U);
  EXPECT_TRUE(uploader_.sent.empty());
}

TEST_F(AnyOrder, PausesAndRateLimitsHoldAllOfThem) {
  limits_ = {limit::Window{limit::Window::Unit::kRequests, 2, 10s}};
  Begin(1);
  clock_.Advance(11s);
  AppendSome(10);
  EXPECT_EQ(OnTheWay(2).size(), 2U);
  EXPECT_FALSE(SendsNow());
}

TEST_F(AnyOrder, OneRequestAtATimeWhereThatIsTheMaximum) {
  Begin(1, 1);
  AppendSome(5);
  ExpectOneAtATime(5);
}

TEST_F(AnyOrder, LaneThatWaitsForTheTimesOfItsRecordsWaits) {
  accepted_.oldest = 10min;
  accepted_.outside = contract::Outside::kHold;
  Begin(1);
  AppendSome(4);
  std::vector<FakeUploader::Sent> sent = OnTheWay(4);
  for (FakeUploader::Sent& one : sent) {
    one.done(Reply(503));
  }
  clock_.Advance(20min);
  AppendSome(4);
  EXPECT_FALSE(SendsNow());
  EXPECT_TRUE(IsOpen("lane_held_by_time"));
}

}  // namespace
}  // namespace packhorse::delivery
