#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/random.h"
#include "limit/circuit_breaker.h"
#include "times.h"

namespace packhorse::limit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

void Record(CircuitBreaker& breaker, Effect effect, MonoTime now,
            std::optional<milliseconds> retry_after = std::nullopt) {
  breaker.Record(effect, "HTTP 404", retry_after, now, kWall + std::chrono::floor<seconds>(now - kStart));
}

TEST(CircuitBreakerPause, NothingIsSentUntilResumed) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  breaker.Pause(std::nullopt, kWall);
  EXPECT_EQ(breaker.state(), CircuitState::kPaused);
  EXPECT_FALSE(breaker.MaySend(kStart));
  EXPECT_EQ(breaker.NextSend(kStart), std::nullopt);
  EXPECT_EQ(breaker.since(), kWall);
  EXPECT_THAT(breaker.reason(), HasSubstr("paused"));
  breaker.Tick(kStart + hours(1'000));
  EXPECT_EQ(breaker.state(), CircuitState::kPaused);
  breaker.Resume(kStart + hours(1'000));
  EXPECT_EQ(breaker.state(), CircuitState::kOk);
  EXPECT_TRUE(breaker.MaySend(kStart + hours(1'000)));
  EXPECT_EQ(breaker.reason(), "");
}

TEST(CircuitBreakerPause, APauseWithAnEndEndsByItself) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  breaker.Pause(kStart + hours(2));
  EXPECT_EQ(breaker.NextSend(kStart), kStart + hours(2));
  breaker.Tick(kStart + hours(2) - milliseconds(1));
  EXPECT_EQ(breaker.state(), CircuitState::kPaused);
  EXPECT_TRUE(breaker.MaySend(kStart + hours(2)));
  breaker.Tick(kStart + hours(2));
  EXPECT_EQ(breaker.state(), CircuitState::kOk);
}

TEST(CircuitBreakerPause, ReturnsToTheStateBeneathWithItsOwnReasonAndBeginning) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kHold, kStart);
  breaker.Pause(kStart + seconds(10), kWall + seconds(5));
  EXPECT_EQ(breaker.since(), kWall + seconds(5));
  breaker.Tick(kStart + seconds(10));
  EXPECT_EQ(breaker.state(), CircuitState::kHeld);
  EXPECT_EQ(breaker.reason(), "HTTP 404");
  EXPECT_EQ(breaker.since(), kWall);
  EXPECT_FALSE(breaker.MaySend(kStart + seconds(10))) << "the end of a pause is no nudge";
}

TEST(CircuitBreakerPause, APauseThatEndsBeforeTheProbeDoesNotHastenIt) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kHold, kStart);
  const auto probe = breaker.NextSend(kStart);
  breaker.Pause(kStart + seconds(10));
  EXPECT_EQ(breaker.NextSend(kStart), probe);
}

TEST(CircuitBreakerPause, ResumeProbesAHeldDestinationAtOnce) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kHold, kStart);
  breaker.Pause(std::nullopt);
  breaker.Resume(kStart + seconds(1));
  EXPECT_EQ(breaker.state(), CircuitState::kHeld);
  EXPECT_TRUE(breaker.MaySend(kStart + seconds(1)));
}

TEST(CircuitBreakerPause, RepliesOfRequestsInFlightStillCount) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kTransient, kStart);
  breaker.Pause(std::nullopt);
  Record(breaker, Effect::kSuccess, kStart + seconds(1));
  EXPECT_EQ(breaker.state(), CircuitState::kPaused);
  EXPECT_FALSE(breaker.MaySend(kStart + seconds(1)));
  breaker.Resume(kStart + seconds(2));
  EXPECT_EQ(breaker.state(), CircuitState::kOk);

  breaker.Pause(std::nullopt);
  Record(breaker, Effect::kHold, kStart + seconds(3));
  EXPECT_EQ(breaker.state(), CircuitState::kPaused);
  breaker.Tick(kStart + seconds(4));
  breaker.Resume(kStart + seconds(4));
  EXPECT_EQ(breaker.state(), CircuitState::kHeld);
}

