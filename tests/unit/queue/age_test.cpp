#include "queue/clock/age.h"

#include <gtest/gtest.h>

#include <string>

#include "queue/clock/clock_epochs.h"
#include "queue/clock/expiry.h"
#include "support/manual_clock.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

constexpr auto kYears = 24h * 3'650;

// A message each time, numbered from 1.
class AgeTest : public ::testing::Test {
 protected:
  AgeTest() { Open(); }

  void Open() {
    const ClockReading reading = ReadClocks(clock_);
    clock_epochs_.Begin({clock_.BootId(), reading.boot, reading.wall_at_boot, reading.synchronized},
                        {next_, next_, next_}, changes_);
  }
  // Switched off for so long, and on again.
  void Off(std::chrono::microseconds off, bool synchronized) {
    true_wall_ = clock_.Wall() + off;
    clock_.Reboot("boot-" + std::to_string(++boot_), synchronized ? true_wall_ : WallTime(30s));
    clock_.SetSynchronized(synchronized);
    Open();
  }
  Sequence Arrive() {
    clock_epochs_.Note(ReadClocks(clock_));
    arrived_.push_back(clock_.Boot());
    return next_++;
  }
  void Run(std::chrono::microseconds by) {
    clock_.Advance(by);
    clock_epochs_.Note(ReadClocks(clock_));
  }
  auto AgeOf(Sequence sequence, bool by_wall = true) const {
    return clock_epochs_.AgesAt(clock_.Boot(), by_wall).Of(Lane::kNormal, sequence, arrived_.at(sequence - 1));
  }

  test::ManualClock clock_;
  ClockEpochs clock_epochs_;
  ClockEpochChanges changes_;
  Sequence next_ = 1;
  std::vector<std::chrono::nanoseconds> arrived_;
  WallTime true_wall_{};
  int boot_ = 1;
};

TEST_F(AgeTest, OfThisBootIsTheTimeThatItRanWhateverTheWallClockDoes) {
  const Sequence message = Arrive();
  Run(10min);
  clock_.StepWall(kYears);
  Run(10min);
  clock_.StepWall(-2 * kYears);
  clock_.SetSynchronized(false);
  Run(10min);
  EXPECT_EQ(AgeOf(message), 30min);
}

TEST_F(AgeTest, SwitchedOffTimeCountsWhereTheClockIsSynchronisedOnBothSides) {
  const Sequence message = Arrive();
  Run(10min);
  Off(48h, true);
  Run(5min);
  EXPECT_EQ(AgeOf(message), 48h + 15min);
  EXPECT_EQ(AgeOf(message, false), 15min);
}

TEST_F(AgeTest, WithoutAClockOnOneSideOnlyTheRunningTimeCounts) {
  const Sequence synchronized = Arrive();
  Run(10min);
  Off(48h, false);
  const Sequence unsynchronized = Arrive();
  Run(10min);
  EXPECT_EQ(AgeOf(synchronized), 20min);
  Off(48h, true);
  Run(10min);
  EXPECT_EQ(AgeOf(unsynchronized), 20min);
  EXPECT_GE(AgeOf(synchronized), 30min);
}

TEST_F(AgeTest, ClockThatBecomesRightLaterTellsOfTheTimeBefore) {
  const Sequence message = Arrive();
  Run(10min);
  Off(48h, false);
  Run(20min);
  clock_.SetWall(true_wall_ + 20min);
  clock_.SetSynchronized(true);
  Run(0s);
  EXPECT_EQ(AgeOf(message), 48h + 30min);
}

TEST_F(AgeTest, SynchronisedClockThatLeapsForAWhileMakesNothingOlder) {
  const Sequence message = Arrive();
  Run(1h);
  for (const auto leap : {kYears, -kYears}) {
    clock_.StepWall(leap);
    Run(15s);
    clock_.StepWall(-leap);
    Run(15s);
  }
  EXPECT_EQ(AgeOf(message), 1h + 1min);
  Off(1h, true);
  clock_.StepWall(kYears);
  Run(15s);
  clock_.StepWall(-kYears);
  Run(15s);
  EXPECT_LE(AgeOf(message), 2h + 90s);
  EXPECT_GE(AgeOf(message), 1h + 90s);
}

TEST_F(AgeTest, BootThatSaysItBeganBeforeTheOneBeforeItEndedIsNotBelieved) {
  const Sequence first = Arrive();
  Run(1h);
  Off(-kYears, true);
  const Sequence second = Arrive();
  Run(1h);
  Off(kYears + 1h, true);
  Run(1h);
  EXPECT_LE(AgeOf(second), 3h);
  EXPECT_LE(AgeOf(first), 4h);
}

TEST_F(AgeTest, BootWithoutMessagesCountsForTheOnesBefore) {
  clock_.SetSynchronized(false);
  const Sequence message = Arrive();
  Run(10min);
  for (int i = 0; i < 5; ++i) {
    Off(48h, false);
    Run(10min);
  }
  EXPECT_EQ(AgeOf(message), 1h);
  EXPECT_LE(clock_epochs_.size(), 2U);
}

