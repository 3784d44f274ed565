#include "outcome/wait_hints.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "reply_builder.h"

namespace packhorse::outcome {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kWall;

struct RetryAfterCase {
  std::string value;
  std::string date;
  std::optional<milliseconds> expected;
};

TEST(RetryAfter, TableOfForms) {
  const std::string kNow = "Fri, 20 Nov 2026 08:15:31 GMT";  // kWall
  const RetryAfterCase kCases[] = {
      // Seconds.
      {"0", "", seconds(0)},
      {"120", "", seconds(120)},
      {" 120 ", "", seconds(120)},
      {"1.2", "", seconds(2)},
      {"1.0", "", seconds(1)},
      {"-5", "", seconds(0)},
      {"99999999999999999999", "", hours(10 * 366 * 24)},
      {"9223372036854775807.5", "", hours(10 * 366 * 24)},
      // The three forms of RFC 9110 section 5.6.7, against the reply's own Date.
      {"Fri, 20 Nov 2026 08:16:31 GMT", kNow, seconds(60)},
      {"Friday, 20-Nov-26 08:16:31 GMT", kNow, seconds(60)},
      {"Fri Nov 20 08:16:31 2026", kNow, seconds(60)},
      {"Tue Dec  1 08:15:31 2026", kNow, hours(11 * 24)},
      {"fri, 20 NOV 2026 08:16:31 GMT", kNow, seconds(60)},
      {"Thu, 31 Dec 2026 23:59:60 GMT", "Thu, 31 Dec 2026 23:59:50 GMT", seconds(10)},
      // Our clock is wrong, theirs counts.
      {"Wed, 01 Jan 2020 00:02:00 GMT", "Wed, 01 Jan 2020 00:00:00 GMT", seconds(120)},
      {"Sat, 20 Nov 2066 08:16:31 GMT", "Sat, 20 Nov 2066 08:15:31 GMT", seconds(60)},
      // No Date, or none that can be read: our clock.
      {"Fri, 20 Nov 2026 08:16:31 GMT", "", seconds(60)},
      {"Fri, 20 Nov 2026 08:16:31 GMT", "yesterday", seconds(60)},
      // In the past.
      {"Fri, 20 Nov 2026 08:15:30 GMT", kNow, seconds(0)},
      {"Sun, 06 Nov 1994 08:49:37 GMT", kNow, seconds(0)},
      {"Sunday, 06-Nov-94 08:49:37 GMT", kNow, seconds(0)},
      // Far away.
      {"Fri, 31 Dec 9999 23:59:59 GMT", kNow, hours(10 * 366 * 24)},
      // Not one of the forms.
      {"", "", std::nullopt},
      {"-", "", std::nullopt},
      {"soon", "", std::nullopt},
      {"12s", "", std::nullopt},
      {"0x10", "", std::nullopt},
      {"1.", "", std::nullopt},
      {".5", "", std::nullopt},
      {"1.2.3", "", std::nullopt},
      {"+5", "", std::nullopt},
      {"2026-11-20T08:16:31Z", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 08:16:31", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 08:16:31 CET", kNow, std::nullopt},
      {"Fri, 31 Feb 2026 08:16:31 GMT", kNow, std::nullopt},
      {"Fri, 00 Nov 2026 08:16:31 GMT", kNow, std::nullopt},
      {"Fri, 20 Xyz 2026 08:16:31 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 202 08:16:31 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 20266 08:16:31 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 24:00:00 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 08:60:00 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 08:16:61 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 8:16:31 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 08:16 GMT", kNow, std::nullopt},
      {"Fri, 20 Nov 2026 08:16:31 GMT GMT", kNow, std::nullopt},
      {std::string("12\0", 3), "", std::nullopt},
  };
  for (const RetryAfterCase& test : kCases) {
    EXPECT_EQ(ParseRetryAfter(test.value, test.date, kWall), test.expected)
        << "\"" << test.value << "\" against \"" << test.date << "\"";
  }
}

TEST(RetryAfter, HugeGarbageIsRefusedQuickly) {
  EXPECT_EQ(ParseRetryAfter(std::string(1'000'000, '9'), "", kWall), hours(10 * 366 * 24));
  EXPECT_EQ(ParseRetryAfter(std::string(1'000'000, ','), std::string(1'000'000, ' '), kWall), std::nullopt);
}

struct RateCase {
  std::string name;
  test::HeaderList headers;
  bool exhausted;
  std::optional<milliseconds> reset;
};

TEST(RateHeaders, TableOfForms) {
  const RateCase kCases[] = {
      {"none", {}, false, std::nullopt},
      {"draft, left", {{"ratelimit", "\"default\";r=50;t=30"}}, false, seconds(30)},
      {"draft, used up", {{"ratelimit", "\"default\";r=0;t=30"}}, true, seconds(30)},
      {"draft, spaces and unknown parameters", {{"ratelimit", " \"a\"; r=0 ;pk=:cHk=: ; t=30;x"}}, true, seconds(30)},
      {"draft, token as name", {{"ratelimit", "default;r=0;t=30"}}, true, seconds(30)},
      {"draft, separators within the name", {{"ratelimit", R"("a,b;r=9;\"t=1";r=0;t=30)"}}, true, seconds(30)},
      {"draft, the exhausted of two", {{"ratelimit", "\"burst\";r=0;t=5, \"day\";r=900;t=80000"}}, true, seconds(5)},
      {"draft, the longest of two exhausted", {{"ratelimit", "\"a\";r=0;t=5,\"b\";r=0;t=60"}}, true, seconds(60)},
      {"draft, two header lines", {{"ratelimit", "\"a\";r=1;t=5"}, {"ratelimit", "\"b\";r=0;t=60"}}, true, seconds(60)},
      {"draft, the shortest when none is exhausted",
       {{"ratelimit", "\"a\";r=1;t=9, \"b\";r=2;t=60"}},
       false,
       seconds(9)},
      {"draft, exhausted without a time", {{"ratelimit", "\"a\";r=0"}}, true, std::nullopt},
      {"draft 7", {{"ratelimit", "limit=10, remaining=0, reset=7"}}, true, seconds(7)},
      {"draft 7, left", {{"ratelimit", "limit=10, remaining=3, reset=7"}}, false, seconds(7)},
      {"earlier drafts", {{"ratelimit-remaining", "0"}, {"ratelimit-reset", "8"}}, true, seconds(8)},
      {"earlier drafts with a window", {{"ratelimit-remaining", "0;w=60"}, {"ratelimit-reset", "8"}}, true, seconds(8)},
      {"x, seconds left", {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "12"}}, true, seconds(12)},
      {"x, fraction", {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "0.25"}}, true, seconds(1)},
      {"x, epoch", {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1795162571"}}, true, seconds(40)},
      {"x, epoch against their Date",
       {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1577836860"}, {"date", "Wed, 01 Jan 2020 00:00:00 GMT"}},
       true,
       seconds(60)},
      {"x, epoch in milliseconds",
       {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1795162571000"}},
       true,
       seconds(40)},
      {"x, epoch in the past", {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1500000000"}}, true, seconds(0)},
      {"x, the largest that is no epoch", {{"x-ratelimit-reset", "999999999"}}, false, hours(10 * 366 * 24)},
      {"x-rate-limit", {{"x-rate-limit-remaining", "0"}, {"x-rate-limit-reset", "3"}}, true, seconds(3)},
      {"negative remaining is used up",
       {{"x-ratelimit-remaining", "-1"}, {"x-ratelimit-reset", "3"}},
       true,
       seconds(3)},
      {"a date as reset is not read",
       {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "2026-11-20T09:00:00Z"}},
       true,
       std::nullopt},
      {"garbage",
       {{"ratelimit", ";;,,=;\"\\"}, {"x-ratelimit-remaining", "many"}, {"x-ratelimit-reset", "?"}},
       false,
       std::nullopt},
      {"huge", {{"ratelimit", "\"a\";r=99999999999999999999;t=99999999999999999999"}}, false, hours(10 * 366 * 24)},
      {"huge epoch", {{"x-ratelimit-reset", "9223372036854775807"}}, false, hours(10 * 366 * 24)},
  };
  for (const RateCase& test : kCases) {
    const WaitHints hints = ReadWaitHints(test::Http(429, "", test.headers), kWall);
    EXPECT_EQ(hints.exhausted, test.exhausted) << test.name;
    EXPECT_EQ(hints.reset, test.reset) << test.name;
    EXPECT_FALSE(hints.retry_after) << test.name;
  }
}

}  // namespace
}  // namespace packhorse::outcome
