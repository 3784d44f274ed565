// A newer contract comes into use, or does not: a destination with a rollout, a scripted cloud, and a fast clock.
#include <gmock/gmock.h>

#include "cloud_fixture.h"
#include "fake_contract.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using State = Rollout::State;

class RollingOut : public CloudTest {
 protected:
  static constexpr int kDevices = 40;

  RollingOut() {
    contract_ = *contract::FindCloudContract("packhorse-ingest@1.0");
    RolloutOptions options;
    options.contract = *contract::FindCloudContract("packhorse-ingest@1.1");
    options.steps = {10, 50, 100};
    options.hold = 10min;
    options.min_records = 20;
    rollout_ = options;
    max_records_ = 20;
    Rebuild();
  }

  static bool IsNewer(const FakeUploader::Sent& sent) {
    return sent.body.find("packhorse-ingest@1.1") != std::string::npos;
  }
  // One message of each device.
  void Round() {
    for (int device = 0; device < kDevices; ++device) {
      Append(Payload(++last_), "telemetry", "press-" + std::to_string(device));
    }
  }
  // Rounds of messages, a minute apart, as long as `more` holds; each of them answered.
  int Rounds(const Script& script, int most, const std::function<bool()>& more) {
    int rounds = 0;
    for (; rounds < most && more(); ++rounds) {
      Round();
      EXPECT_TRUE(Play(script, 1min, [this] { return AllEnded(); })) << "round " << rounds;
      clock_.Advance(1min);
    }
    return rounds;
  }
  // Devices arrive in order, whatever contract they go by.
  upload::Response TakeInOrder(const Records& records) {
    for (const Record& record : records) {
      const std::size_t at = record.text.find("press-");
      const std::string device = record.text.substr(at, record.text.find('"', at) - at);
      EXPECT_GT(record.n(), newest_of_[device]) << device;
      newest_of_[device] = record.n();
    }
    return Take(records);
  }
  State RolloutState() { return Now().rollout->now.state; }
  bool EachStoredOnce() {
    return static_cast<int>(stored_.size()) == last_ &&
           std::all_of(stored_.begin(), stored_.end(), [](const auto& each) { return each.second == 1; });
  }

  int last_ = 0;
  std::map<std::string, int> newest_of_;
};

TEST_F(RollingOut, GoodContractGetsAllDevicesAndEachKeepsItsOrder) {
  int by_newer = 0;
  const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
    by_newer += IsNewer(sent) ? static_cast<int>(records.size()) : 0;
    return TakeInOrder(records);
  };
  Rounds(script, 5, [] { return true; });
  EXPECT_GT(by_newer, 0);
  EXPECT_LT(by_newer, last_ / 2);
  Rounds(script, 60, [this] { return RolloutState() == State::kRunning; });
  EXPECT_EQ(RolloutState(), State::kFinished);
  EXPECT_TRUE(IsOpen("rollout_finished"));
  by_newer = 0;
  Rounds(script, 1, [] { return true; });
  EXPECT_EQ(by_newer, kDevices);
  EXPECT_TRUE(EachStoredOnce());
  EXPECT_EQ(Dead() + Suspects(), 0U);
}

TEST_F(RollingOut, ContractThatTheApiRefusesIsRolledBackAndCostsNothing) {
  for (const int status : {400, 404, 422, 401, 500}) {
    Rebuild();
    stored_.clear();
    last_ = 0;
    const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
      return IsNewer(sent) ? Refuse(status) : Take(records);
    };
    const int rounds = Rounds(script, 20, [this] { return RolloutState() == State::kRunning; });
    EXPECT_EQ(RolloutState(), State::kRolledBack) << status;
    EXPECT_LE(rounds, 5) << status;
    EXPECT_THAT(Now().rollout->now.reason, HasSubstr(std::to_string(status)));
    EXPECT_TRUE(IsOpen("rollout_rolled_back"));
    EXPECT_FALSE(IsOpen("destination_held")) << status;
    EXPECT_EQ(Dead() + Suspects(), 0U) << status;
    EXPECT_TRUE(EachStoredOnce()) << status;
  }
}

