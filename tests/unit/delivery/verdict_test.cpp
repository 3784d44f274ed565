// What becomes of records and destinations under clouds that refuse, fail, contradict themselves or are slow.

#include <gtest/gtest.h>

#include <random>

#include "cloud_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class VerdictTest : public CloudTest {
 protected:
  void AppendAll(int from, int to, const std::set<int>& bad = {}) {
    for (int n = from; n < to; ++n) {
      Append(Payload(n, bad.contains(n) ? R"(,"bad":1)" : ""));
    }
  }
  // A good message every few seconds.
  void Trickle(MonoTime& last) {
    if (clock_.Mono() - last >= 5s) {
      last = clock_.Mono();
      AppendAll(5000, 5001);
      ++trickled_;
    }
  }
  std::size_t trickled_ = 0;
  static bool Bad(const Record& record) { return record.Has("\"bad\""); }
  static bool AnyBad(const Records& records) { return std::any_of(records.begin(), records.end(), Bad); }
  Script RefusesBad(int status = 422) {
    return [this, status](const Records& records, const FakeUploader::Sent&) {
      return AnyBad(records) ? Refuse(status) : Take(records);
    };
  }
  Script TakesAll() {
    return [this](const Records& records, const FakeUploader::Sent&) { return Take(records); };
  }
};

TEST_F(VerdictTest, ProxyThatRefusesEverySizeIsHeldAndAfterItIsMendedNothingIsLost) {
  AppendAll(0, 60);
  const Script refuses = [](const Records&, const FakeUploader::Sent&) {
    return Reply(413, "<html>too large</html>", "text/html");
  };
  EXPECT_TRUE(Play(refuses, 10min, [&] { return Now().state == limit::CircuitState::kHeld; }));
  EXPECT_TRUE(IsOpen("destination_held"));
  Play(refuses, 20min);
  EXPECT_EQ(Dead(), 0U);
  EXPECT_GT(Now().learnt_max_records, 0U);
  EXPECT_TRUE(Play(TakesAll(), 2h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 60U);
  EXPECT_EQ(Dead(), 0U);
  requests_.clear();
  for (int i = 0; i < 40; ++i) {
    AppendAll(1000 + 100 * i, 1100 + 100 * i);
    Play(TakesAll(), 1min, [&] { return AllEnded(); });
  }
  EXPECT_TRUE(AllEnded());
  EXPECT_EQ(Now().learnt_max_records, 0U) << "what was learnt is over";
  EXPECT_GE(RecordsOf(requests_.back()).size(), 50U);
}

TEST_F(VerdictTest, RecordAloneOverTheLimitIsRefusedWhileOthersPass) {
  AppendAll(0, 50, {20});
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    return AnyBad(records) || records.size() > 8 ? Reply(413, "", "text/html") : Take(records);
  };
  EXPECT_TRUE(Play(script, 12h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 49U);
  ASSERT_EQ(Dead(), 1U);
  EXPECT_EQ(queue_->DeadLetters(10, 0)->front().reason, "too_large");
}

TEST_F(VerdictTest, BatchesThatAreOnlyTooLargeAreDeliveredInPartsWithoutDelay) {
  max_records_ = 500;
  Rebuild();
  AppendAll(0, 500);
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    return records.size() > 2 ? Reply(413, "", "text/html") : Take(records);
  };
  EXPECT_TRUE(Play(script, 30s, [&] { return AllEnded(); })) << stored_.size();
}

TEST_F(VerdictTest, OnceItIsMendedWhatASearchLeftIsDeliveredWithoutDelay) {
  max_records_ = 500;
  Rebuild();
  std::set<int> bad;
  for (int n = 0; n < 500; n += 2) {
    bad.insert(n);
  }
  AppendAll(0, 500, bad);
  Play(RefusesBad(), 70s);
  EXPECT_LT(stored_.size(), 250U);
  EXPECT_TRUE(Play(TakesAll(), 10s, [&] { return stored_.size() >= 500 - Suspects(); })) << stored_.size();
}

