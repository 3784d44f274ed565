#include "base/clock.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

#include "base/random.h"

namespace packhorse {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

WallTime At(std::int64_t micros) { return WallTime(microseconds(micros)); }

TEST(FormatUtc, AlwaysSixFractionDigitsAndZ) {
  EXPECT_EQ(FormatUtc(At(0)), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatUtc(At(1'795'165'921'123'456)), "2026-11-20T09:12:01.123456Z");
  EXPECT_EQ(FormatUtc(At(1'795'165'921'000'001)), "2026-11-20T09:12:01.000001Z");
}

TEST(FormatUtc, LeapDayEndOfYearAndTheYear2038) {
  EXPECT_EQ(FormatUtc(At(1'709'164'800'000'000)), "2024-02-29T00:00:00.000000Z");
  EXPECT_EQ(FormatUtc(At(1'735'689'599'999'999)), "2024-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatUtc(At(2'147'483'648'000'000)), "2038-01-19T03:14:08.000000Z");
  EXPECT_EQ(FormatUtc(At(4'107'542'400'000'000)), "2100-03-01T00:00:00.000000Z");
}

TEST(FormatUtc, BeforeTheEpochTheFractionStillCountsUp) { EXPECT_EQ(FormatUtc(At(-1)), "1969-12-31T23:59:59.999999Z"); }

std::string WrittenUtc(std::int64_t time, std::uint32_t fraction, unsigned digits) {
  std::array<char, 32> text{};
  return {text.data(), WriteUtc(text.data(), std::chrono::sys_seconds(seconds(time)), fraction, digits)};
}

TEST(WriteUtc, HasAsManyDecimalsAsAreAskedFor) {
  EXPECT_EQ(WrittenUtc(1'795'165'921, 0, 0), "2026-11-20T09:12:01Z");
  EXPECT_EQ(WrittenUtc(1'795'165'921, 7, 3), "2026-11-20T09:12:01.007Z");
  EXPECT_EQ(WrittenUtc(1'795'165'921, 123'456'789, 9), "2026-11-20T09:12:01.123456789Z");
  EXPECT_EQ(WrittenUtc(-62'167'219'200, 0, 0), "0000-01-01T00:00:00Z");
  EXPECT_EQ(WrittenUtc(253'402'300'799, 999'999, 6), "9999-12-31T23:59:59.999999Z");
}

TEST(WriteUtc, IsWhatFormatUtcSays) {
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto second = static_cast<std::int64_t>(random.UpTo(315'569'519'999)) - 62'167'219'200;
    const auto micros = static_cast<std::uint32_t>(random.UpTo(999'999));
    ASSERT_EQ(WrittenUtc(second, micros, 6), FormatUtc(At(second * 1'000'000 + micros)));
  }
}

TEST(FormatHttpDate, IsTheFixedFormOfRfc9110) {
  // The example of RFC 9110 section 5.6.7.
  EXPECT_EQ(FormatHttpDate(At(784'111'777'000'000)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatHttpDate(At(1'795'165'921'999'999)), "Fri, 20 Nov 2026 09:12:01 GMT");
  EXPECT_EQ(FormatHttpDate(At(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(ParseHttpDate, ReadsTheThreeFormsOfRfc9110) {
  const WallTime moment = At(784'111'777'000'000);
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        " sun, 06 NOV 1994 08:49:37 GMT ", "Sun, 06 Nov 1994 08:49:37 UTC"}) {
    EXPECT_EQ(ParseHttpDate(text), moment) << text;
  }
  EXPECT_EQ(ParseHttpDate("Sat, 20 Nov 2066 08:15:31 GMT"), At(3'057'466'531'000'000)) << "beyond 32 bits";
  for (const char* text : {"", "Sun", "Sun,", "06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37 +0100", "Wed, 29 Feb 2023 08:49:37 GMT"}) {
    EXPECT_EQ(ParseHttpDate(text), std::nullopt) << text;
  }
}

TEST(ParseHttpDate, ReadsWhatFormatHttpDateWrote) {
  for (std::int64_t day = 0; day < 60'000; day += 7) {
    const WallTime moment = At(day * 86'400'000'000 + 12'345'000'000);
    EXPECT_EQ(ParseHttpDate(FormatHttpDate(moment)), moment) << day;
  }
}

TEST(ClockState, HasTheNamesOfTheWire) {
  EXPECT_EQ(Name(ClockState::kSynchronized), "synchronized");
  EXPECT_EQ(Name(ClockState::kRecovered), "recovered");
  EXPECT_EQ(Name(ClockState::kUnsynchronized), "unsynchronized");
}

TEST(SystemClock, MonotonicAndBootTimeNeverGoBack) {
  const Clock& clock = SystemClock();
  const MonoTime mono = clock.Mono();
  const std::chrono::nanoseconds boot = clock.Boot();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_GE(clock.Mono(), mono);
    EXPECT_GE(clock.Boot(), boot);
  }
  EXPECT_GE(boot, mono.time_since_epoch());  // suspend counts for boot time only
}

TEST(SystemClock, WallTimeIsTheSystemsTime) {
  const auto now = std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
  const auto difference = SystemClock().Wall() - now;
  EXPECT_GE(difference, seconds(0));
  EXPECT_LT(difference, seconds(30));
}

TEST(SystemClock, WallAtBootIsTheWallTimeLessTheBootTime) {
  const Clock& clock = SystemClock();
  const auto expected = clock.Wall() - std::chrono::duration_cast<microseconds>(clock.Boot());
  EXPECT_LT(std::chrono::abs(WallAtBoot(clock) - expected), seconds(5));
}

TEST(BootId, IsOneLineAndTheSameEachTime) {
  const std::string id = BootId();
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(id.find('\n'), std::string::npos);
  EXPECT_EQ(id, BootId());
}

}  // namespace
}  // namespace packhorse
