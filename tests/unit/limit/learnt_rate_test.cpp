#include "limit/learnt_rate.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <limits>

#include "base/random.h"
#include "times.h"

namespace packhorse::limit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// A scripted API: the wait that it asks for where it refuses a request, none where it takes it.
using Api = std::function<std::optional<milliseconds>(MonoTime)>;

milliseconds WholeSeconds(nanoseconds wait) {
  return std::chrono::ceil<seconds>(std::max<nanoseconds>(wait, seconds(1)));
}

Api FixedWindow(std::uint64_t count, seconds per) {
  return [=, used = std::uint64_t{0}, begin = MonoTime{}](MonoTime now) mutable -> std::optional<milliseconds> {
    const MonoTime window{now.time_since_epoch() - now.time_since_epoch() % per};
    used = window == begin ? used : 0;
    begin = window;
    return ++used <= count ? std::nullopt : std::optional(WholeSeconds(window + per - now));
  };
}

Api SlidingWindow(std::size_t count, seconds per) {
  return [=, taken = std::deque<MonoTime>{}](MonoTime now) mutable -> std::optional<milliseconds> {
    while (!taken.empty() && taken.front() + per <= now) {
      taken.pop_front();
    }
    if (taken.size() >= count) {
      return WholeSeconds(taken.front() + per - now);
    }
    taken.push_back(now);
    return std::nullopt;
  };
}

Api TokenBucket(double burst, double per_second) {
  return [=, tokens = burst, at = MonoTime{}](MonoTime now) mutable -> std::optional<milliseconds> {
    tokens = std::min(burst, tokens + per_second * std::chrono::duration<double>(now - at).count());
    at = now;
    if (tokens < 1) {
      return WholeSeconds(
          std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>((1 - tokens) / per_second)));
    }
    tokens -= 1;
    return std::nullopt;
  };
}

// A sender with a backlog that never ends: one request after the other, each takes `latency`.
struct Sender {
  LearntRate rate;
  MonoTime now = kStart;
  std::uint64_t passed = 0;
  std::uint64_t refused = 0;

  void Run(const Api& api, nanoseconds time, milliseconds latency = milliseconds(20)) {
    const MonoTime end = now + time;
    while (now < end) {
      now = std::max(now, rate.NextAdmission(now));
      rate.Admit(now);
      const auto wait = api(now);
      now += latency;
      if (wait) {
        ++refused;
        rate.Refused(now, wait);
        now += *wait + *wait / 2;  // some of its own
      } else {
        ++passed;
        rate.Passed(now);
      }
    }
  }
};

struct Limit {
  const char* name;
  std::function<Api()> api;
  double per_second;
  double share = 0.9;
};

class HiddenLimit : public testing::TestWithParam<Limit> {};

TEST_P(HiddenLimit, IsLearntToATenthWithThreeRefusalsAndThenOneInSixHours) {
  const Api api = GetParam().api();
  Sender sender;
  sender.Run(api, hours(1));
  EXPECT_LE(sender.refused, 3U);
  ASSERT_TRUE(sender.rate.per_second());
  EXPECT_GE(*sender.rate.per_second(), GetParam().share * GetParam().per_second);
  EXPECT_LE(*sender.rate.per_second(), GetParam().per_second);
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t refused = sender.refused;
    const std::uint64_t passed = sender.passed;
    sender.Run(api, hours(6));
    EXPECT_LE(sender.refused - refused, 1U);
    EXPECT_GE(static_cast<double>(sender.passed - passed), GetParam().share * GetParam().per_second * 6 * 3'600);
  }
  EXPECT_LE(sender.rate.slot_count(), 64U);
}

