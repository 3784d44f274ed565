#include "delivery/rollout.h"

#include <gmock/gmock.h>

#include <set>

#include "fake_contract.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Change = Rollout::Change;
using State = Rollout::State;

class RolloutTest : public ::testing::Test {
 protected:
  RolloutTest() {
    options_.contract = std::make_shared<FakeContract>();
    options_.hold = 1h;
    options_.min_records = 100;
  }
  Rollout Make() { return Rollout(options_, "before@1.0"); }
  // Lets the rollout be for so long; what changed last.
  Change After(Rollout& rollout, std::chrono::seconds time) {
    const Change at_once = rollout.Step(now_);
    now_ += time;
    const Change later = rollout.Step(now_);
    return at_once == Change::kNone ? later : at_once;
  }
  static void Good(Rollout& rollout, int requests, std::uint32_t records) {
    for (int i = 0; i < requests; ++i) {
      rollout.NoteRequest(records);
    }
  }
  static int Share(const Rollout& rollout) {
    int taken = 0;
    for (int i = 0; i < 10'000; ++i) {
      taken += rollout.Takes("press-" + std::to_string(i)) ? 1 : 0;
    }
    return taken;
  }

  RolloutOptions options_;
  MonoTime now_{};
};

TEST_F(RolloutTest, GoodContractGoesFromStepToStepUntilItHasAllDevices) {
  Rollout rollout = Make();
  for (const std::uint32_t percent : {1U, 10U, 50U, 100U}) {
    EXPECT_EQ(rollout.ToKeep().percent, percent);
    EXPECT_NEAR(Share(rollout), 100 * percent, 150);
    EXPECT_EQ(rollout.Takes(""), percent == 100) << "what has no device goes last";
    Good(rollout, 10, 10);
    EXPECT_EQ(After(rollout, 59min), Change::kNone);
    EXPECT_EQ(After(rollout, 1min), percent == 100 ? Change::kFinished : Change::kAdvanced);
  }
  EXPECT_EQ(rollout.state(), State::kFinished);
}

TEST_F(RolloutTest, DevicesOfAStepAreAmongThoseOfTheNext) {
  Rollout rollout = Make();
  std::set<int> before;
  do {
    std::set<int> now;
    for (int i = 0; i < 1'000; ++i) {
      if (rollout.Takes("th-" + std::to_string(i))) {
        now.insert(i);
      }
    }
    EXPECT_TRUE(std::includes(now.begin(), now.end(), before.begin(), before.end()));
    before = now;
  } while (*rollout.Do(RolloutAction::kAdvance) == Change::kAdvanced);
  EXPECT_EQ(before.size(), 1'000U);
}

TEST_F(RolloutTest, NamedDevicesGoFirstAndAlone) {
  options_.devices = {"press-1", "press-7"};
  Rollout rollout = Make();
  EXPECT_EQ(Share(rollout), 2);
  EXPECT_TRUE(rollout.Takes("press-7"));
  ASSERT_TRUE(rollout.Do(RolloutAction::kAdvance));
  EXPECT_TRUE(rollout.Takes("press-7"));
  EXPECT_NEAR(Share(rollout), 100, 40);
}

TEST_F(RolloutTest, StepWaitsForEnoughRecords) {
  Rollout rollout = Make();
  Good(rollout, 1, 99);
  EXPECT_EQ(After(rollout, 10h), Change::kNone);
  EXPECT_THAT(rollout.Snapshot().waits_for, HasSubstr("99 of 100"));
  Good(rollout, 1, 1);
  EXPECT_EQ(After(rollout, 1s), Change::kAdvanced);
}

TEST_F(RolloutTest, ContractOfWhichNothingGetsThroughIsRolledBackAfterThreeRequests) {
  Rollout rollout = Make();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(After(rollout, 1s), Change::kNone) << i;
    rollout.NoteRequest(0);
    rollout.NoteFault(50, 50, "404 no such route");
  }
  EXPECT_EQ(After(rollout, 1s), Change::kRolledBack);
  EXPECT_EQ(rollout.state(), State::kRolledBack);
  EXPECT_EQ(Share(rollout), 0);
  EXPECT_THAT(rollout.ToKeep().reason, HasSubstr("404 no such route"));
  EXPECT_THAT(rollout.ToKeep().reason, HasSubstr("before@1.0"));
}

TEST_F(RolloutTest, OneRequestThatFailsAmongFewDoesNotEndIt) {
  Rollout rollout = Make();
  rollout.NoteRequest(0);
  rollout.NoteFault(50, 50, "500");
  EXPECT_EQ(After(rollout, 2h), Change::kNone);
  EXPECT_EQ(rollout.state(), State::kRunning);
  EXPECT_THAT(rollout.Snapshot().waits_for, HasSubstr("records"));
}