TEST_F(VerdictTest, SixBadNeighboursAreBuriedAndTheOthersDelivered) {
  for (const int first : {0, 200, 494}) {
    const std::uint64_t before = Dead();
    AppendAll(0, 500, {first, first + 1, first + 2, first + 3, first + 4, first + 5});
    bool held = false;
    MonoTime last{};
    EXPECT_TRUE(Play(RefusesBad(), 30min, [&] {
      held = held || Now().state == limit::CircuitState::kHeld;
      Trickle(last);
      return Dead() == before + 6;
    })) << first;
    EXPECT_TRUE(Play(RefusesBad(), 1min, [&] { return AllEnded(); }));
    EXPECT_FALSE(held) << first;
    EXPECT_EQ(Dead(), before + 6) << first;
  }
  EXPECT_EQ(stored_.size(), 3U * 494 + trickled_);
  EXPECT_TRUE(Play(RefusesBad(), 1min, [&] { return !IsOpen("suspects"); }));
}

TEST_F(VerdictTest, WhatIsTooOldIsRefusedAndWhatIsNewIsDelivered) {
  max_records_ = 50;
  Rebuild();
  destination_->Pause(std::nullopt, clock_.Mono());
  AppendAll(0, 200, [] {
    std::set<int> old;
    for (int n = 0; n < 200; ++n) {
      old.insert(n);
    }
    return old;
  }());
  destination_->Resume(clock_.Mono());
  int next = 1000;
  MonoTime last{};
  const bool delivered = Play(RefusesBad(), 3h, [&] {
    if (clock_.Mono() - last > 30s) {
      last = clock_.Mono();
      AppendAll(next, next + 1);
      ++next;
    }
    return Dead() == 200;
  });
  EXPECT_TRUE(delivered) << Dead() << " " << Suspects() << " " << Now().reason;
  EXPECT_GE(static_cast<int>(stored_.size()), next - 1000 - 60);
  EXPECT_TRUE(Play(RefusesBad(), 1h, [&] { return AllEnded(); }));
}

TEST_F(VerdictTest, RecordThatBreaksTheApiIsSetAsideAndTheOthersGoOn) {
  for (const int status : {500, 502, 409, 408}) {
    stored_.clear();
    AppendAll(0, 128, {40});
    AppendAll(128, 140);
    EXPECT_TRUE(Play(RefusesBad(status), 10min, [&] { return stored_.size() == 139; })) << status;
    EXPECT_TRUE(Play(RefusesBad(status), 10min, [&] { return Suspects() == 1; })) << status;
    EXPECT_TRUE(IsOpen("suspects")) << status;
    EXPECT_EQ(Dead(), 0U) << status;
    const std::size_t requests = requests_.size();
    Play(RefusesBad(status), 6h);
    EXPECT_GT(requests_.size(), requests + 3) << "it is tried again now and then";
    EXPECT_LT(requests_.size(), requests + 30);
    EXPECT_EQ(Dead(), 0U) << status;
    EXPECT_TRUE(Play(TakesAll(), 2h, [&] { return AllEnded() && !IsOpen("suspects"); })) << status;
  }
}

TEST_F(VerdictTest, PayloadThatAFirewallForbidsIsSetAsideAndTheDestinationNotHeld) {
  for (const int status : {403, 404, 406}) {
    stored_.clear();
    AppendAll(0, 10);
    EXPECT_TRUE(Play(TakesAll(), 1min, [&] { return AllEnded(); }));
    stored_.clear();
    AppendAll(0, 100, {40});
    Play(RefusesBad(status), 50ms);
    AppendAll(100, 120);
    bool held = false;
    EXPECT_TRUE(Play(RefusesBad(status), 10min, [&] {
      held = held || Now().state == limit::CircuitState::kHeld;
      return stored_.size() == 119 && Suspects() == 1;
    })) << status;
    EXPECT_FALSE(held) << status;
    EXPECT_TRUE(Play(TakesAll(), 2h, [&] { return AllEnded(); })) << status;
  }
}

TEST_F(VerdictTest, PageOfAFirewallInsteadOfAnAnswerSetsTheRecordAside) {
  AppendAll(0, 100, {40});
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    return AnyBad(records) ? Reply(200, "<html>rejected</html>", "text/html") : Take(records);
  };
  Play(script, 50ms);
  AppendAll(100, 120);
  EXPECT_TRUE(Play(script, 20min, [&] { return stored_.size() == 119 && Suspects() == 1; }));
}

TEST_F(VerdictTest, WrongTokenStillHoldsAtOnce) {
  AppendAll(0, 100);
  const Script script = [](const Records&, const FakeUploader::Sent&) { return Reply(401); };
  EXPECT_TRUE(Play(script, 30s, [&] { return Now().state == limit::CircuitState::kHeld; }));
  Play(script, 24h);
  EXPECT_LT(requests_.size(), 150U);
  EXPECT_TRUE(Play(TakesAll(), 1h, [&] { return AllEnded(); }));
  EXPECT_EQ(Suspects() + Dead(), 0U);
}

