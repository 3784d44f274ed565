#include "limit/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "times.h"

namespace packhorse::limit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

// Waits that were asked for are exact; that they are spread has tests of its own.
CircuitBreakerOptions Exact() {
  CircuitBreakerOptions options;
  options.wait_spread = 0;
  return options;
}

class CircuitBreakerTest : public testing::Test {
 protected:
  void Record(Effect effect, const std::string& reason = "why",
              std::optional<milliseconds> retry_after = std::nullopt) {
    breaker_.Record(effect, reason, retry_after, now_, wall_);
  }
  void Advance(milliseconds by) {
    now_ += by;
    wall_ += by;
  }
  milliseconds Wait() const { return std::chrono::ceil<milliseconds>(*breaker_.NextSend(now_) - now_); }
  // Waits for the next probe, which fails like this.
  void Probe(Effect effect, const std::string& reason = "why") {
    Advance(Wait());
    ASSERT_TRUE(breaker_.MaySend(now_));
    Record(effect, reason);
  }

  CircuitBreaker breaker_{Exact(), 7};
  MonoTime now_ = kStart;
  WallTime wall_ = kWall;
};

TEST_F(CircuitBreakerTest, ANewBreakerIsClosedAndOk) {
  EXPECT_EQ(breaker_.state(), CircuitState::kOk);
  EXPECT_TRUE(breaker_.MaySend(now_));
  EXPECT_EQ(breaker_.NextSend(now_), now_);
  EXPECT_EQ(breaker_.MaxInFlight(4), 4U);
  EXPECT_EQ(breaker_.reason(), "");
  EXPECT_EQ(breaker_.RampFactor(now_), 1.0);
  EXPECT_EQ(breaker_.since(), WallTime{});
}

TEST_F(CircuitBreakerTest, AFirstSuccessTellsSinceWhenItIsOk) {
  Record(Effect::kSuccess);
  EXPECT_EQ(breaker_.state(), CircuitState::kOk);
  EXPECT_EQ(breaker_.since(), wall_);
  Advance(seconds(5));
  Record(Effect::kSuccess);
  EXPECT_EQ(breaker_.since(), kWall);
}

