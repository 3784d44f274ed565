// Order any and a newer contract that comes into use: requests by both are on their way at the same time.

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cloud_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using State = Rollout::State;
using ::testing::HasSubstr;

class AnyOrderRollout : public CloudTest {
 protected:
  AnyOrderRollout() {
    contract_ = *contract::FindCloudContract("packhorse-ingest@1.0");
    RolloutOptions options;
    options.contract = *contract::FindCloudContract("packhorse-ingest@1.1");
    options.steps = {10, 50, 100};
    options.hold = 10min;
    options.min_records = 20;
    rollout_ = options;
    any_order_ = true;
    one_by_one_ = true;
    max_records_ = 5;
    Rebuild();
    Hear();
  }

  static bool GoesByNewer(const FakeUploader::Sent& sent) {
    return sent.body.find("packhorse-ingest@1.1") != std::string::npos;
  }
  // One message of each of 40 devices.
  void Round() {
    for (int device = 0; device < 40; ++device) {
      Append(Payload(++last_), "telemetry", "press-" + std::to_string(device));
    }
  }
  int Rounds(const Script& script, int most) {
    int rounds = 0;
    for (; rounds < most && Now().rollout->now.state == State::kRunning; ++rounds) {
      Round();
      EXPECT_TRUE(Play(script, 10min, [this] { return AllEnded(); })) << "round " << rounds;
      clock_.Advance(1min);
    }
    return rounds;
  }
  // All records by the newer contract, one each.
  void AllByNewer() {
    rollout_->steps = {100};
    max_records_ = 1;
    Rebuild();
    Hear();
  }
  std::vector<FakeUploader::Sent> NewerOnTheWay() {
    EXPECT_TRUE(Turn([&] { return uploader_.sent.size() == 4; })) << uploader_.sent.size();
    EXPECT_TRUE(std::all_of(uploader_.sent.begin(), uploader_.sent.end(), GoesByNewer));
    return std::exchange(uploader_.sent, {});
  }
  // Everything that is left goes by the present contract alone.
  void FinishByPresent() {
    EXPECT_TRUE(Play(
        [&](const Records& records, const FakeUploader::Sent& sent) {
          EXPECT_FALSE(GoesByNewer(sent));
          return Take(records);
        },
        10min, [this] { return AllEnded(); }));
    EXPECT_EQ(static_cast<int>(stored_.size()), last_);
    EXPECT_EQ(Row().delivered, static_cast<std::uint64_t>(last_));
    EXPECT_EQ(Dead() + Suspects(), 0U);
  }

  int last_ = 0;
};

TEST_F(AnyOrderRollout, GoodContractGetsAllDevicesAndEachRecordIsStoredOnce) {
  bool both = false;
  Rounds(
      [&](const Records& records, const FakeUploader::Sent& sent) {
        both = both || std::any_of(uploader_.sent.begin(), uploader_.sent.end(),
                                   [&](const auto& other) { return GoesByNewer(other) != GoesByNewer(sent); });
        return Take(records);
      },
      60);
  EXPECT_EQ(Now().rollout->now.state, State::kFinished);
  EXPECT_TRUE(both) << "requests by both contracts were on their way at the same time";
  EXPECT_EQ(static_cast<int>(stored_.size()), last_);
  EXPECT_EQ(StoredAgain() + Dead() + Suspects(), 0U);
}

TEST_F(AnyOrderRollout, ContractThatTheApiRefusesIsRolledBackAndCostsNothing) {
  for (const int status : {400, 404, 422, 401, 500, 413}) {
    Rebuild();
    Hear();
    stored_.clear();
    last_ = 0;
    const int rounds =
        Rounds([&](const Records& records,
                   const FakeUploader::Sent& sent) { return GoesByNewer(sent) ? Refuse(status) : Take(records); },
               20);
    EXPECT_EQ(Now().rollout->now.state, State::kRolledBack) << status;
    EXPECT_LE(rounds, 6) << status;
    EXPECT_THAT(Now().rollout->now.reason, HasSubstr(std::to_string(status)));
    EXPECT_FALSE(IsOpen("destination_held")) << status;
    EXPECT_EQ(static_cast<int>(stored_.size()), last_) << status;
    EXPECT_EQ(StoredAgain() + Dead() + Suspects(), 0U) << status;
  }
}

