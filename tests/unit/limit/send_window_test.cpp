#include "limit/send_window.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace packhorse::limit {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kMidnight = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30);
const std::vector<DayWindow> kNight = {{22h, 6h}};

TEST(SendWindow, NoneAtAllIsAlwaysOpen) { EXPECT_EQ(UntilOpen({}, kMidnight + 12h, 0s), 0us); }

TEST(SendWindow, OverMidnightIsOpenOnBothSidesOfIt) {
  EXPECT_EQ(UntilOpen(kNight, kMidnight + 22h, 0s), 0us);
  EXPECT_EQ(UntilOpen(kNight, kMidnight + 23h + 59min + 59s, 0s), 0us);
  EXPECT_EQ(UntilOpen(kNight, kMidnight, 0s), 0us);
  EXPECT_EQ(UntilOpen(kNight, kMidnight + 6h - 1us, 0s), 0us);
  EXPECT_EQ(UntilOpen(kNight, kMidnight + 6h, 0s), 16h);
  EXPECT_EQ(UntilOpen(kNight, kMidnight + 22h - 1us, 0s), 1us);
}

TEST(SendWindow, OfOneDayThatIsOverOpensOnTheNext) {
  const std::vector<DayWindow> morning = {{8h, 9h + 30min}};
  EXPECT_EQ(UntilOpen(morning, kMidnight + 7h, 0s), 1h);
  EXPECT_EQ(UntilOpen(morning, kMidnight + 9h, 0s), 0us);
  EXPECT_EQ(UntilOpen(morning, kMidnight + 9h + 30min, 0s), 22h + 30min);
}

TEST(SendWindow, OfSeveralTheNextOneCounts) {
  const std::vector<DayWindow> both = {{22h, 6h}, {12h, 13h}};
  EXPECT_EQ(UntilOpen(both, kMidnight + 11h, 0s), 1h);
  EXPECT_EQ(UntilOpen(both, kMidnight + 12h, 0s), 0us);
  EXPECT_EQ(UntilOpen(both, kMidnight + 13h, 0s), 9h);
}

TEST(SendWindow, OfTheMachinesZoneMovesWithIt) {
  const std::vector<DayWindow> local = {{22h, 6h, true}};
  EXPECT_EQ(UntilOpen(local, kMidnight + 21h, 1h), 0us);
  EXPECT_EQ(UntilOpen(local, kMidnight + 5h, 1h), 16h);
  EXPECT_EQ(UntilOpen(local, kMidnight + 3h, -5h), 0us);  // 22:00 of the day before
  EXPECT_EQ(UntilOpen(kNight, kMidnight + 21h, 1h), 1h) << "a window in UTC does not";
}

TEST(SendWindow, ThatBeginsWhereItEndsIsTheWholeDay) {
  for (const auto at : {0h, 7h, 8h, 23h}) {
    EXPECT_EQ(UntilOpen({{8h, 8h}}, kMidnight + at, 0s), 0us);
  }
}

TEST(SendWindow, ALocalOffsetFollowsTheSummerTimeOfTheZone) {
  const char* before = std::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  tzset();
  EXPECT_EQ(LocalOffset(kMidnight), 1h);
  EXPECT_EQ(LocalOffset(std::chrono::sys_days(std::chrono::year(2026) / 7 / 1)), 2h);
  before == nullptr ? unsetenv("TZ") : setenv("TZ", kept.c_str(), 1);
  tzset();
}

}  // namespace
}  // namespace packhorse::limit