TEST_F(CircuitBreakerTest, ATransientFailureBacksOffWithinTheFirstStep) {
  Record(Effect::kTransient, "HTTP 500");
  EXPECT_EQ(breaker_.state(), CircuitState::kRetrying);
  EXPECT_EQ(breaker_.reason(), "HTTP 500");
  EXPECT_FALSE(breaker_.MaySend(now_));
  EXPECT_GE(Wait(), milliseconds(100));
  EXPECT_LE(Wait(), milliseconds(1'000));
}

TEST_F(CircuitBreakerTest, BackoffStepsDoubleUpToTheCapAndNeverFallBelowATenth) {
  milliseconds step(1'000);
  for (int i = 0; i < 30; ++i) {
    Probe(Effect::kTransient);
    EXPECT_GE(Wait(), step / 10) << i;
    EXPECT_LE(Wait(), step) << i;
    step = std::min(step * 2, milliseconds(60'000));
  }
}

TEST_F(CircuitBreakerTest, FullJitterUsesTheWholeStep) {
  milliseconds least = milliseconds::max();
  milliseconds most{};
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    CircuitBreaker breaker(CircuitBreakerOptions{}, seed);
    breaker.Record(Effect::kTransient, "", std::nullopt, kStart, kWall);
    const auto wait = std::chrono::ceil<milliseconds>(*breaker.NextSend(kStart) - kStart);
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_LT(least, milliseconds(150));
  EXPECT_GT(most, milliseconds(950));
}

TEST_F(CircuitBreakerTest, ATransientFailureMayNameALongerWait) {
  Record(Effect::kTransient, "HTTP 500", seconds(90));
  EXPECT_EQ(Wait(), seconds(90));
  EXPECT_EQ(breaker_.state(), CircuitState::kRetrying);
}

TEST_F(CircuitBreakerTest, SinceIsTheBeginningOfTheTroubleNotTheLastFailure) {
  Record(Effect::kTransient, "HTTP 500");
  for (int i = 0; i < 5; ++i) {
    Probe(Effect::kTransient, "HTTP 502");
  }
  Probe(Effect::kUnreachable, "connection refused");
  EXPECT_EQ(breaker_.since(), kWall);
  EXPECT_EQ(breaker_.reason(), "connection refused");
  EXPECT_EQ(breaker_.state(), CircuitState::kRetrying);
}

TEST_F(CircuitBreakerTest, RequestsThatFailTogetherAreOneFailureForTheBackoff) {
  for (int i = 0; i < 4; ++i) {
    Record(Effect::kTransient);
  }
  EXPECT_LE(Wait(), milliseconds(1'000));
  EXPECT_EQ(breaker_.consecutive_failures(), 4U);
}

TEST_F(CircuitBreakerTest, AfterFiveConsecutiveFailuresOneRequestAtATimeProbes) {
  for (int i = 0; i < 4; ++i) {
    Probe(Effect::kTransient);
    EXPECT_EQ(breaker_.MaxInFlight(8), 8U);
  }
  Probe(Effect::kTransient);
  EXPECT_EQ(breaker_.MaxInFlight(8), 1U);
  EXPECT_EQ(breaker_.MaxInFlight(0), 0U);
  Probe(Effect::kSuccess);
  EXPECT_EQ(breaker_.MaxInFlight(8), 8U);
  EXPECT_EQ(breaker_.consecutive_failures(), 0U);
}

TEST_F(CircuitBreakerTest, AnUnreachableCloudIsProbedAtMostFiveSecondsApartForHours) {
  const MonoTime end = now_ + hours(5);
  int probes = 0;
  while (now_ < end) {
    Probe(Effect::kUnreachable);
    ++probes;
    ASSERT_LE(Wait(), seconds(5));
    ASSERT_GE(Wait(), milliseconds(100));
  }
  EXPECT_LT(probes, 5 * 3600);
  EXPECT_EQ(breaker_.since(), kWall);
}

TEST_F(CircuitBreakerTest, AReplyAfterALongUnreachableTimeStartsAtASmallBackoff) {
  for (int i = 0; i < 100; ++i) {
    Probe(Effect::kUnreachable);
  }
  Probe(Effect::kTransient);
  EXPECT_LE(Wait(), seconds(8));
}

TEST_F(CircuitBreakerTest, SuccessEndsEveryWaitAndSaysSinceWhen) {
  for (int i = 0; i < 3; ++i) {
    Probe(Effect::kTransient);
  }
  Advance(Wait());
  Record(Effect::kSuccess, "HTTP 200 OK");
  EXPECT_EQ(breaker_.state(), CircuitState::kOk);
  EXPECT_EQ(breaker_.reason(), "");
  EXPECT_EQ(breaker_.since(), wall_);
  EXPECT_TRUE(breaker_.MaySend(now_));
  Record(Effect::kTransient);
  EXPECT_LE(Wait(), milliseconds(1'000)) << "the backoff starts again at its first step";
}

TEST_F(CircuitBreakerTest, ALateSuccessEndsARunningBackoff) {
  Record(Effect::kTransient);
  Record(Effect::kSuccess);
  EXPECT_TRUE(breaker_.MaySend(now_));
}

struct ThrottleCase {
  std::string name;
  std::optional<milliseconds> asked;
  milliseconds least;
  milliseconds most;
  std::string note;
};
class ThrottleTest : public testing::TestWithParam<ThrottleCase> {};

TEST_P(ThrottleTest, WaitsAsToldWithinBounds) {
  CircuitBreaker breaker(Exact(), 3);
  breaker.Record(Effect::kThrottled, "HTTP 429 Too Many Requests", GetParam().asked, kStart, kWall);
  EXPECT_EQ(breaker.state(), CircuitState::kThrottled);
  EXPECT_EQ(breaker.consecutive_failures(), 0U) << "the breaker does not count throttling";
  EXPECT_EQ(breaker.MaxInFlight(8), 1U);
  const auto wait = *breaker.NextSend(kStart) - kStart;
  EXPECT_GE(wait, GetParam().least);
  EXPECT_LE(wait, GetParam().most);
  EXPECT_EQ(breaker.reason(), "HTTP 429 Too Many Requests" + GetParam().note);
}

INSTANTIATE_TEST_SUITE_P(Table, ThrottleTest,
                         testing::Values(ThrottleCase{"NotToldBacksOff", std::nullopt, seconds(1), seconds(1), ""},
                                         ThrottleCase{"Zero", milliseconds(0), seconds(1), seconds(1), ""},
                                         ThrottleCase{"Negative", seconds(-5), seconds(1), seconds(1), ""},
                                         ThrottleCase{"HalfASecond", milliseconds(500), seconds(1), seconds(1), ""},
                                         ThrottleCase{"ExactlyAsTold", seconds(17), seconds(17), seconds(17), ""},
                                         ThrottleCase{"ExactlyTheMost", minutes(30), minutes(30), minutes(30), ""},
                                         ThrottleCase{"TwoHoursIsClamped", hours(2), minutes(30), minutes(30),
                                                      " (waiting 30m instead of the 2h it asked for)"},
                                         ThrottleCase{
                                             "ForEverIsClamped", milliseconds::max(), minutes(30), minutes(30),
                                             " (waiting 30m instead of the 9223372036854775807ms it asked for)"}),
                         [](const auto& test) { return test.param.name; });

TEST_F(CircuitBreakerTest, ThrottlingWithoutATimeBacksOffFurtherEachTime) {
  for (const std::optional<milliseconds> asked : {std::optional<milliseconds>(), std::optional(milliseconds(0))}) {
    Probe(Effect::kSuccess);
    milliseconds longest{};
    for (int i = 0; i < 20; ++i) {
      now_ = *breaker_.NextSend(now_);
      Record(Effect::kThrottled, "HTTP 429", asked);
      EXPECT_LE(Wait(), seconds(60));
      EXPECT_GE(Wait(), seconds(1));
      longest = std::max(longest, Wait());
    }
    EXPECT_GT(longest, seconds(10));
  }
}

TEST_F(CircuitBreakerTest, ASuccessFromBeforeDoesNotEndAWaitThatWasAskedFor) {
  Record(Effect::kThrottled, "HTTP 429", seconds(30));
  Record(Effect::kSuccess);
  EXPECT_EQ(breaker_.state(), CircuitState::kThrottled);
  EXPECT_EQ(Wait(), seconds(30));
  Advance(seconds(30));
  EXPECT_TRUE(breaker_.MaySend(now_));
  Record(Effect::kSuccess);
  EXPECT_EQ(breaker_.state(), CircuitState::kOk);
}

TEST_F(CircuitBreakerTest, OfTwoWaitsThatWereAskedForTheLongerHolds) {
  Record(Effect::kThrottled, "HTTP 429", seconds(30));
  Record(Effect::kThrottled, "HTTP 429", seconds(10));
  EXPECT_EQ(Wait(), seconds(30));
  Record(Effect::kThrottled, "HTTP 429", seconds(40));
  EXPECT_EQ(Wait(), seconds(40));
}

TEST_F(CircuitBreakerTest, AFailureFromBeforeDoesNotChangeAWaitThatWasAskedFor) {
  Record(Effect::kThrottled, "HTTP 429", seconds(30));
  Record(Effect::kTransient, "HTTP 500");
  EXPECT_EQ(breaker_.state(), CircuitState::kThrottled);
  EXPECT_EQ(Wait(), seconds(30));
}

TEST_F(CircuitBreakerTest, SuccessWithAnExhaustedRateLimitWaits) {
  Record(Effect::kSuccess, "", seconds(12));
  EXPECT_EQ(breaker_.state(), CircuitState::kThrottled);
  EXPECT_EQ(Wait(), seconds(12));
  EXPECT_THAT(breaker_.reason(), HasSubstr("rate limit"));
  Advance(seconds(12));
  Record(Effect::kSuccess);
  EXPECT_EQ(breaker_.state(), CircuitState::kOk);
}

TEST_F(CircuitBreakerTest, SuccessWithAWaitOfNothingIsASuccess) {
  for (const milliseconds none : {milliseconds(0), milliseconds(-1)}) {
    Record(Effect::kSuccess, "", none);
    EXPECT_EQ(breaker_.state(), CircuitState::kOk);
    EXPECT_TRUE(breaker_.MaySend(now_));
  }
}

TEST_F(CircuitBreakerTest, EachEscalationHasItsOwnBeginning) {
  Record(Effect::kTransient, "HTTP 500");
  Advance(Wait());
  const WallTime throttled = wall_;
  Record(Effect::kThrottled, "HTTP 429", seconds(5));
  EXPECT_EQ(breaker_.since(), throttled);
  Advance(Wait());
  const WallTime held = wall_;
  Record(Effect::kHold, "HTTP 404");
  EXPECT_EQ(breaker_.since(), held);
  Probe(Effect::kHold, "HTTP 404");
  EXPECT_EQ(breaker_.since(), held);
}

void ExpectAbout(milliseconds wait, milliseconds expected) {
  EXPECT_GE(wait, expected - expected / 10);
  EXPECT_LE(wait, expected + expected / 10);
}

TEST_F(CircuitBreakerTest, AHeldDestinationProbesAfterOneFiveFifteenThenEveryThirtyMinutes) {
  Record(Effect::kHold, "HTTP 404 Not Found");
  EXPECT_EQ(breaker_.state(), CircuitState::kHeld);
  EXPECT_EQ(breaker_.MaxInFlight(8), 1U);
  for (const int expected : {1, 5, 15, 30, 30, 30}) {
    ExpectAbout(Wait(), minutes(expected));
    Probe(Effect::kHold, "HTTP 404 Not Found");
  }
  EXPECT_EQ(breaker_.since(), kWall);
}

TEST_F(CircuitBreakerTest, HoldProbesAreJittered) {
  std::set<milliseconds::rep> waits;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    CircuitBreaker breaker(CircuitBreakerOptions{}, seed);
    breaker.Record(Effect::kHold, "", std::nullopt, kStart, kWall);
    waits.insert(std::chrono::ceil<milliseconds>(*breaker.NextSend(kStart) - kStart).count());
  }
  EXPECT_GT(waits.size(), 40U);
}

class HeldProbeTest : public testing::TestWithParam<Effect> {};

TEST_P(HeldProbeTest, AnythingButSuccessStaysHeldWithTheNextWait) {
  CircuitBreaker breaker(CircuitBreakerOptions{}, 5);
  breaker.Record(Effect::kHold, "HTTP 401 Unauthorized", std::nullopt, kStart, kWall);
  const MonoTime probe = *breaker.NextSend(kStart);
  breaker.Record(GetParam(), "other", std::nullopt, probe, kWall + minutes(1));
  EXPECT_EQ(breaker.state(), CircuitState::kHeld);
  EXPECT_EQ(breaker.since(), kWall);
  EXPECT_EQ(breaker.MaxInFlight(8), 1U);
  ExpectAbout(std::chrono::ceil<milliseconds>(*breaker.NextSend(probe) - probe), minutes(5));
  if (GetParam() == Effect::kHold) {
    EXPECT_EQ(breaker.reason(), "other");
  } else {
    EXPECT_EQ(breaker.reason(), "HTTP 401 Unauthorized (last probe: other)");
  }
}

INSTANTIATE_TEST_SUITE_P(Effects, HeldProbeTest,
                         testing::Values(Effect::kTransient, Effect::kUnreachable, Effect::kThrottled, Effect::kHold));

TEST_F(CircuitBreakerTest, TheReasonOfAHoldDoesNotGrowWithEachProbe) {
  Record(Effect::kHold, "HTTP 404");
  for (int i = 0; i < 50; ++i) {
    Probe(Effect::kTransient, "HTTP 500");
  }
  EXPECT_EQ(breaker_.reason(), "HTTP 404 (last probe: HTTP 500)");
}

TEST_F(CircuitBreakerTest, AHugeReasonIsCut) {
  Record(Effect::kHold, std::string(100'000, 'x'));
  EXPECT_LE(breaker_.reason().size(), 1'024U);
  Probe(Effect::kTransient, std::string(100'000, 'y'));
  EXPECT_LE(breaker_.reason().size(), 1'024U);
}

TEST_F(CircuitBreakerTest, RepliesFromBeforeTheHoldDoNotMoveTheProbe) {
  Record(Effect::kHold, "HTTP 404");
  const auto next = breaker_.NextSend(now_);
  Record(Effect::kHold, "HTTP 404");
  Record(Effect::kTransient, "HTTP 500");
  Record(Effect::kThrottled, "HTTP 429", seconds(5));
  EXPECT_EQ(breaker_.NextSend(now_), next);
  EXPECT_EQ(breaker_.reason(), "HTTP 404");
}

TEST_F(CircuitBreakerTest, AHeldDestinationObeysALongerRetryAfter) {
  Record(Effect::kHold, "HTTP 404");
  Advance(Wait());
  Record(Effect::kThrottled, "HTTP 429", minutes(20));
  EXPECT_EQ(Wait(), minutes(20));
}

TEST_F(CircuitBreakerTest, SuccessReleasesAHold) {
  Record(Effect::kHold, "HTTP 404");
  Probe(Effect::kSuccess);
  EXPECT_EQ(breaker_.state(), CircuitState::kOk);
  EXPECT_EQ(breaker_.reason(), "");
  EXPECT_EQ(breaker_.MaxInFlight(8), 8U);
}

TEST_F(CircuitBreakerTest, ANudgeProbesAHeldDestinationAtOnceAndStartsTheWaitsAgain) {
  Record(Effect::kHold, "HTTP 404");
  for (int i = 0; i < 4; ++i) {
    Probe(Effect::kHold, "HTTP 404");
  }
  breaker_.Nudge(now_);
  EXPECT_TRUE(breaker_.MaySend(now_));
  EXPECT_EQ(breaker_.state(), CircuitState::kHeld);
  EXPECT_EQ(breaker_.MaxInFlight(8), 1U);
  EXPECT_EQ(breaker_.since(), kWall);
  Record(Effect::kHold, "HTTP 404");
  ExpectAbout(Wait(), minutes(1));
}

TEST_F(CircuitBreakerTest, ANudgeEndsABackoff) {
  for (int i = 0; i < 10; ++i) {
    Probe(Effect::kTransient);
  }
  breaker_.Nudge(now_);
  EXPECT_TRUE(breaker_.MaySend(now_));
  EXPECT_EQ(breaker_.state(), CircuitState::kRetrying);
}

TEST_F(CircuitBreakerTest, ANudgeEndsAWaitThatWasAskedForOnce) {
  Record(Effect::kThrottled, "HTTP 429", minutes(30));
  breaker_.Nudge(now_);
  EXPECT_TRUE(breaker_.MaySend(now_));
  EXPECT_EQ(breaker_.state(), CircuitState::kThrottled);
  EXPECT_EQ(breaker_.MaxInFlight(8), 1U);
  Record(Effect::kThrottled, "HTTP 429", minutes(30));
  EXPECT_EQ(Wait(), minutes(30));
}

TEST_F(CircuitBreakerTest, WaitsThatWereAskedForAreSpreadAndNeverShorter) {
  for (const Effect effect : {Effect::kThrottled, Effect::kTransient, Effect::kHold}) {
    std::set<std::int64_t> tenths;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      CircuitBreaker breaker(CircuitBreakerOptions{}, seed);
      breaker.Record(effect, "HTTP 503", seconds(90), kStart, kWall);
      const auto wait = *breaker.NextSend(kStart) - kStart;
      ASSERT_GE(wait, seconds(90));
      ASSERT_LE(wait, seconds(150));
      tenths.insert((wait - seconds(90)) / seconds(6));
    }
    EXPECT_GE(tenths.size(), 10U);
  }
}

TEST_F(CircuitBreakerTest, TheWaitOfAnExhaustedRateLimitIsSpreadLess) {
  milliseconds longest{};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CircuitBreaker breaker(CircuitBreakerOptions{}, seed);
    breaker.Record(Effect::kSuccess, "", seconds(12), kStart, kWall);
    const auto wait = std::chrono::ceil<milliseconds>(*breaker.NextSend(kStart) - kStart);
    ASSERT_GE(wait, seconds(12));
    longest = std::max(longest, wait);
  }
  EXPECT_GT(longest, seconds(14));
  EXPECT_LE(longest, seconds(15));
}

TEST_F(CircuitBreakerTest, ASuccessorGoesOnWhereTheOldOneStood) {
  Record(Effect::kThrottled, "HTTP 429", seconds(30));
  Advance(seconds(10));
  CircuitBreaker next(CircuitBreakerOptions{}, 9);
  next.TakeOver(breaker_);
  EXPECT_EQ(next.state(), CircuitState::kThrottled);
  EXPECT_EQ(next.reason(), "HTTP 429");
  EXPECT_EQ(next.since(), kWall);
  EXPECT_EQ(next.NextSend(now_), breaker_.NextSend(now_));
}

TEST_F(CircuitBreakerTest, ANudgeWhenOkChangesNothing) {
  breaker_.Nudge(now_);
  EXPECT_EQ(breaker_.state(), CircuitState::kOk);
  EXPECT_TRUE(breaker_.MaySend(now_));
}

}  // namespace
}  // namespace packhorse::limit
