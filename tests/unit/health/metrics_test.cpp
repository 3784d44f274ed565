#include "health/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "health/log.h"

namespace packhorse::health {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr MonoTime kStart{seconds(10'000)};

void ExpectClose(std::optional<microseconds> found, microseconds expected) {
  ASSERT_TRUE(found);
  const auto want = static_cast<double>(expected.count());
  EXPECT_LE(std::abs(static_cast<double>(found->count()) - want), std::max(want * 0.05, 0.5)) << expected.count();
}

TEST(Histogram, EmptyHasNoQuantile) {
  const Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5, kStart), std::nullopt);
  EXPECT_EQ(histogram.Count(kStart), 0U);
}

TEST(Histogram, OneValueIsEveryQuantile) {
  Histogram histogram;
  histogram.Record(milliseconds(42), kStart);
  for (const double q : {0.0, 0.5, 0.99, 1.0, -1.0, 7.0, std::numeric_limits<double>::quiet_NaN()}) {
    ExpectClose(histogram.Quantile(q, kStart), milliseconds(42));
  }
}

TEST(Histogram, EveryMagnitudeFromMicrosecondToHourIsWithinFivePercent) {
  for (std::int64_t us = 1; us <= 3'600'000'000; us = us * 21 / 20 + 1) {
    Histogram histogram;
    histogram.Record(microseconds(us), kStart);
    ExpectClose(histogram.Quantile(0.5, kStart), microseconds(us));
  }
}

TEST(Histogram, ValuesOutsideTheRangeCountAsItsEnds) {
  Histogram histogram;
  histogram.Record(microseconds(-5), kStart);
  histogram.Record(microseconds(0), kStart);
  ExpectClose(histogram.Quantile(1.0, kStart), microseconds(1));
  histogram.Record(microseconds::max(), kStart);
  ExpectClose(histogram.Quantile(1.0, kStart), hours(1));
  EXPECT_EQ(histogram.Count(kStart), 3U);
}

TEST(Histogram, QuantilesOfAKnownDistribution) {
  Histogram histogram;
  for (int ms = 1; ms <= 1'000; ++ms) {
    histogram.Record(milliseconds(ms), kStart + seconds(ms % 120));
  }
  const MonoTime now = kStart + minutes(2);
  ExpectClose(histogram.Quantile(0.0, now), milliseconds(1));
  ExpectClose(histogram.Quantile(0.5, now), milliseconds(500));
  ExpectClose(histogram.Quantile(0.95, now), milliseconds(950));
  ExpectClose(histogram.Quantile(0.99, now), milliseconds(990));
  ExpectClose(histogram.Quantile(1.0, now), milliseconds(1'000));
}

TEST(Histogram, QuantilesMatchASortedListOfRandomValues) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  Histogram histogram;
  std::vector<microseconds> values;
  for (int i = 0; i < 5'000; ++i) {
    values.emplace_back(static_cast<std::int64_t>(std::exp(random.Unit() * 20.0)) + 1);
    histogram.Record(values.back(), kStart);
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.01, 0.25, 0.5, 0.9, 0.99, 0.999}) {
    ExpectClose(histogram.Quantile(q, kStart), values[static_cast<std::size_t>(std::ceil(q * 5'000)) - 1]);
  }
}

TEST(Histogram, ValuesLeaveAfterFiveMinutes) {
  Histogram histogram;
  histogram.Record(milliseconds(1), kStart);
  histogram.Record(milliseconds(1'000), kStart + minutes(4));
  EXPECT_EQ(histogram.Count(kStart + minutes(4)), 2U);
  EXPECT_EQ(histogram.Count(kStart + seconds(330)), 1U);
  ExpectClose(histogram.Quantile(0.0, kStart + seconds(330)), milliseconds(1'000));
  EXPECT_EQ(histogram.Count(kStart + minutes(10)), 0U);
}

TEST(Histogram, ASliceThatIsUsedAgainStartsEmpty) {
  Histogram histogram;
  histogram.Record(milliseconds(1), kStart);
  histogram.Record(milliseconds(9), kStart + minutes(5));
  EXPECT_EQ(histogram.Count(kStart + minutes(5)), 1U);
  histogram.Record(milliseconds(9), kStart + hours(24 * 365));
  EXPECT_EQ(histogram.Count(kStart + hours(24 * 365)), 1U);
}

TEST(Severity, NamesAreThoseOfTheAlertHierarchy) {
  EXPECT_EQ(Name(Severity::kP0), "P0");
  EXPECT_EQ(Name(Severity::kP1), "P1");
  EXPECT_EQ(Name(Severity::kP2), "P2");
  EXPECT_EQ(Name(Severity::kP3), "P3");
  EXPECT_EQ(Name(static_cast<Severity>(9)), "unknown");
}

TEST(Histogram, TheLastMinuteIsSeenApartFromWhatWasBefore) {
  Histogram histogram;
  for (int i = 0; i < 1'000; ++i) {
    histogram.Record(milliseconds(20), kStart);
  }
  const MonoTime later = kStart + seconds(90);
  for (int i = 0; i < 4; ++i) {
    histogram.Record(seconds(15), later + seconds(15 * i));
  }
  ExpectClose(histogram.Quantile(0.99, later + seconds(45)), milliseconds(20));
  ExpectClose(histogram.Quantile(0.5, later + seconds(45), minutes(1)), seconds(15));
  EXPECT_EQ(histogram.Quantile(0.5, later + seconds(200), minutes(1)), std::nullopt);
  ExpectClose(histogram.Quantile(0.5, later + seconds(240)), seconds(15));
}

}  // namespace
}  // namespace packhorse::health