TEST(CircuitBreakerPause, ANewPauseReplacesTheEndButNotTheBeginning) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  breaker.Pause(kStart + seconds(10), kWall);
  breaker.Pause(kStart + seconds(60), kWall + seconds(5));
  EXPECT_EQ(breaker.NextSend(kStart), kStart + seconds(60));
  EXPECT_EQ(breaker.since(), kWall);
}

TEST(CircuitBreakerRamp, AShortStumbleDoesNotRamp) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kTransient, kStart);
  Record(breaker, Effect::kSuccess, kStart + seconds(10));
  EXPECT_EQ(breaker.RampFactor(kStart + seconds(10)), 1.0);
}

TEST(CircuitBreakerRamp, AnOutageOfMoreThanTenSecondsRampsUpByDoubling) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kTransient, kStart);
  const MonoTime end = kStart + seconds(11);
  Record(breaker, Effect::kSuccess, end);
  EXPECT_DOUBLE_EQ(breaker.RampFactor(end), 0.1);
  EXPECT_DOUBLE_EQ(breaker.RampFactor(end + milliseconds(1'999)), 0.1);
  EXPECT_DOUBLE_EQ(breaker.RampFactor(end + seconds(2)), 0.2);
  EXPECT_DOUBLE_EQ(breaker.RampFactor(end + seconds(4)), 0.4);
  EXPECT_DOUBLE_EQ(breaker.RampFactor(end + seconds(6)), 0.8);
  EXPECT_DOUBLE_EQ(breaker.RampFactor(end + seconds(8)), 1.0);
  EXPECT_DOUBLE_EQ(breaker.RampFactor(end + hours(10'000)), 1.0);
}

TEST(CircuitBreakerRamp, ManyFailuresInAShortTimeRampToo) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  for (int i = 0; i < 6; ++i) {
    Record(breaker, Effect::kTransient, kStart);
  }
  Record(breaker, Effect::kSuccess, kStart + seconds(1));
  EXPECT_LT(breaker.RampFactor(kStart + seconds(1)), 1.0);
}

TEST(CircuitBreakerRamp, AFailureDuringTheRampStartsItAgain) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kTransient, kStart);
  Record(breaker, Effect::kSuccess, kStart + seconds(20));
  Record(breaker, Effect::kTransient, kStart + seconds(25));
  Record(breaker, Effect::kSuccess, kStart + seconds(27));
  EXPECT_DOUBLE_EQ(breaker.RampFactor(kStart + seconds(27)), 0.1);
}

TEST(CircuitBreakerRamp, AReleasedHoldRamps) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 1);
  Record(breaker, Effect::kHold, kStart);
  Record(breaker, Effect::kSuccess, kStart + minutes(1));
  EXPECT_DOUBLE_EQ(breaker.RampFactor(kStart + minutes(1)), 0.1);
}

TEST(CircuitBreakerRamp, OddOptionsStillEndAtFullRate) {
  for (const double start : {-1.0, 0.0, 0.5, 1.0, 7.0}) {
    CircuitBreaker breaker(CircuitBreakerOptions{.ramp_start = start}, 1);
    Record(breaker, Effect::kTransient, kStart);
    Record(breaker, Effect::kSuccess, kStart + seconds(20));
    EXPECT_GT(breaker.RampFactor(kStart + seconds(20)), 0.0);
    EXPECT_LE(breaker.RampFactor(kStart + seconds(20)), 1.0);
    EXPECT_EQ(breaker.RampFactor(kStart + minutes(1)), 1.0);
  }
  CircuitBreaker breaker(CircuitBreakerOptions{.ramp_step = milliseconds(0)}, 1);
  Record(breaker, Effect::kTransient, kStart);
  Record(breaker, Effect::kSuccess, kStart + seconds(20));
  EXPECT_EQ(breaker.RampFactor(kStart + seconds(20)), 1.0);
}

