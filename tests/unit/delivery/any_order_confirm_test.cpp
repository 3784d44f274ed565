// Order any at an API that has a batch only when a second request says so: several are on their way, and several wait
// for their confirmation.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud_fixture.h"
#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/read_contract.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr char kAcknowledging[] = R"({
  "contract": "acks@1.0",
  "request": { "path": "/events", "body": { "json": { "events": "{items}" } }, "item": "{record}" },
  "accepts": { "max_items": 100 },
  "confirm": {
    "key": "/ack",
    "request": { "path": "/acks", "body": { "json": { "acks": ["{key}"] } } },
    "done": { "/acks/{key}": true }, "every": "10s", "within": "1m", "else": "retry" },
  "response": [ { "status": 200, "when": { "/ack": "*" }, "verdict": "confirm" } ] })";

std::shared_ptr<const contract::CloudContract> AcknowledgingContract() {
  const contract::ContractRead read = contract::ReadCloudContract(kAcknowledging, "acks");
  EXPECT_NE(read.definition, nullptr) << document::Describe(read.problems.front());
  return *contract::MakeCloudContract(read.definition, {});
}

// An API that acknowledges what it has stored, when it is asked.
class Acknowledging : public CloudTest {
 protected:
  static bool IsAsked(const FakeUploader::Sent& sent) { return sent.request.path == "/acks"; }
  static int AckOf(const FakeUploader::Sent& sent) { return std::stoi(sent.body.substr(sent.body.find('[') + 1)); }
  static upload::Response Acked(const FakeUploader::Sent& sent, bool done) {
    return Reply(200, R"({"acks":{")" + std::to_string(AckOf(sent)) + R"(":)" + (done ? "true" : "false") + "}}");
  }
  // It has the batch, and says so when it is asked; or it loses it, and never does.
  upload::Response TakeUnconfirmed(const Records& records, bool loses = false) {
    ++last_ack_;
    if (!loses) {
      known_acks_.insert(last_ack_);
      Take(records);
    }
    return Reply(200, R"({"ack":)" + std::to_string(last_ack_) + "}");
  }
  upload::Response Confirmed(const FakeUploader::Sent& sent) { return Acked(sent, known_acks_.contains(AckOf(sent))); }

  int last_ack_ = 0;
  std::set<int> known_acks_;
};

class AnyOrderConfirm : public Acknowledging {
 protected:
  AnyOrderConfirm() { Begin(1); }

  void Begin(std::uint32_t max_records) {
    contract_ = AcknowledgingContract();
    any_order_ = true;
    max_records_ = max_records;
    Rebuild();
    Hear();
  }
  void AppendSome(int count) {
    for (int i = 0; i < count; ++i) {
      Append(Payload(next_++));
    }
  }
  // Takes those that are on their way, which is not confirmed.
  std::vector<FakeUploader::Sent> TakeOnTheWay(std::size_t count) {
    std::vector<FakeUploader::Sent> sent = OnTheWay(count);
    for (FakeUploader::Sent& one : sent) {
      EXPECT_FALSE(IsAsked(one));
      one.done(TakeUnconfirmed(RecordsOf(one.body)));
    }
    return sent;
  }
  // What is on its way reaches the API or does not, and nobody hears of it.
  void CutOff(const Script& script) {
    for (const FakeUploader::Sent& sent : std::exchange(uploader_.sent, {})) {
      if (random_() % 2 == 0) {
        static_cast<void>(script(RecordsOf(sent.body), sent));
      }
    }
    duplicates_ += Now().possible_duplicates;
  }
  void Reload() {
    const std::unique_ptr<Destination> before = std::move(destination_);
    Rebuild();
    destination_->TakeOver(*before);
  }
  // Delivers all that is left, and confirms it.
  void Finish(std::uint64_t records) {
    EXPECT_TRUE(
        Play([&](const Records& one,
                 const FakeUploader::Sent& sent) { return IsAsked(sent) ? Confirmed(sent) : TakeUnconfirmed(one); },
             1h, [this] { return AllEnded(); }));
    EXPECT_EQ(Row().delivered, records);
    EXPECT_EQ(stored_.size(), records);
  }

  int next_ = 0;
  std::uint64_t duplicates_ = 0;  // possible ones, of destinations that are gone
};

