#include "health/growth.h"

#include <gtest/gtest.h>

namespace packhorse::health {
namespace {

using std::chrono::seconds;

class GrowthTest : public testing::Test {
 protected:
  // One look a second.
  template <typename Value>
  void Pass(int for_seconds, Value value) {
    for (int i = 0; i < for_seconds; ++i) {
      growth_.Look(static_cast<std::uint64_t>(value(second_)), MonoTime(seconds(1'000 + second_)));
      ++second_;
    }
  }

  Growth growth_;
  int second_ = 0;
};

TEST_F(GrowthTest, WhatRisesForTwoAndAHalfMinutesGrows) {
  Pass(149, [](int at) { return 10 * at; });
  EXPECT_FALSE(growth_.Now());
  Pass(2, [](int at) { return 10 * at; });
  const auto grown = growth_.Now();
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->from, 0U);
  EXPECT_EQ(grown->to, 1'200U);
  EXPECT_EQ(grown->over, seconds(150));
}

TEST_F(GrowthTest, BatchesThatFillAndGoAreNoGrowth) {
  Pass(900, [](int at) { return 100 * (at % 7); });
  EXPECT_FALSE(growth_.Now());
  Pass(600, [](int at) { return 5'000 + at % 40; });
  EXPECT_FALSE(growth_.Now()) << "much that waits, but not more";
}

TEST_F(GrowthTest, ASawToothThatClimbsGrowsAndOneThatFallsHasEnded) {
  Pass(300, [](int at) { return at + 100 * (at % 7); });
  EXPECT_TRUE(growth_.Now());
  Pass(61, [](int at) { return 2'000 - at; });
  EXPECT_FALSE(growth_.Now());
}

TEST_F(GrowthTest, AThousandHoursNeedNoMoreThanFiveMinutes) {
  Pass(3'600, [](int at) { return at; });
  ASSERT_TRUE(growth_.Now());
  EXPECT_LE(growth_.Now()->over, seconds(330));
}

TEST_F(GrowthTest, NothingSeenIsNoGrowth) {
  EXPECT_FALSE(growth_.Now());
  Pass(1, [](int) { return 5; });
  EXPECT_FALSE(growth_.Now());
}

}  // namespace
}  // namespace packhorse::health
