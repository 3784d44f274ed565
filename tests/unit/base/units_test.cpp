#include "base/units.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace packhorse {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ParseDuration, EveryUnitIsConvertedToMilliseconds) {
  EXPECT_EQ(ParseDuration("250ms").value_or({}), milliseconds(250));
  EXPECT_EQ(ParseDuration("10s").value_or({}), seconds(10));
  EXPECT_EQ(ParseDuration("5m").value_or({}), minutes(5));
  EXPECT_EQ(ParseDuration("2h").value_or({}), hours(2));
  EXPECT_EQ(ParseDuration("30d").value_or({}), hours(24 * 30));
  EXPECT_EQ(ParseDuration("0s").value_or(milliseconds(1)), milliseconds(0));
}

TEST(ParseDuration, AnyOtherFormIsAnErrorThatShowsTheText) {
  for (const char* text :
       {"", "10", "s", "-1s", "+1s", " 1s", "1s ", "1 s", "1.5s", "1S", "1sec", "1w", "1e3s", "0x1s", "1m30s"}) {
    const Result<milliseconds> duration = ParseDuration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(duration.error().message.find("\"" + std::string(text) + "\""), std::string::npos);
  }
}

TEST(ParseDuration, WhatDoesNotFitInto64BitsOfMillisecondsIsAnError) {
  EXPECT_TRUE(ParseDuration("9223372036854775807ms"));
  EXPECT_FALSE(ParseDuration("9223372036854775808ms"));
  EXPECT_TRUE(ParseDuration("106751991167d"));
  EXPECT_FALSE(ParseDuration("106751991168d"));
  EXPECT_FALSE(ParseDuration("99999999999999999999s"));
}

TEST(FormatDuration, TheLargestUnitWithoutARemainderIsTaken) {
  EXPECT_EQ(FormatDuration(seconds(90)), "90s");
  EXPECT_EQ(FormatDuration(milliseconds(60'000)), "1m");
  EXPECT_EQ(FormatDuration(milliseconds(1'500)), "1500ms");
  EXPECT_EQ(FormatDuration(hours(48)), "2d");
  EXPECT_EQ(FormatDuration(milliseconds(0)), "0s");
  EXPECT_EQ(FormatDuration(milliseconds(-5)), "0s");
}

TEST(FormatDuration, WhatIsWrittenCanBeReadBack) {
  for (const std::int64_t count : {1LL, 999LL, 1'000LL, 3'599'000LL, 3'600'000LL, 86'400'000LL, 86'400'001LL}) {
    EXPECT_EQ(ParseDuration(FormatDuration(milliseconds(count))).value_or({}), milliseconds(count));
  }
}

TEST(ParseBytes, EveryUnitIsConvertedToBytes) {
  EXPECT_EQ(ParseBytes("0").value_or(1), 0U);
  EXPECT_EQ(ParseBytes("4096").value_or(0), 4096U);
  EXPECT_EQ(ParseBytes("64KiB").value_or(0), 65'536U);
  EXPECT_EQ(ParseBytes("1MiB").value_or(0), 1'048'576U);
  EXPECT_EQ(ParseBytes("2GiB").value_or(0), 2'147'483'648U);
}

TEST(ParseBytes, AnyOtherFormIsAnError) {
  for (const char* text : {"", "1KB", "1kib", "1B", "1 MiB", "-1", "1.5MiB", "MiB", "1TiB", "1M"}) {
    EXPECT_FALSE(ParseBytes(text)) << text;
  }
  EXPECT_TRUE(ParseBytes("8589934591GiB"));
  EXPECT_FALSE(ParseBytes("8589934592GiB"));
}

TEST(FormatBytes, OneDecimalWhereItMatters) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(1U << 20U), "1.0 MiB");
  EXPECT_EQ(FormatBytes(3ULL << 30U), "3.0 GiB");
  EXPECT_EQ(FormatBytes(1ULL << 40U), "1024.0 GiB");
}

TEST(FormatBytes, JustBelowAUnitIsNotShownAs1024OfTheSmallerOne) {
  EXPECT_EQ(FormatBytes((1U << 20U) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes((1U << 30U) - 1), "1.0 GiB");
}

TEST(AddSaturating, StopsAtTheLargestNumber) {
  EXPECT_EQ(AddSaturating(1, 2), 3U);
  EXPECT_EQ(AddSaturating(UINT64_MAX - 1, 1), UINT64_MAX);
  EXPECT_EQ(AddSaturating(UINT64_MAX, 1), UINT64_MAX);
}

TEST(Shorten, ShortTextStaysAndLongTextEndsWithDots) {
  EXPECT_EQ(Shorten("abc", 3), "abc");
  EXPECT_EQ(Shorten("abcdef", 5), "ab...");
  EXPECT_EQ(Shorten("", 0), "");
}

TEST(Shorten, NeverCutsWithinACharacterAndNeverExceedsTheBound) {
  const std::string text = "a\xE2\x82\xAC\xF0\x9F\x98\x80\xC3\xBC end of it";
  for (std::size_t bound = 0; bound <= text.size(); ++bound) {
    const std::string cut = Shorten(text, bound);
    EXPECT_TRUE(IsValidUtf8(cut)) << bound;
    EXPECT_LE(cut.size(), bound);
  }
}

}  // namespace
}  // namespace packhorse
