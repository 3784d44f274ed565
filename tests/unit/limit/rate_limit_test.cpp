#include "limit/rate_limit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <vector>

#include "base/random.h"

namespace packhorse::limit {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using Unit = Window::Unit;

constexpr MonoTime kBegin{seconds(1'000)};

// Every run tries other sequences; PACKHORSE_TEST_SEED repeats one.
std::uint64_t Seed() {
  const char* given = std::getenv("PACKHORSE_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : RandomSeed();
}

struct Admission {
  MonoTime at;
  Cost cost;
};

std::uint64_t Amount(const Cost& cost, Unit unit) {
  return unit == Unit::kRequests ? cost.requests : unit == Unit::kRecords ? cost.records : cost.bytes;
}

// The definition, by brute force: for each admission, the sum over the interval of the window's length that begins with
// it. An admission that alone exceeds the window must be alone in its interval.
void ExpectWithinWindow(const std::vector<Admission>& admissions, const Window& window) {
  for (std::size_t first = 0; first < admissions.size(); ++first) {
    std::uint64_t sum = 0;
    std::size_t members = 0;
    for (std::size_t i = first; i < admissions.size() && admissions[i].at - admissions[first].at <= window.per; ++i) {
      const std::uint64_t amount = Amount(admissions[i].cost, window.unit);
      sum += amount;
      members += amount > 0 ? 1 : 0;
    }
    ASSERT_TRUE(sum <= window.count || members <= 1)
        << sum << " of " << window.count << " in " << window.per.count() << " ms from admission " << first;
  }
}

TEST(RateLimit, WithoutWindowsEverythingGoesAtOnce) {
  RateLimit limit({});
  limit.Admit(Cost{}, kBegin);
  EXPECT_EQ(limit.NextAdmission(Cost{}, kBegin), kBegin);
}

TEST(RateLimit, BurstUpToTheLimitGoesAtOnce) {
  RateLimit limit({{Unit::kRequests, 5, seconds(10)}});
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(limit.NextAdmission(Cost{}, kBegin), kBegin);
    limit.Admit(Cost{}, kBegin);
  }
  EXPECT_GT(limit.NextAdmission(Cost{}, kBegin), kBegin);
}

TEST(RateLimit, BurstOverLimitWaitsForTheWindowToPass) {
  RateLimit limit({{Unit::kRequests, 2, seconds(10)}});
  limit.Admit(Cost{}, kBegin);
  limit.Admit(Cost{}, kBegin);
  const MonoTime next = limit.NextAdmission(Cost{}, kBegin + seconds(3));
  EXPECT_GT(next, kBegin + seconds(10));
  EXPECT_LE(next, kBegin + seconds(10) + milliseconds(1));
  EXPECT_EQ(limit.NextAdmission(Cost{}, next), next);
}

TEST(RateLimit, AWindowsEdgeDoesNotLetTwiceTheLimitThrough) {
  RateLimit limit({{Unit::kRequests, 10, seconds(10)}});
  MonoTime now = kBegin + milliseconds(9'990);
  for (int i = 0; i < 10; ++i) {
    limit.Admit(Cost{}, now);
  }
  EXPECT_GT(limit.NextAdmission(Cost{}, kBegin + milliseconds(10'010)), kBegin + milliseconds(19'990));
}

TEST(RateLimit, SpreadAdmissionsComeBackOneByOne) {
  RateLimit limit({{Unit::kRequests, 3, seconds(10)}});
  for (int i = 0; i < 3; ++i) {
    limit.Admit(Cost{}, kBegin + seconds(i * 2));
  }
  const MonoTime now = kBegin + seconds(5);
  EXPECT_EQ(limit.NextAdmission(Cost{.requests = 1}, now), kBegin + seconds(10) + nanoseconds(1));
  EXPECT_EQ(limit.NextAdmission(Cost{.requests = 2}, now), kBegin + seconds(12) + nanoseconds(1));
  EXPECT_EQ(limit.NextAdmission(Cost{.requests = 3}, now), kBegin + seconds(14) + nanoseconds(1));
}

TEST(RateLimit, ACostLargerThanTheWindowIsAdmittedOnceTheWindowIsEmpty) {
  RateLimit limit({{Unit::kBytes, 1'000, seconds(1)}});
  const Cost large{.requests = 1, .records = 1, .bytes = 5'000};
  EXPECT_EQ(limit.NextAdmission(large, kBegin), kBegin);
  limit.Admit(Cost{.bytes = 1}, kBegin);
  const MonoTime next = limit.NextAdmission(large, kBegin);
  EXPECT_EQ(next, kBegin + seconds(1) + nanoseconds(1));
  limit.Admit(large, next);
  EXPECT_EQ(limit.NextAdmission(Cost{.bytes = 1}, next), next + seconds(1) + nanoseconds(1));
}

TEST(RateLimit, AUnitThatACostDoesNotHaveIsNotLimited) {
  RateLimit limit({{Unit::kRecords, 1, seconds(1)}});
  limit.Admit(Cost{.requests = 1, .records = 1}, kBegin);
  EXPECT_EQ(limit.NextAdmission(Cost{.requests = 1, .records = 0}, kBegin), kBegin);
  EXPECT_GT(limit.NextAdmission(Cost{.requests = 1, .records = 1}, kBegin), kBegin);
}

TEST(RateLimit, TheStrictestOfSeveralWindowsDecides) {
  RateLimit limit(
      {{Unit::kRequests, 2, seconds(1)}, {Unit::kRequests, 3, seconds(60)}, {Unit::kRecords, 100, seconds(5)}});
  limit.Admit(Cost{.requests = 1, .records = 90}, kBegin);
  EXPECT_EQ(limit.NextAdmission(Cost{.requests = 1, .records = 10}, kBegin), kBegin);
  EXPECT_GT(limit.NextAdmission(Cost{.requests = 1, .records = 11}, kBegin), kBegin + seconds(5));
  limit.Admit(Cost{}, kBegin);
  EXPECT_EQ(limit.NextAdmission(Cost{}, kBegin), kBegin + seconds(1) + nanoseconds(1));
  limit.Admit(Cost{}, kBegin + seconds(2));
  EXPECT_EQ(limit.NextAdmission(Cost{}, kBegin + seconds(2)), kBegin + seconds(60) + nanoseconds(1));
}

TEST(RateLimit, AFactorScalesEveryWindowAndCountsWhatWentBefore) {
  RateLimit limit({{Unit::kRequests, 10, seconds(10)}});
  for (int i = 0; i < 4; ++i) {
    limit.Admit(Cost{}, kBegin);
  }
  limit.SetFactor(0.5);
  EXPECT_EQ(limit.factor(), 0.5);
  EXPECT_EQ(limit.NextAdmission(Cost{}, kBegin), kBegin);
  limit.Admit(Cost{}, kBegin);
  EXPECT_GT(limit.NextAdmission(Cost{}, kBegin), kBegin);
  limit.SetFactor(1.0);
  EXPECT_EQ(limit.NextAdmission(Cost{}, kBegin), kBegin);
}

TEST(RateLimit, AFactorNeverScalesBelowOne) {
  for (const double factor : {0.001, 0.0, -3.0, std::numeric_limits<double>::quiet_NaN()}) {
    RateLimit limit({{Unit::kRequests, 10, seconds(10)}});
    limit.SetFactor(factor);
    EXPECT_EQ(limit.NextAdmission(Cost{}, kBegin), kBegin) << factor;
    limit.Admit(Cost{}, kBegin);
    EXPECT_EQ(limit.NextAdmission(Cost{}, kBegin), kBegin + seconds(10) + nanoseconds(1)) << factor;
  }
}

TEST(RateLimit, AFactorAboveOneIsOne) {
  RateLimit limit({{Unit::kRequests, 1, seconds(10)}});
  limit.SetFactor(5);
  EXPECT_EQ(limit.factor(), 1.0);
}

TEST(RateLimit, ExtremeWindowsNeitherBlockForEverNorOverflow) {
  RateLimit limit({{Unit::kRequests, 0, seconds(1)},
                   {Unit::kRequests, 1, milliseconds(0)},
                   {Unit::kRequests, 1, milliseconds(-5)},
                   {Unit::kBytes, std::numeric_limits<std::uint64_t>::max(), milliseconds::max()}});
  const Cost cost{.requests = 1, .records = 1, .bytes = std::numeric_limits<std::uint64_t>::max()};
  ASSERT_EQ(limit.NextAdmission(cost, kBegin), kBegin);
  limit.Admit(cost, kBegin);
  limit.Admit(cost, kBegin);
  EXPECT_EQ(limit.NextAdmission(Cost{.requests = 1, .bytes = 0}, kBegin), kBegin + seconds(1) + nanoseconds(1));
  EXPECT_GT(limit.NextAdmission(cost, kBegin), kBegin + std::chrono::hours(24 * 365));
}

TEST(RateLimitProperty, NeverMoreThanTheLimitInAnyInterval) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("PACKHORSE_TEST_SEED=" + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 150; ++round) {
    std::vector<Window> windows;
    for (std::uint64_t i = 0; i <= random.UpTo(2); ++i) {
      windows.push_back(Window{static_cast<Unit>(random.UpTo(2)), 1 + random.UpTo(random.UpTo(3) == 0 ? 500 : 20),
                               milliseconds(1 + random.UpTo(random.UpTo(3) == 0 ? 60'000 : 300))});
    }
    RateLimit limit(windows);
    std::vector<Admission> admissions;
    MonoTime now = kBegin;
    const std::uint64_t pause = 1 + random.UpTo(20'000'000);
    for (int i = 0; i < 400; ++i) {
      now += nanoseconds(random.UpTo(4) == 0 ? 0 : random.UpTo(pause));
      const Cost cost{1, random.UpTo(5), random.UpTo(30)};
      const MonoTime next = limit.NextAdmission(cost, now);
      ASSERT_GE(next, now);
      if (next > now && random.UpTo(2) != 0) {
        continue;  // tries again later, at a moment of its own
      }
      now = next;
      ASSERT_EQ(limit.NextAdmission(cost, now), now) << "the promised moment must hold";
      limit.Admit(cost, now);
      admissions.push_back({now, cost});
    }
    for (const Window& window : windows) {
      ExpectWithinWindow(admissions, window);
    }
    ASSERT_LE(limit.slot_count(), 64 * windows.size());
  }
}

// How much of the limit a sender reaches that always has something to send.
double Reached(const Window& window, milliseconds every) {
  RateLimit limit({window});
  MonoTime now = kBegin;
  const MonoTime end = kBegin + window.per * 50;
  std::uint64_t admitted = 0;
  while (now < end) {
    const MonoTime next = limit.NextAdmission(Cost{}, now);
    if (next == now) {
      limit.Admit(Cost{}, now);
      ++admitted;
    }
    now = std::max(next, now + every);
  }
  return static_cast<double>(admitted) / (static_cast<double>(window.count) * 50.0);
}

TEST(RateLimitProperty, OverLongRunsTheRateComesCloseToTheLimit) {
  EXPECT_GE(Reached({Unit::kRequests, 600, seconds(60)}, milliseconds(0)), 0.97);
  EXPECT_GE(Reached({Unit::kRequests, 600, seconds(60)}, milliseconds(7)), 0.95);
  EXPECT_GE(Reached({Unit::kRequests, 600, seconds(60)}, milliseconds(100)), 0.95);  // exactly the sustained rate
  EXPECT_GE(Reached({Unit::kRequests, 200, seconds(10)}, milliseconds(49)), 0.95);
  EXPECT_GE(Reached({Unit::kRequests, 3, seconds(1)}, milliseconds(1)), 0.95);
  EXPECT_GE(Reached({Unit::kRequests, 10'000, seconds(10)}, milliseconds(1)), 0.95);
}

TEST(RateLimitProperty, MemoryDoesNotGrowWithTheNumberOfAdmissions) {
  RateLimit limit({{Unit::kRequests, 1'000'000'000, seconds(60)}, {Unit::kBytes, 1'000'000'000, milliseconds(1)}});
  for (int i = 0; i < 500'000; ++i) {
    limit.Admit(Cost{1, 1, 10}, kBegin + std::chrono::microseconds(i) * 337);
    ASSERT_LE(limit.slot_count(), 128U);
  }
}

TEST(RateLimitTakeOver, ASuccessorCountsWhatWasAdmittedBefore) {
  const MonoTime start{std::chrono::seconds(100)};
  RateLimit old({{Unit::kRequests, 10, std::chrono::seconds(10)}, {Unit::kRequests, 30, std::chrono::minutes(1)}});
  for (int i = 0; i < 8; ++i) {
    old.Admit(Cost{}, start);
  }
  RateLimit next({{Unit::kRequests, 8, std::chrono::seconds(20)}, {Unit::kBytes, 5, std::chrono::seconds(10)}});
  next.TakeOver(old);
  EXPECT_GT(next.NextAdmission(Cost{}, start + std::chrono::seconds(19)), start + std::chrono::seconds(19));
  EXPECT_EQ(next.NextAdmission(Cost{}, start + std::chrono::seconds(21)), start + std::chrono::seconds(21));
  EXPECT_EQ(next.NextAdmission(Cost{0, 0, 5}, start), start) << "of bytes nothing was counted";
}

}  // namespace
}  // namespace packhorse::limit