TEST_F(RolloutTest, FewErrorsAmongManyRecordsAreFoundAndAsManyAsAllowedAreNot) {
  for (const int of_hundred : {0, 1, 5}) {
    Rollout rollout = Make();
    Change change = Change::kNone;
    for (int i = 0; i < 1'000 && change == Change::kNone; ++i) {
      rollout.NoteRequest(100 - static_cast<std::uint32_t>(of_hundred));
      if (of_hundred > 0) {
        rollout.NoteFault(static_cast<std::uint32_t>(of_hundred), 100, "bad_value");
      }
      change = rollout.Step(now_);
    }
    EXPECT_EQ(change, of_hundred == 5 ? Change::kRolledBack : Change::kNone) << of_hundred;
  }
}

TEST_F(RolloutTest, UnfitRecordsCountAsErrorsOfTheirShare) {
  Rollout rollout = Make();
  Change change = Change::kNone;
  int requests = 0;
  for (; requests < 1'000 && change == Change::kNone; ++requests) {
    rollout.NoteUnfit("unfit: there is no unit");
    rollout.NoteRequest(9);
    change = rollout.Step(now_);
  }
  EXPECT_EQ(change, Change::kRolledBack);
  EXPECT_GT(requests, 5);
  EXPECT_THAT(rollout.ToKeep().reason, HasSubstr("no unit"));
}

TEST_F(RolloutTest, OnlyUnfitRecordsEndItToo) {
  Rollout rollout = Make();
  for (int i = 0; i < 60; ++i) {
    rollout.NoteUnfit("unfit");
  }
  EXPECT_EQ(After(rollout, 1s), Change::kRolledBack);
}

TEST_F(RolloutTest, PauseKeepsTheShareAndStillEndsOnErrors) {
  Rollout rollout = Make();
  Good(rollout, 100, 100);
  ASSERT_TRUE(rollout.Do(RolloutAction::kPause));
  EXPECT_EQ(After(rollout, 5h), Change::kNone);
  EXPECT_EQ(rollout.ToKeep().percent, 1U);
  ASSERT_TRUE(rollout.Do(RolloutAction::kResume));
  EXPECT_EQ(After(rollout, 1s), Change::kAdvanced);
  ASSERT_TRUE(rollout.Do(RolloutAction::kPause));
  for (int i = 0; i < 5; ++i) {
    rollout.NoteRequest(0);
    rollout.NoteFault(1, 1, "refused");
  }
  EXPECT_EQ(After(rollout, 1s), Change::kRolledBack);
}

TEST_F(RolloutTest, ByHandItGoesBackAndBeginsAnew) {
  Rollout rollout = Make();
  ASSERT_TRUE(rollout.Do(RolloutAction::kAdvance));
  EXPECT_EQ(*rollout.Do(RolloutAction::kRollBack), Change::kRolledBack);
  EXPECT_EQ(rollout.ToKeep().reason, "by hand");
  EXPECT_FALSE(rollout.Do(RolloutAction::kPause));
  EXPECT_EQ(*rollout.Do(RolloutAction::kAdvance), Change::kAdvanced);
  EXPECT_EQ(rollout.state(), State::kRunning);
  EXPECT_EQ(rollout.ToKeep().percent, 1U);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(rollout.Do(RolloutAction::kAdvance));
  }
  EXPECT_EQ(rollout.state(), State::kFinished);
  EXPECT_FALSE(rollout.Do(RolloutAction::kRollBack)) << "then it is the configuration's turn";
}

TEST_F(RolloutTest, GoesOnAfterARestartAndBeginsAnewForAnotherContract) {
  Rollout rollout = Make();
  ASSERT_TRUE(rollout.Do(RolloutAction::kAdvance));
  Good(rollout, 10, 10);
  After(rollout, 40min);
  Rollout next = Make();
  next.Restore(rollout.ToKeep());
  EXPECT_EQ(next.ToKeep(), rollout.ToKeep());
  now_ += 48h;  // the clock of another run
  EXPECT_EQ(After(next, 19min), Change::kNone);
  EXPECT_EQ(After(next, 1min), Change::kAdvanced);
  Rollout other(options_, "before@1.1");
  other.Restore(next.ToKeep());
  EXPECT_EQ(other.ToKeep().percent, 1U);
}

}  // namespace
}  // namespace packhorse::delivery