TEST_F(AnyOrderConfirm, OthersGoWhileSeveralWaitForTheirConfirmation) {
  AppendSome(8);
  TakeOnTheWay(4);
  TakeOnTheWay(4);
  EXPECT_FALSE(SendsNow());
  EXPECT_EQ(Row().delivered, 0U);
  clock_.Advance(10s);
  std::set<int> asked;
  for (std::uint64_t i = 0; i < 8; ++i) {
    FakeUploader::Sent question = Next();
    ASSERT_TRUE(IsAsked(question));
    asked.insert(AckOf(question));
    question.done(Confirmed(question));
    EXPECT_TRUE(Settled(i + 1));
  }
  EXPECT_EQ(asked.size(), 8U);
  EXPECT_EQ(Now().possible_duplicates, 0U);
  EXPECT_EQ(StoredAgain(), 0U);
}

TEST_F(AnyOrderConfirm, QuestionIsOneOfTheRequestsAtOnce) {
  AppendSome(1);
  TakeOnTheWay(1);
  AppendSome(6);
  std::vector<FakeUploader::Sent> sent = OnTheWay(4);
  clock_.Advance(10s);
  EXPECT_FALSE(SendsNow()) << "four are on their way";
  EXPECT_EQ(Now().requests_in_flight, 4U);
  sent[2].done(TakeUnconfirmed(RecordsOf(sent[2].body)));
  EXPECT_TRUE(IsAsked(OnTheWay(1).front())) << "it goes before what waits";
  EXPECT_EQ(Now().requests_in_flight, 4U);
}

TEST_F(AnyOrderConfirm, QuestionThatIsRefusedBesideOthersTeachesHowManyAtOnceAndNoRate) {
  max_in_flight_ = 8;
  Begin(1);
  AppendSome(1);
  TakeOnTheWay(1);
  clock_.Advance(10s);
  FakeUploader::Sent first = Next();
  first.done(Confirmed(first));
  EXPECT_TRUE(Settled(1));
  AppendSome(1);
  TakeOnTheWay(1);
  AppendSome(3);
  std::vector<FakeUploader::Sent> sent = OnTheWay(3);
  clock_.Advance(10s);
  FakeUploader::Sent question = Next();
  ASSERT_TRUE(IsAsked(question));
  upload::Response busy = Reply(429);
  busy.headers.emplace_back("retry-after", "30");
  question.done(std::move(busy));
  EXPECT_EQ(Now().learnt_max_in_flight, 3U);
  EXPECT_EQ(Now().learnt_requests_per_second, 0);
  AppendSome(2);
  sent[0].done(Broken(upload::Transport::kConnect));
  clock_.Advance(20s);
  EXPECT_FALSE(SendsNow()) << "the wait is for the whole destination";
  sent[1].done(TakeUnconfirmed(RecordsOf(sent[1].body)));
  sent[2].done(TakeUnconfirmed(RecordsOf(sent[2].body)));
  Finish(7);
}

TEST_F(AnyOrderConfirm, BatchThatIsLostAmongOthersGoesAgainAndTheOthersDoNot) {
  AppendSome(6);
  const std::string lost = [&] {
    std::vector<FakeUploader::Sent> sent = OnTheWay(4);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      sent[i].done(TakeUnconfirmed(RecordsOf(sent[i].body), i == 1));
    }
    return sent[1].body;
  }();
  Finish(6);
  EXPECT_EQ(StoredAgain(), 0U);
  EXPECT_EQ(Now().possible_duplicates, 1U);
  EXPECT_EQ(std::count(requests_.begin(), requests_.end(), lost), 1);
}

TEST_F(AnyOrderConfirm, WhatIsUnconfirmedOrOnItsWayAtAKillGoesAgainUnderItsKey) {
  AppendSome(6);
  std::set<std::string> bodies;
  for (const FakeUploader::Sent& sent : TakeOnTheWay(4)) {
    bodies.insert(sent.body);
  }
  for (const FakeUploader::Sent& sent : OnTheWay(2)) {
    bodies.insert(sent.body);
  }
  Restart();
  Finish(6);
  for (const std::string& body : bodies) {
    EXPECT_EQ(std::count(requests_.begin(), requests_.end(), body), 1);
  }
  EXPECT_EQ(StoredAgain(), 4U);
  EXPECT_EQ(Now().possible_duplicates, 6U);
}

TEST_F(AnyOrderConfirm, AfterAReloadOnlyWhatHadBeenSentCountsAsPossibleDuplicate) {
  AppendSome(9);
  TakeOnTheWay(4);
  OnTheWay(4);  // and the ninth is prepared
  EXPECT_FALSE(SendsNow());
  duplicates_ += Now().possible_duplicates;
  Reload();
  Finish(9);
  EXPECT_EQ(StoredAgain(), 4U);
  EXPECT_EQ(duplicates_ + Now().possible_duplicates, 8U);
}