INSTANTIATE_TEST_SUITE_P(
    Apis, HiddenLimit,
    testing::Values(Limit{"SixHundredAMinute", [] { return FixedWindow(600, seconds(60)); }, 10},
                    Limit{"TenASecond", [] { return FixedWindow(10, seconds(1)); }, 10, 0.8},
                    Limit{"SlidingSixtyAMinute", [] { return SlidingWindow(60, seconds(60)); }, 1},
                    Limit{"SlidingTwentyInTenSeconds", [] { return SlidingWindow(20, seconds(10)); }, 2},
                    Limit{"BucketOfHundredAndFiveASecond", [] { return TokenBucket(100, 5); }, 5},
                    Limit{"BucketOfThousandAndTwoASecond", [] { return TokenBucket(1'000, 2); }, 2}),
    [](const auto& each) { return each.param.name; });

TEST(LearntRateTest, LimitThatRisesIsFoundWithinDays) {
  Sender sender;
  sender.Run(FixedWindow(600, seconds(60)), hours(24));
  sender.Run(FixedWindow(1'200, seconds(60)), hours(96));
  EXPECT_GT(*sender.rate.per_second(), 17);
}

TEST(LearntRateTest, LimitThatFallsIsLearntWithThreeMoreRefusals) {
  Sender sender;
  sender.Run(FixedWindow(600, seconds(60)), hours(2));
  const std::uint64_t refused = sender.refused;
  sender.Run(FixedWindow(60, seconds(60)), hours(2));
  EXPECT_LE(sender.refused - refused, 3U);
  EXPECT_NEAR(*sender.rate.per_second(), 0.95, 0.06);
}

TEST(LearntRateTest, RefusalsThatHaveNothingToDoWithTheRateDoNotSlowItDownForLong) {
  Random random(7);
  Sender sender;
  sender.Run([&](MonoTime) { return random.Unit() < 0.25 ? std::optional(milliseconds(1'000)) : std::nullopt; },
             hours(6));
  EXPECT_GT(sender.passed, 6U * 3'600 / 2)
      << "without a pace, and a wait of 1.5 s for each refusal, it is two a second";
}

TEST(LearntRateTest, BurstAfterAnIdleDayIsNotTakenForTheRateOfTheDay) {
  LearntRate rate;
  MonoTime now = kStart;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    rate.Passed(now);
    now += minutes(1);
  }
  for (int i = 0; i < 600; ++i) {
    rate.Passed(now);
    now += milliseconds(10);
  }
  rate.Refused(now, seconds(54));
  EXPECT_NEAR(*rate.per_second(), 9.7, 0.5);
}

TEST(LearntRateTest, OneRefusalWithoutTrafficTeachesNothing) {
  LearntRate rate;
  rate.Passed(kStart);
  rate.Refused(kStart + seconds(1), seconds(30));
  EXPECT_FALSE(rate.per_second());
  EXPECT_EQ(rate.NextAdmission(kStart + seconds(1)), kStart + seconds(1));
}

// Twelve requests within 22 s, and then a refusal.
struct AfterTwelve {
  explicit AfterTwelve(milliseconds wait) {
    for (int i = 0; i < 12; ++i) {
      rate.Passed(now);
      now += seconds(2);
    }
    rate.Refused(now, wait);
    now += wait;
  }

  LearntRate rate;
  MonoTime now = kStart;
};

TEST(LearntRateTest, OneRefusalWithALongWaitTakesTheRateToATenthAtMost) {
  for (const milliseconds wait : {minutes(10), minutes(30)}) {
    const AfterTwelve after(wait);
    ASSERT_TRUE(after.rate.per_second());
    EXPECT_NEAR(*after.rate.per_second(), 0.05, 0.001);
    EXPECT_EQ(after.rate.ToKeep(), LearntRate::Kept{}) << "a restart forgets what is in doubt";
  }
}

TEST(LearntRateTest, WaitThatIsNotKeptTeachesNothing) {
  for (const milliseconds wait : {milliseconds(minutes(30)) + milliseconds(1), milliseconds(99'999'999'999'000)}) {
    EXPECT_FALSE(AfterTwelve(wait).rate.per_second());
  }
}

TEST(LearntRateTest, RateThatOneRefusalClaimsIsForgottenWhenMorePasses) {
  AfterTwelve after(minutes(10));
  Sender sender{after.rate, after.now};
  sender.Run([](MonoTime) { return std::nullopt; }, minutes(15));
  EXPECT_FALSE(sender.rate.per_second());
}

TEST(LearntRateTest, RateThatASecondRefusalShowsIsLearntWhole) {
  Sender sender;
  const Api api = FixedWindow(30, seconds(200));
  sender.Run(api, hours(1));
  EXPECT_LE(sender.refused, 3U);
  EXPECT_NEAR(*sender.rate.per_second(), 0.97 * 30 / 200, 0.002);
  EXPECT_EQ(sender.rate.ToKeep().per_second, *sender.rate.per_second());
  const std::uint64_t refused = sender.refused;
  sender.Run(api, hours(5));
  EXPECT_EQ(sender.refused, refused);
}

TEST(LearntRateTest, LimitWhoseFirstWaitIsNotKeptIsLearntFromTheNextRefusal) {
  Sender sender;
  sender.Run(FixedWindow(1'000, hours(1)), minutes(1));
  EXPECT_FALSE(sender.rate.per_second());
  sender.now = kStart + minutes(31);
  sender.rate.Refused(sender.now, minutes(29));
  EXPECT_TRUE(sender.rate.per_second());
}

TEST(LearntRateTest, WhatIsKeptIsInForceAfterARestart) {
  Sender sender;
  const Api api = FixedWindow(600, seconds(60));
  sender.Run(api, hours(1));
  Sender next;
  next.now = sender.now;
  next.rate.Restore(sender.rate.ToKeep(), next.now);
  next.Run(api, hours(5));
  EXPECT_EQ(next.refused, 0U);
  EXPECT_EQ(next.rate.ToKeep(), sender.rate.ToKeep());
}

TEST(LearntRateTest, NonsenseThatWasKeptIsNotTaken) {
  for (const double kept : {-1.0, 0.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    LearntRate rate;
    rate.Restore({kept}, kStart);
    EXPECT_FALSE(rate.per_second()) << kept;
  }
}

}  // namespace
}  // namespace packhorse::limit