TEST_F(VerdictTest, PartialSuccessWaitsIsWithinTheBudgetAndObeysRetryAfter) {
  AppendAll(0, 100);
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    if (records.size() == 1) {
      return Take(records);
    }
    Take({records.front()});
    std::string retry;
    for (std::size_t i = 1; i < records.size(); ++i) {
      retry += std::string(i == 1 ? "\"" : ",\"") + records[i].id + "\"";
    }
    return Reply(207, "{\"accepted\":1,\"rejected\":[],\"retry\":[" + retry + "]}");
  };
  Play(script, 60s);
  EXPECT_LT(requests_.size(), 15U);
  requests_.clear();
  const Script waits = [&](const Records& records, const FakeUploader::Sent& sent) {
    upload::Response response = script(records, sent);
    response.headers.emplace_back("retry-after", "120");
    return response;
  };
  Play(waits, 10min);
  EXPECT_LE(requests_.size(), 6U);
  EXPECT_TRUE(Play(TakesAll(), 1h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 100U);
}

TEST_F(VerdictTest, RecordRefusedByNameRaisesWhatARefusalAloneRaises) {
  for (const bool named : {false, true}) {
    stored_.clear();
    AppendAll(0, 20, {7});
    bool suspected = false;
    const std::uint64_t before = Dead();
    MonoTime last{};
    EXPECT_TRUE(Play(
        [&](const Records& records, const FakeUploader::Sent&) {
          return named ? TakeSome(records, Bad) : AnyBad(records) ? Refuse() : Take(records);
        },
        10min,
        [&] {
          suspected = suspected || IsOpen("suspects");
          Trickle(last);
          return Dead() == before + 1;
        }));
    EXPECT_TRUE(suspected);
    EXPECT_TRUE(IsOpen("dead_letters"));
    events_.Resolve("dead_letters", "cloud", clock_.Wall());
    ASSERT_EQ(Dead(), before + 1);
    EXPECT_NE(queue_->DeadLetters(10, 0)->back().detail.find("bad record"), std::string::npos);
  }
}

TEST_F(VerdictTest, SlowApiGetsTheSameBytesMoreTimeAndSmallerBatchesAfterwards) {
  max_records_ = 400;
  timeout_ = 5s;
  Rebuild();
  // 20 ms a record; the uploader gives up after the timeout of the request.
  std::vector<std::pair<std::size_t, std::string>> tries;
  const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
    tries.emplace_back(records.size(), sent.Header("Idempotency-Key"));
    const auto needs = 20ms * records.size();
    const auto timeout = uploader_.timeouts.back();
    if (needs > timeout) {
      clock_.Advance(timeout);
      return Broken(upload::Transport::kTimeout);
    }
    clock_.Advance(needs);
    return Take(records);
  };
  destination_->Pause(std::nullopt, clock_.Mono());
  AppendAll(0, 2000);
  destination_->Resume(clock_.Mono());
  EXPECT_TRUE(Play(script, 1h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 2000U);
  ASSERT_GE(tries.size(), 2U);
  EXPECT_EQ(tries[0].second, tries[1].second) << "the same batch again";
  std::size_t timeouts = 0;
  for (const auto& [id, times] : stored_) {
    timeouts += times > 1 ? 1 : 0;
  }
  EXPECT_EQ(timeouts, 0U);
  EXPECT_LT(Now().learnt_max_records, 400U);
  EXPECT_GT(Now().learnt_max_records, 100U);
  EXPECT_LT(tries.size(), 20U);
  const std::uint64_t learnt = Now().learnt_max_records;
  const std::unique_ptr<Destination> before = std::move(destination_);
  Rebuild();
  EXPECT_EQ(Now().learnt_max_records, 0U);
  destination_->TakeOver(*before);
  EXPECT_EQ(Now().learnt_max_records, learnt) << "a changed destination goes on with what was learnt";
}

TEST_F(VerdictTest, EveryAttemptWithUnknownOutcomeCountsAndABatchIsSplitAfterFiveOfThem) {
  AppendAll(0, 64);
  std::map<std::string, int> keys;
  const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
    ++keys[sent.Header("Idempotency-Key")];
    return records.size() > 16 ? Broken(upload::Transport::kTimeout) : Take(records);
  };
  EXPECT_TRUE(Play(script, 3h, [&] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 64U);
  const auto most = std::max_element(keys.begin(), keys.end(), [](auto& a, auto& b) { return a.second < b.second; });
  EXPECT_GE(most->second, 5);
  EXPECT_LE(most->second, 6) << "one more while something else is asked";
  EXPECT_GE(Now().possible_duplicates, 6U);
}

