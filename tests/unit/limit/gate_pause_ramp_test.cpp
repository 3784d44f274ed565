#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/random.h"
#include "limit/gate.h"

namespace packhorse::limit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr MonoTime kStart{seconds(1'000)};
constexpr WallTime kWall{seconds(1'795'162'531)};

void Record(Gate& gate, Effect effect, MonoTime now, std::optional<milliseconds> retry_after = std::nullopt) {
  gate.Record(effect, "HTTP 404", retry_after, now, kWall + std::chrono::floor<seconds>(now - kStart));
}

TEST(GatePause, NothingIsSentUntilResumed) {
  Gate gate(GateOptions{}, 1);
  gate.Pause(std::nullopt, kWall);
  EXPECT_EQ(gate.state(), GateState::kPaused);
  EXPECT_FALSE(gate.MaySend(kStart));
  EXPECT_EQ(gate.NextSend(kStart), std::nullopt);
  EXPECT_EQ(gate.since(), kWall);
  EXPECT_THAT(gate.reason(), HasSubstr("paused"));
  gate.Tick(kStart + hours(1'000));
  EXPECT_EQ(gate.state(), GateState::kPaused);
  gate.Resume(kStart + hours(1'000));
  EXPECT_EQ(gate.state(), GateState::kOk);
  EXPECT_TRUE(gate.MaySend(kStart + hours(1'000)));
  EXPECT_EQ(gate.reason(), "");
}

TEST(GatePause, APauseWithAnEndEndsByItself) {
  Gate gate(GateOptions{}, 1);
  gate.Pause(kStart + hours(2));
  EXPECT_EQ(gate.NextSend(kStart), kStart + hours(2));
  gate.Tick(kStart + hours(2) - milliseconds(1));
  EXPECT_EQ(gate.state(), GateState::kPaused);
  EXPECT_TRUE(gate.MaySend(kStart + hours(2)));
  gate.Tick(kStart + hours(2));
  EXPECT_EQ(gate.state(), GateState::kOk);
}

TEST(GatePause, ReturnsToTheStateBeneathWithItsOwnReasonAndBeginning) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kHold, kStart);
  gate.Pause(kStart + seconds(10), kWall + seconds(5));
  EXPECT_EQ(gate.since(), kWall + seconds(5));
  gate.Tick(kStart + seconds(10));
  EXPECT_EQ(gate.state(), GateState::kHeld);
  EXPECT_EQ(gate.reason(), "HTTP 404");
  EXPECT_EQ(gate.since(), kWall);
  EXPECT_FALSE(gate.MaySend(kStart + seconds(10))) << "the end of a pause is no nudge";
}

TEST(GatePause, APauseThatEndsBeforeTheProbeDoesNotHastenIt) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kHold, kStart);
  const auto probe = gate.NextSend(kStart);
  gate.Pause(kStart + seconds(10));
  EXPECT_EQ(gate.NextSend(kStart), probe);
}

TEST(GatePause, ResumeProbesAHeldDestinationAtOnce) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kHold, kStart);
  gate.Pause(std::nullopt);
  gate.Resume(kStart + seconds(1));
  EXPECT_EQ(gate.state(), GateState::kHeld);
  EXPECT_TRUE(gate.MaySend(kStart + seconds(1)));
}

TEST(GatePause, RepliesOfRequestsInFlightStillCount) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kTransient, kStart);
  gate.Pause(std::nullopt);
  Record(gate, Effect::kSuccess, kStart + seconds(1));
  EXPECT_EQ(gate.state(), GateState::kPaused);
  EXPECT_FALSE(gate.MaySend(kStart + seconds(1)));
  gate.Resume(kStart + seconds(2));
  EXPECT_EQ(gate.state(), GateState::kOk);

  gate.Pause(std::nullopt);
  Record(gate, Effect::kHold, kStart + seconds(3));
  EXPECT_EQ(gate.state(), GateState::kPaused);
  gate.Tick(kStart + seconds(4));
  gate.Resume(kStart + seconds(4));
  EXPECT_EQ(gate.state(), GateState::kHeld);
}

TEST(GatePause, ANewPauseReplacesTheEndButNotTheBeginning) {
  Gate gate(GateOptions{}, 1);
  gate.Pause(kStart + seconds(10), kWall);
  gate.Pause(kStart + seconds(60), kWall + seconds(5));
  EXPECT_EQ(gate.NextSend(kStart), kStart + seconds(60));
  EXPECT_EQ(gate.since(), kWall);
}

TEST(GateRamp, AShortStumbleDoesNotRamp) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kTransient, kStart);
  Record(gate, Effect::kSuccess, kStart + seconds(10));
  EXPECT_EQ(gate.RampFactor(kStart + seconds(10)), 1.0);
}

TEST(GateRamp, AnOutageOfMoreThanTenSecondsRampsUpByDoubling) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kTransient, kStart);
  const MonoTime end = kStart + seconds(11);
  Record(gate, Effect::kSuccess, end);
  EXPECT_DOUBLE_EQ(gate.RampFactor(end), 0.1);
  EXPECT_DOUBLE_EQ(gate.RampFactor(end + milliseconds(1'999)), 0.1);
  EXPECT_DOUBLE_EQ(gate.RampFactor(end + seconds(2)), 0.2);
  EXPECT_DOUBLE_EQ(gate.RampFactor(end + seconds(4)), 0.4);
  EXPECT_DOUBLE_EQ(gate.RampFactor(end + seconds(6)), 0.8);
  EXPECT_DOUBLE_EQ(gate.RampFactor(end + seconds(8)), 1.0);
  EXPECT_DOUBLE_EQ(gate.RampFactor(end + hours(10'000)), 1.0);
}

TEST(GateRamp, ManyFailuresInAShortTimeRampToo) {
  Gate gate(GateOptions{}, 1);
  for (int i = 0; i < 6; ++i) {
    Record(gate, Effect::kTransient, kStart);
  }
  Record(gate, Effect::kSuccess, kStart + seconds(1));
  EXPECT_LT(gate.RampFactor(kStart + seconds(1)), 1.0);
}

TEST(GateRamp, AFailureDuringTheRampStartsItAgain) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kTransient, kStart);
  Record(gate, Effect::kSuccess, kStart + seconds(20));
  Record(gate, Effect::kTransient, kStart + seconds(25));
  Record(gate, Effect::kSuccess, kStart + seconds(27));
  EXPECT_DOUBLE_EQ(gate.RampFactor(kStart + seconds(27)), 0.1);
}

TEST(GateRamp, AReleasedHoldRamps) {
  Gate gate(GateOptions{}, 1);
  Record(gate, Effect::kHold, kStart);
  Record(gate, Effect::kSuccess, kStart + minutes(1));
  EXPECT_DOUBLE_EQ(gate.RampFactor(kStart + minutes(1)), 0.1);
}

TEST(GateRamp, OddOptionsStillEndAtFullRate) {
  for (const double start : {-1.0, 0.0, 0.5, 1.0, 7.0}) {
    Gate gate(GateOptions{.ramp_start = start}, 1);
    Record(gate, Effect::kTransient, kStart);
    Record(gate, Effect::kSuccess, kStart + seconds(20));
    EXPECT_GT(gate.RampFactor(kStart + seconds(20)), 0.0);
    EXPECT_LE(gate.RampFactor(kStart + seconds(20)), 1.0);
    EXPECT_EQ(gate.RampFactor(kStart + minutes(1)), 1.0);
  }
  Gate gate(GateOptions{.ramp_step = milliseconds(0)}, 1);
  Record(gate, Effect::kTransient, kStart);
  Record(gate, Effect::kSuccess, kStart + seconds(20));
  EXPECT_EQ(gate.RampFactor(kStart + seconds(20)), 1.0);
}

TEST(GateOptions, ZeroWaitsDoNotSpin) {
  Gate gate(GateOptions{.backoff_initial = milliseconds(0), .backoff_max = milliseconds(0)}, 1);
  Record(gate, Effect::kTransient, kStart);
  EXPECT_FALSE(gate.MaySend(kStart));
}

// Random sequences of everything that can happen, against the promises of the header.
TEST(GateProperty, WaitsAreConsistentWithinTheirCapsAndNeverTwoProbesWithinAHold) {
  const char* given = std::getenv("PACKHORSE_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : RandomSeed();
  SCOPED_TRACE("PACKHORSE_TEST_SEED=" + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    Gate gate(GateOptions{}, random.UpTo(1'000'000));
    MonoTime now = kStart;
    MonoTime earliest_probe{};  // while held, and not nudged since
    for (int i = 0; i < 300; ++i) {
      const GateState before = gate.state();
      const std::uint64_t action = random.UpTo(19);
      if (action == 0) {
        gate.Nudge(now);
        earliest_probe = MonoTime{};
      } else if (action == 1) {
        gate.Pause(random.UpTo(1) == 0 ? std::nullopt : std::optional(now + milliseconds(random.UpTo(60'000))), kWall);
      } else if (action == 2) {
        gate.Resume(now);
        earliest_probe = MonoTime{};
      } else if (action == 3) {
        gate.Tick(now);
      } else if (gate.MaySend(now) || random.UpTo(9) == 0) {  // now and then a reply of an earlier request
        if (gate.MaySend(now) && before == GateState::kHeld) {
          ASSERT_GE(now, earliest_probe);
          earliest_probe = now + seconds(54);  // hold_first less 10 %
        }
        const auto effect = static_cast<Effect>(random.UpTo(4));
        Record(gate, effect, now,
               random.UpTo(2) == 0 ? std::optional(milliseconds(random.UpTo(4'000'000))) : std::nullopt);
      } else if (const auto next = gate.NextSend(now); next && random.UpTo(1) == 0) {
        now = *next;
      } else {
        now += milliseconds(random.UpTo(5'000));
      }
      if (gate.state() != GateState::kHeld && gate.state() != GateState::kPaused) {
        earliest_probe = MonoTime{};
      }
      const auto next = gate.NextSend(now);
      ASSERT_EQ(gate.MaySend(now), next && *next <= now);
      ASSERT_TRUE(!next || *next >= now);
      if (gate.state() != GateState::kPaused) {
        ASSERT_TRUE(next);
        ASSERT_LE(*next - now, minutes(33));
        ASSERT_EQ(gate.reason().empty(), gate.state() == GateState::kOk);
        ASSERT_TRUE(gate.state() != GateState::kOk || gate.MaySend(now));
      }
      ASSERT_GT(gate.RampFactor(now), 0.0);
      ASSERT_LE(gate.RampFactor(now), 1.0);
    }
  }
}

TEST(GateNames, AreThoseOfStatus) {
  EXPECT_EQ(Name(GateState::kOk), "ok");
  EXPECT_EQ(Name(GateState::kRetrying), "retrying");
  EXPECT_EQ(Name(GateState::kThrottled), "throttled");
  EXPECT_EQ(Name(GateState::kHeld), "held");
  EXPECT_EQ(Name(GateState::kPaused), "paused");
  EXPECT_EQ(Name(static_cast<GateState>(99)), "unknown");
}

}  // namespace
}  // namespace packhorse::limit
