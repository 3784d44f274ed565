#include "base/fixed_point.h"

#include <gtest/gtest.h>

namespace packhorse {
namespace {

std::string Read(std::string_view text) {
  const auto value = FixedPoint::Parse(text);
  return value ? value->ToText() : "none";
}

TEST(FixedPoint, ReadsNumbersAsJsonWritesThem) {
  const std::pair<const char*, const char*> numbers[] = {
      {"0", "0"},
      {"-0", "0"},
      {"0.0e5", "0"},
      {"1042.75", "1042.75"},
      {"-2.75", "-2.75"},
      {"-0.000000000001", "-0.000000000001"},
      {"1e3", "1000"},
      {"1.5E+3", "1500"},
      {"25e-1", "2.5"},
      {"0.1234567890125", "0.123456789013"},
      {"-0.1234567890125", "-0.123456789013"},
      {"0.9999999999999", "1"},
      {"1e-13", "0"},
      {"5e-13", "0.000000000001"},
      {"1e-300", "0"},
      {"0e400", "0"},
      {"999999999999999999", "999999999999999999"},
      {"-999999999999999999.5", "-999999999999999999.5"},
      {"0.000001e23", "100000000000000000"},
  };
  for (const auto& [written, shown] : numbers) {
    EXPECT_EQ(Read(written), shown) << written;
  }
}

TEST(FixedPoint, WhatIsNoNumberOrTooLargeIsNone) {
  for (const char* text : {"", "-", ".5", "1.", "1e", "1e+", "0x1", "nan", "inf", "1 ", " 1", "1,5", "--1", "1e18",
                           "1e401", "1000000000000000000", "1e1e1", "+1"}) {
    EXPECT_EQ(Read(text), "none") << text;
  }
  EXPECT_EQ(Read(std::string(401, '0')), "none");
}

TEST(FixedPoint, ASumIsExactInAnyOrder) {
  FixedPoint up;
  FixedPoint down;
  for (int i = 1; i <= 1'000; ++i) {
    ASSERT_TRUE(up.Add(*FixedPoint::Parse(std::to_string(i) + ".1")));
    ASSERT_TRUE(down.Add(*FixedPoint::Parse(std::to_string(1'001 - i) + ".1")));
  }
  EXPECT_EQ(up.ToText(), "500600");
  EXPECT_EQ(up, down);
  ASSERT_TRUE(up.Add(*FixedPoint::Parse("-500600.25")));
  EXPECT_EQ(up.ToText(), "-0.25");
  EXPECT_EQ(up.whole(), -1);
  EXPECT_EQ(FixedPoint::Of(up.whole(), up.trillionths()), up);
  EXPECT_FALSE(FixedPoint::Of(0, -1));
  EXPECT_FALSE(FixedPoint::Of(0, FixedPoint::kOne));
}

TEST(FixedPoint, ASumWithoutRoomChangesNothing) {
  FixedPoint sum(INT64_MAX);
  EXPECT_FALSE(sum.Add(FixedPoint(1)));
  EXPECT_EQ(sum, FixedPoint(INT64_MAX));
  ASSERT_TRUE(sum.Add(*FixedPoint::Parse("0.5")));
  EXPECT_FALSE(sum.Add(*FixedPoint::Parse("0.5")));
  ASSERT_TRUE(sum.Add(*FixedPoint::Parse("-0.5")));
  EXPECT_EQ(sum, FixedPoint(INT64_MAX));
  FixedPoint least(INT64_MIN);
  EXPECT_FALSE(least.Add(FixedPoint(-1)));
  EXPECT_EQ(least.ToText(), "-9223372036854775808");
}

TEST(FixedPoint, ADistanceIsThatOfTheExactNumbers) {
  EXPECT_DOUBLE_EQ(FixedPoint::Distance(*FixedPoint::Parse("1e15"), *FixedPoint::Parse("1000000000000000.000001")),
                   0.000001);
  EXPECT_DOUBLE_EQ(FixedPoint::Distance(FixedPoint(-2), *FixedPoint::Parse("0.5")), 2.5);
  EXPECT_GT(FixedPoint::Distance(FixedPoint(INT64_MAX), FixedPoint(INT64_MIN)), 1e300);
}

}  // namespace
}  // namespace packhorse