TEST_F(AgeTest, OfManyBootsTheOldestAreOneRowAndNothingBecomesOlderByThat) {
  clock_.SetSynchronized(false);
  std::vector<std::chrono::microseconds> before;
  for (int i = 0; i < 1'500; ++i) {
    Arrive();
    Run(1min);
    Off(10min, false);
  }
  EXPECT_LE(clock_epochs_.size(), 1'024U);
  for (Sequence message = 1; message < next_; ++message) {
    EXPECT_LE(AgeOf(message), 1min * static_cast<int>(next_ - message)) << message;
  }
  EXPECT_EQ(AgeOf(next_ - 1), 1min);
  EXPECT_GE(AgeOf(1), 1'000min) << "not as if it had come today";
}

TEST_F(AgeTest, RowOfAnEarlierReleaseAgesFromTheNextBoot) {
  ClockEpoch old;
  old.number = 1;
  old.boot_id = "before";
  old.from = {1, 1, 1};
  old.state = ClockEpoch::State::kAsStamped;
  old.several = true;
  clock_epochs_ = ClockEpochs();
  clock_epochs_.Add(old);
  next_ = 5;
  arrived_.assign(4, 100h);
  Off(1h, true);
  Run(1h);
  EXPECT_EQ(AgeOf(4), 1h);
}

TEST_F(AgeTest, WhoseRowIsForgottenIsAtLeastAsOldAsTheOldestRow) {
  const Sequence message = Arrive();
  Off(1h, true);
  Arrive();
  clock_epochs_.Forget({2, 2, 2}, changes_);
  Run(1h);
  EXPECT_EQ(AgeOf(message), 1h);
}

// --- when it may expire ---

class ExpiryRule : public AgeTest {
 protected:
  ExpiryRule() { expiry_.SetMaxAge(kMaxAge); }
  // As once a second, for so long; whether the message was due at the end.
  bool Look(Sequence message, std::chrono::microseconds run = 0s) {
    for (auto left = run; left > 0s; left -= 1min) {
      Once(message);
      Run(std::min<std::chrono::microseconds>(left, 1min));
    }
    return Once(message);
  }
  bool Once(Sequence message) {
    const ClockReading reading = ReadClocks(clock_);
    clock_epochs_.Note(reading);
    expiry_.Begin(clock_epochs_, reading, clock_.Mono());
    const bool due = expiry_.IsDue(1, Lane::kNormal, message, arrived_.at(message - 1));
    near_ = expiry_.End(true);
    return due;
  }

  static constexpr auto kMaxAge = 30h;
  Expiry expiry_;
  std::vector<Expiry::Near> near_;
};

TEST_F(ExpiryRule, IsToldAnHourAheadAndThenDue) {
  const Sequence message = Arrive();
  EXPECT_FALSE(Look(message, 28h + 59min));
  EXPECT_TRUE(near_.empty());
  EXPECT_FALSE(Look(message, 2min));
  ASSERT_EQ(near_.size(), 1U);
  EXPECT_EQ(near_.front().in, 59min);
  EXPECT_FALSE(near_.front().by_running_time);
  EXPECT_FALSE(Look(message, 58min));
  EXPECT_TRUE(Look(message, 1min));
}

TEST_F(ExpiryRule, WaitIsATenthOfAShortMaxAge) {
  EXPECT_EQ(Expiry::Wait(24h * 30), 1h);
  EXPECT_EQ(Expiry::Wait(1h), 6min);
}

TEST_F(ExpiryRule, AfterAStartNothingIsDueUntilTheClockHasBeenSynchronisedForAnHour) {
  const Sequence message = Arrive();
  Run(1h);
  Off(48h, false);
  clock_.SetWall(true_wall_);
  clock_.SetSynchronized(true);
  EXPECT_FALSE(Look(message, 59min));
  ASSERT_EQ(near_.size(), 1U) << "but told meanwhile";
  EXPECT_TRUE(Look(message, 2min));
}

TEST_F(ExpiryRule, StepOfTheClockSuspendsIt) {
  const Sequence message = Arrive();
  EXPECT_TRUE(Look(message, 31h));
  for (const auto step : {kYears, -kYears, std::chrono::hours(0) + 2h}) {
    clock_.StepWall(step);
    EXPECT_FALSE(Look(message)) << step.count();
    EXPECT_FALSE(Look(message, 59min)) << step.count();
    EXPECT_TRUE(Look(message, 2min)) << step.count();
  }
}

TEST_F(ExpiryRule, LeapOfYearsMakesNothingDueHoweverLongItLasts) {
  const Sequence before = Arrive();
  Run(10min);
  Off(1h, true);
  const Sequence message = Arrive();
  EXPECT_FALSE(Look(before, 2h));
  clock_.StepWall(kYears);
  EXPECT_FALSE(Look(before, 5h));
  EXPECT_FALSE(Look(message, 5h));
  EXPECT_TRUE(near_.empty()) << "nothing is near";
}

TEST_F(ExpiryRule, MachineThatIsNeverSynchronisedExpiresByItsRunningTimeAndSaysSo) {
  clock_.SetSynchronized(false);
  const Sequence message = Arrive();
  Run(10h);
  Off(100h, false);
  EXPECT_FALSE(Look(message, 19h + 30min));
  ASSERT_EQ(near_.size(), 1U);
  EXPECT_TRUE(near_.front().by_running_time);
  EXPECT_TRUE(Look(message, 31min));
}

TEST_F(ExpiryRule, AnotherMaxAgeIsToldAnew) {
  const Sequence message = Arrive();
  EXPECT_FALSE(Look(message, 10h));
  expiry_.SetMaxAge(5h);
  EXPECT_FALSE(Look(message, 29min));
  EXPECT_TRUE(Look(message, 1min));
}

TEST_F(ExpiryRule, WithoutALimitNothingIsDue) {
  expiry_.SetMaxAge(0ms);
  const Sequence message = Arrive();
  EXPECT_FALSE(Look(message, 31h));
  EXPECT_TRUE(near_.empty());
}

}  // namespace
}  // namespace packhorse::queue