// An API that loses batches, replies and acknowledgements, and a gateway that is killed and reloaded meanwhile.
TEST_F(AnyOrderConfirm, WhateverIsLostEachRecordIsDeliveredAndEachRepetitionIsCounted) {
  one_by_one_ = true;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    random_.seed(seed);
    const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
      const std::uint64_t draw = random_() % 20;
      if (draw == 0) {
        return Reply(503);
      }
      if (IsAsked(sent)) {
        return draw < 5 ? Acked(sent, false) : Confirmed(sent);
      }
      if (draw == 1) {
        Take(records);
        return Broken(upload::Transport::kReset);
      }
      if (draw == 2) {
        Take(records);
        return TakeUnconfirmed(records, true);
      }
      return TakeUnconfirmed(records, draw == 3);
    };
    max_records_ = 1 + static_cast<std::uint32_t>(seed % 3);
    stored_.clear();
    duplicates_ = 0;
    const std::uint64_t before = Row().delivered;
    Rebuild();
    AppendSome(150);
    for (int i = 0; i < 40 && !AllEnded(); ++i) {
      Play(script, std::chrono::seconds(5 + random_() % 30), [this] { return AllEnded(); });
      if (random_() % 2 == 0) {
        CutOff(script);
        if (random_() % 2 == 0) {
          Restart();
        } else {
          Reload();
        }
      }
    }
    EXPECT_TRUE(Play(script, 48h, [this] { return AllEnded(); })) << seed;
    EXPECT_EQ(Row().delivered - before, 150U) << seed;
    EXPECT_EQ(stored_.size(), 150U) << seed;
    EXPECT_EQ(Dead() + Suspects(), 0U) << seed;
    EXPECT_LE(StoredAgain(), (duplicates_ + Now().possible_duplicates) * max_records_) << seed;
  }
}

// A newer contract whose API confirms later, in a rollout.
class RolloutToConfirm : public Acknowledging {
 protected:
  RolloutToConfirm() {
    contract_ = *contract::FindCloudContract("packhorse-ingest@1.0");
    RolloutOptions options;
    options.contract = AcknowledgingContract();
    options.steps = {50, 100};
    options.hold = 10min;
    options.min_records = 20;
    rollout_ = options;
    any_order_ = true;
    one_by_one_ = true;
    max_records_ = 5;
    Rebuild();
  }
  static bool IsAcknowledged(const FakeUploader::Sent& sent) { return sent.request.path == "/events"; }
  void Rounds(const Script& script, int most) {
    for (int round = 0; round < most && Now().rollout->now.state == Rollout::State::kRunning; ++round) {
      for (int device = 0; device < 40; ++device) {
        Append(Payload(++last_), "telemetry", "press-" + std::to_string(device));
      }
      EXPECT_TRUE(Play(script, 30min, [this] { return AllEnded(); })) << "round " << round;
      clock_.Advance(1min);
    }
  }

  int last_ = 0;
};

TEST_F(RolloutToConfirm, ThatIsConfirmedFinishes) {
  Rounds(
      [&](const Records& records, const FakeUploader::Sent& sent) {
        return IsAsked(sent) ? Confirmed(sent) : IsAcknowledged(sent) ? TakeUnconfirmed(records) : Take(records);
      },
      60);
  EXPECT_EQ(Now().rollout->now.state, Rollout::State::kFinished);
  EXPECT_EQ(static_cast<int>(stored_.size()), last_);
  EXPECT_EQ(StoredAgain() + Dead() + Suspects(), 0U);
  EXPECT_EQ(Now().possible_duplicates, 0U);
}

TEST_F(RolloutToConfirm, ThatIsNeverConfirmedIsRolledBackAndAllGoesByThePresentOne) {
  Rounds(
      [&](const Records& records, const FakeUploader::Sent& sent) {
        return IsAsked(sent)          ? Acked(sent, false)
               : IsAcknowledged(sent) ? TakeUnconfirmed(records, true)
                                      : Take(records);
      },
      60);
  EXPECT_EQ(Now().rollout->now.state, Rollout::State::kRolledBack);
  EXPECT_EQ(static_cast<int>(stored_.size()), last_);
  EXPECT_EQ(StoredAgain() + Dead() + Suspects(), 0U);
  EXPECT_FALSE(IsOpen("destination_held"));
}

}  // namespace
}  // namespace packhorse::delivery
