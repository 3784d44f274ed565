#include "queue/clock/clock_epochs.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

constexpr auto kNormal = Lane::kNormal;
const WallTime kStart{30s};  // what a clock without a battery shows when the machine starts
const WallTime kTrue{std::chrono::microseconds(1'795'162'531'500'000)};

class BootsTest : public ::testing::Test {
 protected:
  void Begin(const std::string& id, bool synchronized, Sequence next) {
    clock_.Reboot(id, synchronized ? kTrue : kStart);
    clock_.SetSynchronized(synchronized);
    Again(next);
  }
  // The daemon starts once more in the same boot.
  void Again(Sequence next) {
    clock_epochs_.Begin({clock_.BootId(), clock_.Boot(), WallAtBoot(clock_), clock_.Synchronized()}, {next, next, next},
                        changes_);
  }
  RawMessage Stamped() const {
    RawMessage message;
    message.received_at = clock_.Wall();
    message.boot_time = clock_.Boot();
    message.clock = clock_.Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
    return message;
  }
  void Learn() {
    clock_.SetWall(kTrue);
    clock_.SetSynchronized(true);
    clock_epochs_.Apply(
        ClockOp{clock_epochs_.current()->number, kNormal, 0, ClockOp::Learnt{WallAtBoot(clock_), clock_.Boot()}},
        changes_);
    clock_epochs_.Release();
  }
  RawMessage Shown(Sequence sequence, RawMessage message) const {
    clock_epochs_.Correct(kNormal, sequence, message);
    return message;
  }

  test::ManualClock clock_;
  ClockEpochs clock_epochs_;
  ClockEpochChanges changes_;
};

TEST_F(BootsTest, ClockRightFromTheStartLeavesNothingOpen) {
  Begin("a", true, 1);
  EXPECT_FALSE(clock_epochs_.OpenFrom(kNormal));
  EXPECT_EQ(Shown(1, Stamped()).received_at, clock_.Wall());
}

TEST_F(BootsTest, StampsBeforeTheFirstSyncAreCorrectedByTheBootTime) {
  Begin("a", false, 5);
  EXPECT_EQ(clock_epochs_.OpenFrom(kNormal), 5U);
  clock_.Advance(10s);
  const RawMessage early = Stamped();
  clock_.StepWall(-1h);  // a wrong clock that is set to another wrong time does not matter
  clock_.Advance(20s);
  const RawMessage later = Stamped();
  clock_.Advance(30s);
  Learn();
  EXPECT_FALSE(clock_epochs_.OpenFrom(kNormal));
  EXPECT_EQ(Shown(5, early).received_at, kTrue - 50s);
  EXPECT_EQ(Shown(5, early).received_at_raw, early.received_at);
  EXPECT_EQ(Shown(5, early).clock, ClockState::kRecovered);
  EXPECT_EQ(Shown(6, later).received_at, kTrue - 30s);
}

TEST_F(BootsTest, CorrectedTwiceIsCorrectedOnce) {
  Begin("a", false, 1);
  const RawMessage early = Stamped();
  clock_.Advance(1min);
  Learn();
  const RawMessage once = Shown(1, early);
  const RawMessage twice = Shown(1, once);
  EXPECT_EQ(twice.received_at, once.received_at);
  EXPECT_EQ(twice.received_at_raw, once.received_at_raw);
}

TEST_F(BootsTest, ClockThatLosesItsSourceLaterCorrectsNothing) {
  Begin("a", false, 1);
  clock_.Advance(10s);
  Learn();
  clock_.Advance(24h);
  clock_.SetSynchronized(false);
  const RawMessage late = Stamped();
  EXPECT_EQ(Shown(2, late).received_at, late.received_at);
  EXPECT_EQ(Shown(2, late).clock, ClockState::kUnsynchronized);
}

TEST_F(BootsTest, WhatWasLearntStaysWithheldUntilItIsReleased) {
  Begin("a", false, 3);
  clock_.SetSynchronized(true);
  clock_epochs_.Apply(ClockOp{1, kNormal, 0, ClockOp::Learnt{kTrue, 10s}}, changes_);
  EXPECT_EQ(clock_epochs_.OpenFrom(kNormal), 3U);
  clock_epochs_.Release();
  EXPECT_FALSE(clock_epochs_.OpenFrom(kNormal));
}

TEST_F(BootsTest, ReleasedAsStampedTheyAreNeverCorrectedButThoseBehindThemAre) {
  Begin("a", false, 1);
  const RawMessage message = Stamped();
  clock_epochs_.Apply(ClockOp{1, kNormal, 4, std::nullopt}, changes_);
  EXPECT_EQ(clock_epochs_.OpenFrom(kNormal), 5U);
  EXPECT_EQ(clock_epochs_.OpenFrom(Lane::kUrgent), 1U);
  clock_.Advance(10s);
  Learn();
  EXPECT_EQ(Shown(4, message).clock, ClockState::kUnsynchronized);
  EXPECT_EQ(Shown(5, message).clock, ClockState::kRecovered);
}

TEST_F(BootsTest, DecidedOnceItIsNotDecidedAgain) {
  Begin("a", false, 1);
  clock_.Advance(10s);
  Learn();
  const WallTime learnt = clock_epochs_.current()->wall_at_boot;
  EXPECT_FALSE(clock_epochs_.Check(ClockOp{1, kNormal, 9, std::nullopt}));
  clock_epochs_.Apply(ClockOp{1, kNormal, 9, ClockOp::Learnt{kTrue + 1h, 10s}}, changes_);
  EXPECT_EQ(clock_epochs_.current()->wall_at_boot, learnt);
  EXPECT_EQ(clock_epochs_.current()->as_stamped[At(kNormal)], 0U);
}

TEST_F(BootsTest, DaemonThatStartsAgainGoesOnWaitingAndMachineThatDoesGivesUp) {
  Begin("a", false, 1);
  const RawMessage message = Stamped();
  clock_.Advance(5s);
  Again(10);
  EXPECT_EQ(clock_epochs_.size(), 1U);
  EXPECT_EQ(clock_epochs_.OpenFrom(kNormal), 1U);
  Begin("b", false, 20);
  EXPECT_EQ(clock_epochs_.OpenFrom(kNormal), 20U);
  clock_.Advance(5s);
  Learn();
  EXPECT_EQ(Shown(10, message).clock, ClockState::kUnsynchronized);
  EXPECT_EQ(Shown(20, message).clock, ClockState::kRecovered);
}

TEST_F(BootsTest, WhereReleasesMayBeForgottenAllThatCameCountsAsReleased) {
  Begin("a", false, 1);
  const RawMessage message = Stamped();
  clock_.Advance(5s);
  clock_epochs_.Begin({"a", clock_.Boot(), WallAtBoot(clock_), false, true}, {1, 8, 1}, changes_);
  clock_.Advance(5s);
  Learn();
  EXPECT_EQ(Shown(7, message).clock, ClockState::kUnsynchronized);
  EXPECT_EQ(Shown(8, message).clock, ClockState::kRecovered);
}

TEST_F(BootsTest, BootTimeThatWentBackOrUnknownBootIdIsAnotherBoot) {
  clock_.Advance(1h);
  Begin("a", false, 1);
  clock_.Advance(1h);
  clock_epochs_.Begin({"a", -1s, kStart, false}, {5, 5, 5}, changes_);  // a snapshot of the machine
  EXPECT_EQ(clock_epochs_.OpenFrom(kNormal), 5U);
  Begin(std::string(kUnknownBoot), false, 9);
  Again(12);
  EXPECT_EQ(clock_epochs_.OpenFrom(kNormal), 12U);
}

TEST_F(BootsTest, BootsWithoutMessagesLeaveNoTrace) {
  Begin("a", false, 1);
  for (int i = 0; i < 50; ++i) {
    Begin("b" + std::to_string(i), i % 3 == 0, 7);
  }
  EXPECT_LE(clock_epochs_.size(), 2U);
  EXPECT_EQ(changes_.rbegin()->first, clock_epochs_.current()->number);
}

TEST_F(BootsTest, WithTooManyBootsTheNextOneNoLongerWaits) {
  Sequence next = 1;
  for (; clock_epochs_.size() < 1'024 && next < 5'000; ++next) {
    Begin("b" + std::to_string(next), false, next);
    clock_.Advance(1s);
    Learn();
  }
  Begin("last", false, next);
  EXPECT_FALSE(clock_epochs_.OpenFrom(kNormal));
  EXPECT_LE(clock_epochs_.size(), 1'025U);
}

TEST_F(BootsTest, OldestBootGoesOnceNoLaneNeedsItsMessages) {
  Begin("a", false, 1);
  clock_.Advance(1s);
  Learn();
  Begin("b", true, 10);
  clock_epochs_.Forget({10, 9, 10}, changes_);
  EXPECT_EQ(clock_epochs_.size(), 2U);
  clock_epochs_.Forget({10, 10, 10}, changes_);
  EXPECT_EQ(clock_epochs_.size(), 1U);
  EXPECT_FALSE(changes_.at(1));
  clock_epochs_.Forget({99, 99, 99}, changes_);  // this boot stays: more may come
  EXPECT_EQ(clock_epochs_.size(), 1U);
}

TEST_F(BootsTest, AgeOfWhatCameInThisBootDoesNotStepWithTheWallClock) {
  Begin("a", true, 1);
  const RawMessage message = Stamped();
  clock_.Advance(1min);
  EXPECT_EQ(clock_epochs_.Arrived(kNormal, 1, message, clock_), message.received_at);
  for (const auto step : {std::chrono::hours(-48), std::chrono::hours(24 * 365)}) {
    clock_.StepWall(step);
    EXPECT_EQ(clock_.Wall() - clock_epochs_.Arrived(kNormal, 1, message, clock_), 1min);
  }
  const WallTime arrived = clock_.Wall() - 1min;
  clock_.Reboot("b", clock_.Wall());
  clock_.SetSynchronized(true);
  Again(2);
  EXPECT_EQ(clock_epochs_.Arrived(kNormal, 1, message, clock_), message.received_at)
      << "the stamp of a clock that was right";
  clock_.Advance(1min);
  RawMessage stamped_wrongly = message;
  stamped_wrongly.received_at = clock_.Wall() + 24h * 365;
  EXPECT_LE(clock_epochs_.Arrived(kNormal, 1, stamped_wrongly, clock_), clock_.Wall() - 1min);
  EXPECT_GT(arrived, WallTime());
}

TEST_F(BootsTest, WhatAnEarlierBootStampedWithoutAClockIsShownByItsAge) {
  Begin("a", false, 1);
  const RawMessage message = Stamped();
  clock_.Advance(10min);
  clock_epochs_.Note(ReadClocks(clock_));
  Begin("b", true, 2);
  clock_.Advance(10min);
  EXPECT_EQ(clock_epochs_.Arrived(kNormal, 1, message, clock_), clock_.Wall() - 20min);
}

}  // namespace
}  // namespace packhorse::queue