TEST(CircuitBreakerOptions, ZeroWaitsDoNotSpin) {
  CircuitBreaker breaker(CircuitBreakerOptions{.backoff_initial = milliseconds(0), .backoff_max = milliseconds(0)}, 1);
  Record(breaker, Effect::kTransient, kStart);
  EXPECT_FALSE(breaker.MaySend(kStart));
}

// Random sequences of everything that can happen, against the promises of the header.
TEST(CircuitBreakerProperty, WaitsAreConsistentWithinTheirCapsAndNeverTwoProbesWithinAHold) {
  const char* given = std::getenv("PACKHORSE_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : RandomSeed();
  SCOPED_TRACE("PACKHORSE_TEST_SEED=" + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    CircuitBreaker breaker(CircuitBreakerOptions{}, random.UpTo(1'000'000));
    MonoTime now = kStart;
    MonoTime earliest_probe{};  // while held, and not nudged since
    for (int i = 0; i < 300; ++i) {
      const CircuitState before = breaker.state();
      const std::uint64_t action = random.UpTo(19);
      if (action == 0) {
        breaker.Nudge(now);
        earliest_probe = MonoTime{};
      } else if (action == 1) {
        breaker.Pause(random.UpTo(1) == 0 ? std::nullopt : std::optional(now + milliseconds(random.UpTo(60'000))),
                      kWall);
      } else if (action == 2) {
        breaker.Resume(now);
        earliest_probe = MonoTime{};
      } else if (action == 3) {
        breaker.Tick(now);
      } else if (breaker.MaySend(now) || random.UpTo(9) == 0) {  // now and then a reply of an earlier request
        if (breaker.MaySend(now) && before == CircuitState::kHeld) {
          ASSERT_GE(now, earliest_probe);
          earliest_probe = now + seconds(54);  // hold_first less 10 %
        }
        const auto effect = static_cast<Effect>(random.UpTo(4));
        Record(breaker, effect, now,
               random.UpTo(2) == 0 ? std::optional(milliseconds(random.UpTo(4'000'000))) : std::nullopt);
      } else if (const auto next = breaker.NextSend(now); next && random.UpTo(1) == 0) {
        now = *next;
      } else {
        now += milliseconds(random.UpTo(5'000));
      }
      if (breaker.state() != CircuitState::kHeld && breaker.state() != CircuitState::kPaused) {
        earliest_probe = MonoTime{};
      }
      const auto next = breaker.NextSend(now);
      ASSERT_EQ(breaker.MaySend(now), next && *next <= now);
      ASSERT_TRUE(!next || *next >= now);
      if (breaker.state() != CircuitState::kPaused) {
        ASSERT_TRUE(next);
        ASSERT_LE(*next - now, minutes(33));
        ASSERT_EQ(breaker.reason().empty(), breaker.state() == CircuitState::kOk);
        ASSERT_TRUE(breaker.state() != CircuitState::kOk || breaker.MaySend(now));
      }
      ASSERT_GT(breaker.RampFactor(now), 0.0);
      ASSERT_LE(breaker.RampFactor(now), 1.0);
    }
  }
}

TEST(CircuitStateNames, AreThoseOfStatus) {
  EXPECT_EQ(Name(CircuitState::kOk), "ok");
  EXPECT_EQ(Name(CircuitState::kRetrying), "retrying");
  EXPECT_EQ(Name(CircuitState::kThrottled), "throttled");
  EXPECT_EQ(Name(CircuitState::kHeld), "held");
  EXPECT_EQ(Name(CircuitState::kPaused), "paused");
  EXPECT_EQ(Name(static_cast<CircuitState>(99)), "unknown");
}

}  // namespace
}  // namespace packhorse::limit