TEST_F(RollingOut, ContractOfWhichTheApiRefusesSomeRecordsByNameIsRolledBackAndTheyGetThrough) {
  const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
    return TakeSome(records, [&](const Record& record) { return IsNewer(sent) && record.n() % 3 == 0; });
  };
  Rounds(script, 60, [this] { return RolloutState() == State::kRunning; });
  EXPECT_EQ(RolloutState(), State::kRolledBack);
  EXPECT_TRUE(EachStoredOnce());
  EXPECT_EQ(Dead() + Suspects(), 0U);
}

TEST_F(RollingOut, RecordsThatNeitherContractGetsThroughDoNotEndIt) {
  const Script script = [&](const Records& records, const FakeUploader::Sent&) {
    const bool bad =
        std::any_of(records.begin(), records.end(), [](const Record& record) { return record.n() % 200 == 7; });
    return bad ? Refuse() : Take(records);
  };
  for (int i = 0; i < 60 && RolloutState() == State::kRunning; ++i) {
    Round();
    Play(script, 2min, [this] { return Now().pending == Suspects(); });
    clock_.Advance(1min);
  }
  EXPECT_EQ(RolloutState(), State::kFinished) << Now().rollout->now.reason;
  EXPECT_TRUE(Play(script, 48h, [this] { return AllEnded(); }));
  EXPECT_EQ(static_cast<int>(stored_.size() + Dead()), last_);
}

TEST_F(RollingOut, OutageDoesNotEndIt) {
  const Script away = [&](const Records&, const FakeUploader::Sent&) { return Reply(503); };
  const Script works = [&](const Records& records, const FakeUploader::Sent&) { return Take(records); };
  for (int i = 0; i < 20; ++i) {
    Round();
    Play(away, 2min);
    EXPECT_TRUE(Play(works, 10min, [this] { return AllEnded(); }));
  }
  EXPECT_NE(RolloutState(), State::kRolledBack) << Now().rollout->now.reason;
  EXPECT_TRUE(EachStoredOnce());
}

TEST_F(RollingOut, RecordsThatOnlyThePresentContractCanWriteGoByIt) {
  auto newer = std::make_shared<FakeContract>();
  rollout_->contract = newer;
  rollout_->steps = {100};
  rollout_->coding.clear();
  Rebuild();
  for (int i = 0; i < 60; ++i) {
    Append(R"({"n":1,"fate":"dead"})");
  }
  const Script script = [&](const Records& records, const FakeUploader::Sent&) { return Take(records); };
  EXPECT_TRUE(Play(script, 1min, [this] { return AllEnded(); }));
  EXPECT_EQ(stored_.size(), 60U);
  EXPECT_EQ(RolloutState(), State::kRolledBack);
  EXPECT_THAT(Now().rollout->now.reason, HasSubstr("there is no unit"));
}

TEST_F(RollingOut, WhatIsPreparedByARolledBackContractGoesByThePresentOneAlsoAfterARestart) {
  rollout_->steps = {100};
  Rebuild();
  Round();
  ASSERT_TRUE(Turn([this] { return !uploader_.sent.empty(); }));
  ASSERT_TRUE(IsNewer(uploader_.sent.front()));
  ASSERT_TRUE(destination_->ChangeRollout(RolloutAction::kRollBack, clock_.Mono()));
  const Kept kept = destination_->ToKeep();
  Restart();
  destination_->Restore(kept);
  const Script script = [&](const Records& records, const FakeUploader::Sent& sent) {
    EXPECT_FALSE(IsNewer(sent));
    return TakeInOrder(records);
  };
  EXPECT_TRUE(Play(script, 1min, [this] { return AllEnded(); }));
  EXPECT_TRUE(EachStoredOnce());
  EXPECT_TRUE(IsOpen("rollout_rolled_back"));
  Row();
  rollout_.reset();
  Rebuild();
  destination_->Step(clock_.Mono());
  EXPECT_FALSE(IsOpen("rollout_rolled_back")) << "it is not configured any more";
}

TEST_F(RollingOut, RebuiltDestinationGoesOn) {
  ASSERT_TRUE(destination_->ChangeRollout(RolloutAction::kAdvance, clock_.Mono()));
  const std::unique_ptr<Destination> before = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*before);
  EXPECT_EQ(Now().rollout->now.percent, 50U);
  rollout_.reset();
  Rebuild();
  EXPECT_FALSE(destination_->ChangeRollout(RolloutAction::kPause, clock_.Mono()));
}

}  // namespace
}  // namespace packhorse::delivery