TEST_F(VerdictTest, ReplayedDeadLetterGoesOutFlaggedUnderItsOldRecordId) {
  AppendAll(0, 20, {5});
  MonoTime last{};
  ASSERT_TRUE(Play(RefusesBad(), 10min, [&] {
    Trickle(last);
    return Dead() == 1;
  }));
  const std::vector<queue::DeadLetter> letters = *queue_->DeadLetters(10, 0);
  std::optional<Result<std::uint32_t>> replayed;
  destination_->RedriveDead(letters, [&](Result<std::uint32_t> records) { replayed = std::move(records); });
  EXPECT_TRUE(Play(TakesAll(), 1min, [&] { return stored_.size() == 20 + trickled_; }));
  ASSERT_TRUE(replayed && *replayed);
  EXPECT_NE(requests_.back().find(letters.front().record_id), std::string::npos);
  EXPECT_NE(requests_.back().find("\"replayed\""), std::string::npos);
  EXPECT_TRUE(Play(TakesAll(), 1min, [&] { return AllEnded(); }));
  EXPECT_TRUE(queue_->DeadLetters(10, 0)->empty());
}

class MendedTest : public VerdictTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(WithARestart, MendedTest, testing::Bool());

TEST_P(MendedTest, DeadLetterGoesOutUnderItsOldRecordIdAndStaysAsItIsWhileTheApiFailsAtIt) {
  AppendAll(0, 20, {5});
  MonoTime last{};
  ASSERT_TRUE(Play(RefusesBad(), 10min, [&] {
    Trickle(last);
    return Dead() == 1;
  }));
  std::vector<queue::DeadLetter> letters = *queue_->DeadLetters(10, 0);
  const std::string id = letters.front().record_id;
  letters.front().mended = true;
  std::optional<Result<std::uint32_t>> replayed;
  const auto replay = [&](const std::string& payload) {
    letters.front().message.payload = payload;
    replayed.reset();
    destination_->RedriveDead(letters, [&](Result<std::uint32_t> records) { replayed = std::move(records); });
    return test::WaitFor([&] {
      queue_->Poll();
      return replayed.has_value();
    });
  };
  ASSERT_TRUE(replay(R"([{"n":5},{"n":6}])"));
  EXPECT_EQ(replayed->error().code, ErrorCode::kInvalidArgument) << "two records where there was one";
  EXPECT_EQ(Dead(), 1U);
  ASSERT_TRUE(replay(R"({"n":4711})"));
  ASSERT_TRUE(*replayed);
  if (GetParam()) {
    Restart();
  }
  std::string key;
  int attempts = 0;
  const Script fails = [&](const Records& records, const FakeUploader::Sent& sent) {
    if (records.size() != 1 || records.front().id != id) {
      return Take(records);
    }
    EXPECT_EQ(records.front().n(), 4711);
    EXPECT_TRUE(key.empty() || key == sent.Header("Idempotency-Key")) << "the same bytes each time";
    key = sent.Header("Idempotency-Key");
    return ++attempts < 8 ? Reply(500) : Take(records);
  };
  EXPECT_TRUE(Play(fails, 10h, [&] {
    Trickle(last);
    return stored_.contains(id);
  }));
  EXPECT_EQ(attempts, 8);
  EXPECT_TRUE(Play(TakesAll(), 1min, [&] { return AllEnded(); }));
  EXPECT_TRUE(queue_->DeadLetters(10, 0)->empty());
}

TEST_F(VerdictTest, SuspectSurvivesARestartAndIsTriedAgain) {
  AppendAll(0, 20, {5});
  MonoTime last{};
  EXPECT_TRUE(Play(RefusesBad(500), 10min, [&] {
    Trickle(last);
    return Suspects() == 1;
  }));
  Restart();
  EXPECT_EQ(Suspects(), 1U);
  EXPECT_EQ(Now().suspects, 1U);
  EXPECT_TRUE(Play(TakesAll(), 10min, [&] { return AllEnded(); }));
  EXPECT_TRUE(queue_->VerifyLedger()->empty());
}

}  // namespace
}  // namespace packhorse::delivery
