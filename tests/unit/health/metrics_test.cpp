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
constexpr WallTime kWall{seconds(1'795'162'531)};

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

class EventsTest : public testing::Test {
 protected:
  // What events log is captured, so that the test's own output stays readable.
  EventsTest() { testing::internal::CaptureStderr(); }
  ~EventsTest() override {
    if (!taken_) {
      testing::internal::GetCapturedStderr();
    }
  }
  std::string TakeLog() {
    taken_ = true;
    return testing::internal::GetCapturedStderr();
  }

  Events events_;

 private:
  bool taken_ = false;
};

TEST_F(EventsTest, RaisingAnOpenEventAgainIsCountedNotRepeated) {
  EXPECT_TRUE(events_.Raise(Severity::kP1, "destination_held", "cloud", "HTTP 404", kWall));
  EXPECT_FALSE(events_.Raise(Severity::kP1, "destination_held", "cloud", "HTTP 405", kWall + seconds(9)));
  ASSERT_EQ(events_.Open().size(), 1U);
  const Event event = events_.Open()[0];
  EXPECT_EQ(event.id, 1U);
  EXPECT_EQ(event.count, 2U);
  EXPECT_EQ(event.since, kWall);
  EXPECT_EQ(event.message, "HTTP 405");
  EXPECT_EQ(event.subject, "cloud");
  EXPECT_FALSE(event.resolved_at);
}

TEST_F(EventsTest, NameAndSubjectTogetherTellEventsApart) {
  EXPECT_TRUE(events_.Raise(Severity::kP1, "a", "x", "", kWall));
  EXPECT_TRUE(events_.Raise(Severity::kP1, "a", "y", "", kWall));
  EXPECT_TRUE(events_.Raise(Severity::kP1, "b", "x", "", kWall));
  EXPECT_TRUE(events_.Raise(Severity::kP1, "a", "", "", kWall));
  EXPECT_EQ(events_.Open().size(), 4U);
}

TEST_F(EventsTest, ResolvingEndsItOnce) {
  EXPECT_FALSE(events_.Resolve("a", "x", kWall));
  events_.Raise(Severity::kP1, "a", "x", "m", kWall);
  EXPECT_TRUE(events_.Resolve("a", "x", kWall + seconds(5)));
  EXPECT_FALSE(events_.Resolve("a", "x", kWall + seconds(6)));
  EXPECT_TRUE(events_.Open().empty());
  ASSERT_EQ(events_.Recent().size(), 1U);
  EXPECT_EQ(events_.Recent()[0].resolved_at, kWall + seconds(5));
}

TEST_F(EventsTest, AfterResolvingTheSameTroubleIsANewEvent) {
  events_.Raise(Severity::kP1, "a", "x", "m", kWall);
  events_.Resolve("a", "x", kWall);
  EXPECT_TRUE(events_.Raise(Severity::kP1, "a", "x", "m", kWall + seconds(1)));
  ASSERT_EQ(events_.Recent().size(), 2U);
  EXPECT_EQ(events_.Recent()[0].id, 2U) << "newest first";
  EXPECT_EQ(events_.Open()[0].since, kWall + seconds(1));
}

TEST_F(EventsTest, OpenEventsComeWorstFirstThenOldest) {
  events_.Raise(Severity::kP3, "c", "", "", kWall);
  events_.Raise(Severity::kP1, "b1", "", "", kWall);
  events_.Raise(Severity::kP0, "a", "", "", kWall);
  events_.Raise(Severity::kP1, "b2", "", "", kWall);
  std::vector<std::string> names;
  for (const Event& event : events_.Open()) {
    names.push_back(event.name);
  }
  EXPECT_THAT(names, testing::ElementsAre("a", "b1", "b2", "c"));
}

TEST_F(EventsTest, AnEventMayGetWorseButNotBetterWhileOpen) {
  events_.Raise(Severity::kP2, "a", "", "", kWall);
  events_.Raise(Severity::kP0, "a", "", "", kWall);
  EXPECT_EQ(events_.Open()[0].severity, Severity::kP0);
  events_.Raise(Severity::kP3, "a", "", "", kWall);
  EXPECT_EQ(events_.Open()[0].severity, Severity::kP0);
}

TEST_F(EventsTest, RaisingAndResolvingLogOnceEach) {
  for (int i = 0; i < 20; ++i) {
    events_.Raise(Severity::kP1, "log_once", "cloud", "HTTP 404", kWall);
  }
  events_.Resolve("log_once", "cloud", kWall);
  events_.Resolve("log_once", "cloud", kWall);
  const std::string log = TakeLog();
  std::size_t lines = 0;  // of this event: another test's flood may be summed up in between
  for (std::size_t at = log.find("log_once: "); at != std::string::npos; at = log.find("log_once: ", at + 1)) {
    ++lines;
  }
  EXPECT_EQ(lines, 2U) << log;
  EXPECT_THAT(log, testing::HasSubstr(" error log_once: HTTP 404 subject=cloud severity=P1 id=1\n"));
  EXPECT_THAT(log, testing::HasSubstr(" info log_once: resolved: HTTP 404 subject=cloud severity=P1 id=1\n"));
}

TEST_F(EventsTest, AtMostAThousandAreKeptAndResolvedOnesGoFirst) {
  events_.Raise(Severity::kP3, "open_long", "", "", kWall);
  for (int i = 0; i < 3'000; ++i) {
    events_.Raise(Severity::kP0, "e", std::to_string(i), "", kWall);
    events_.Resolve("e", std::to_string(i), kWall);
  }
  EXPECT_EQ(events_.Recent().size(), 1'000U);
  EXPECT_EQ(events_.Recent()[0].subject, "2999");
  ASSERT_EQ(events_.Open().size(), 1U);
  EXPECT_EQ(events_.Open()[0].name, "open_long");
}

TEST_F(EventsTest, AThousandOpenEventsLoseTheLeastSevereOldest) {
  events_.Raise(Severity::kP0, "worst", "", "", kWall);
  for (int i = 0; i < 1'200; ++i) {
    events_.Raise(i == 50 ? Severity::kP2 : Severity::kP3, "e", std::to_string(i), "", kWall);
  }
  const std::vector<Event> open = events_.Open();
  EXPECT_EQ(open.size(), 1'000U);
  EXPECT_EQ(open[0].name, "worst");
  EXPECT_EQ(open[1].subject, "50");
  EXPECT_EQ(open[2].subject, "202");
  EXPECT_EQ(events_.Recent()[0].subject, "1199");
}

TEST_F(EventsTest, TextsAreBounded) {
  const std::string huge(100'000, 'x');
  events_.Raise(Severity::kP3, huge, huge, huge, kWall);
  EXPECT_FALSE(events_.Raise(Severity::kP3, huge, huge, huge, kWall));
  const Event event = events_.Open()[0];
  EXPECT_LE(event.name.size(), 64U);
  EXPECT_LE(event.subject.size(), 256U);
  EXPECT_LE(event.message.size(), 1'024U);
  EXPECT_TRUE(events_.Resolve(huge, huge, kWall));
}

}  // namespace
}  // namespace packhorse::health