TEST_F(AnyOrderRollout, RecordsThatNeitherContractGetsThroughDoNotEndIt) {
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    const bool bad =
        std::any_of(records.begin(), records.end(), [](const Record& record) { return record.n() % 200 == 7; });
    return bad ? Refuse() : Take(records);
  };
  for (int i = 0; i < 60 && Now().rollout->now.state == State::kRunning; ++i) {
    Round();
    Play(script, 2min, [this] { return Now().pending == Suspects(); });
    clock_.Advance(1min);
  }
  EXPECT_EQ(Now().rollout->now.state, State::kFinished) << Now().rollout->now.reason;
  EXPECT_TRUE(Play(script, 6h, [this] { return AllEnded(); }));
  EXPECT_EQ(static_cast<int>(stored_.size() + Dead()), last_);
  EXPECT_EQ(StoredAgain(), 0U);
}

TEST_F(AnyOrderRollout, RollbackWhileSeveralAreOnTheirWayLosesNothingAndCountsNothingTwice) {
  AllByNewer();
  Round();
  std::vector<FakeUploader::Sent> sent = NewerOnTheWay();
  ASSERT_TRUE(destination_->ChangeRollout(RolloutAction::kRollBack, clock_.Mono()));
  EXPECT_FALSE(SendsNow()) << "four are still on their way";
  sent[0].done(Take(RecordsOf(sent[0].body)));
  sent[1].done(Refuse(400));
  Take(RecordsOf(sent[2].body));
  sent[2].done(Broken(upload::Transport::kTimeout));
  sent[3].done(Reply(500));
  FinishByPresent();
  EXPECT_EQ(StoredAgain(), 1U) << "the one without a reply";
  EXPECT_GE(Now().possible_duplicates, 1U);
}

TEST_F(AnyOrderRollout, KillWhileSeveralAreOnTheirWayAndRolledBackAfterwards) {
  AllByNewer();
  Round();
  std::vector<FakeUploader::Sent> sent = NewerOnTheWay();
  Take(RecordsOf(sent[1].body));
  Take(RecordsOf(sent[3].body));
  ASSERT_TRUE(destination_->ChangeRollout(RolloutAction::kRollBack, clock_.Mono()));
  const Kept kept = destination_->ToKeep();
  Restart();
  destination_->Restore(kept);
  FinishByPresent();
  EXPECT_EQ(StoredAgain(), 2U);
  EXPECT_GE(Now().possible_duplicates, 2U) << "they went under other keys, and count all the same";
}

TEST_F(AnyOrderRollout, ReloadWithoutTheRolloutWhileSeveralAreOnTheirWay) {
  AllByNewer();
  Round();
  NewerOnTheWay();
  const std::unique_ptr<Destination> before = std::move(destination_);
  rollout_.reset();
  Rebuild();
  destination_->TakeOver(*before);
  EXPECT_TRUE(Play([&](const Records& records, const FakeUploader::Sent&) { return Take(records); }, 10min,
                   [this] { return AllEnded(); }));
  EXPECT_EQ(static_cast<int>(stored_.size()), last_);
  EXPECT_EQ(StoredAgain(), 0U);
  EXPECT_EQ(Now().possible_duplicates, 4U);
}

TEST_F(AnyOrderRollout, ContractThatIsRefusedNowAndThenIsRolledBackThroughKillsAndReloads) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    random_.seed(seed);
    rollout_->steps = {50, 100};
    rollout_->hold = 1h;
    Rebuild();
    stored_.clear();
    last_ = 0;
    const std::uint64_t before_it = Row().delivered;
    const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
      const std::uint64_t draw = random_() % 20;
      if (draw == 0) {
        return Reply(503);
      }
      return GoesByNewer(sent) && draw < 6 ? Refuse(draw < 3 ? 422 : 500) : Take(records);
    };
    for (int i = 0; i < 60 && Now().rollout->now.state == State::kRunning; ++i) {
      Round();
      Play(script, std::chrono::seconds(1 + random_() % 40), [this] { return AllEnded(); });
      const Kept kept = destination_->ToKeep();
      if (random_() % 3 == 0) {
        Restart();
        destination_->Restore(kept);
      } else if (random_() % 3 == 0) {
        uploader_.sent.clear();
        const std::unique_ptr<Destination> before = std::move(destination_);
        Rebuild();
        destination_->TakeOver(*before);
      }
    }
    EXPECT_EQ(Now().rollout->now.state, State::kRolledBack) << seed;
    EXPECT_TRUE(Play(script, 24h, [this] { return AllEnded(); })) << seed;
    EXPECT_EQ(static_cast<int>(stored_.size()), last_) << seed;
    EXPECT_EQ(Row().delivered - before_it, static_cast<std::uint64_t>(last_)) << seed;
    EXPECT_EQ(StoredAgain() + Dead() + Suspects(), 0U) << seed;
  }
}

}  // namespace
}  // namespace packhorse::delivery
