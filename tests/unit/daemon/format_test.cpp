#include "packhorse/format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace packhorse::cli {
namespace {

using std::chrono::seconds;

class Utc : public testing::Test {
 protected:
  Utc() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
  const WallTime now = *ParseTime("2026-11-20T09:15:31Z");
};

TEST(Format, NumbersAreGroupedByThousands) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1'000), "1,000");
  EXPECT_EQ(Grouped(18'446'744'073'709'551'615ULL), "18,446,744,073,709,551,615");
}

TEST(Format, SpansUseTheUnitsThatMatter) {
  EXPECT_EQ(Span(seconds(-3)), "0 s");
  EXPECT_EQ(Span(seconds(59)), "59 s");
  EXPECT_EQ(Span(seconds(60)), "1 min");
  EXPECT_EQ(Span(seconds(7'500)), "2 h 05 min");
  EXPECT_EQ(Span(seconds(360'000)), "4 d 4 h");
}

TEST(Format, LatenciesKeepTwoToThreeDigits) {
  EXPECT_EQ(Latency(0.84), "0.8 ms");
  EXPECT_EQ(Latency(12.34), "12 ms");
  EXPECT_EQ(Latency(2'345), "2.3 s");
}

TEST(ParseTime, DurationMeansSoLongAgoWhereThatIsAllowed) {
  const WallTime now = *ParseTime("2026-11-20T09:12:00Z");
  EXPECT_EQ(ParseTimeOrAgo("2h", now), ParseTime("2026-11-20T07:12:00Z"));
  EXPECT_EQ(ParseTimeOrAgo("0s", now), now);
  EXPECT_EQ(ParseTimeOrAgo("2026-11-20T07:12:00Z", now), ParseTime("2026-11-20T07:12:00Z"));
  EXPECT_FALSE(ParseTimeOrAgo("yesterday", now));
}

TEST(ParseTime, AcceptsZonesAndFractions) {
  EXPECT_EQ(FormatUtc(*ParseTime("2026-11-20T09:12:01.123456Z")), "2026-11-20T09:12:01.123456Z");
  EXPECT_EQ(FormatUtc(*ParseTime("2026-11-20 09:12:01.5+01:30")), "2026-11-20T07:42:01.500000Z");
  EXPECT_EQ(FormatUtc(*ParseTime("2026-11-20t09:12:01.123456789z")), "2026-11-20T09:12:01.123456Z");
  EXPECT_EQ(FormatUtc(*ParseTime("1969-12-31T23:59:59-00:01")), "1970-01-01T00:00:59.000000Z");
}

TEST(ParseTime, RefusesEverythingElse) {
  for (const char* text :
       {"", "now", "2026-11-20", "2026-11-20T09:12:01", "2026-13-20T09:12:01Z", "2026-02-30T09:12:01Z",
        "2026-11-20T24:12:01Z", "2026-11-20T09:60:01Z", "2026-11-20T09:12:61Z", "2026-11-20T09:12:01.Z",
        "2026-11-20T09:12:01.1234567890Z", "2026-11-20T09:12:01Z ", "2026-11-20T09:12:01+0130", "-026-11-20T09:12:01Z",
        "2026-11-20T09:12:01+24:00"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST_F(Utc, TimesOfTodayHaveNoDate) {
  EXPECT_EQ(SinceText(*ParseTime("2026-11-20T09:12:01Z"), now), "09:12:01 (3 min)");
  EXPECT_EQ(SinceText(*ParseTime("2026-11-19T09:12:01Z"), now), "2026-11-19 09:12:01 (1 d 0 h)");
}

TEST_F(Utc, TimesInSentencesAreMadeReadable) {
  EXPECT_EQ(HumaniseTimes("destination 'a' is held since 2026-11-20T09:12:01Z: HTTP 404", now),
            "destination 'a' is held since 09:12:01 (3 min): HTTP 404");
  EXPECT_EQ(HumaniseTimes("since when? since 2026", now), "since when? since 2026");
}

TEST(Printable, ControlCharactersDoNotReachTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[31mb\n\t\x7f"), "a?[31mb???");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m caf\xc3\xa9 \xc2\xb0"
                      "C"),
            "?31m caf\xc3\xa9 \xc2\xb0"
            "C");
}

TEST(Wrap, BreaksAtSpacesAndKeepsTheIndent) {
  EXPECT_EQ(Wrap("one two three", "  ! ", 4, 12), "  ! one two\n    three\n");
  EXPECT_EQ(Wrap("averyveryverylongword b", "- ", 2, 10), "- averyveryverylongword\n  b\n");
  EXPECT_EQ(Wrap("", "- ", 2, 10), "- \n");
}

TEST(Table, NumbersGoRightAndColoursTakeNoWidth) {
  const Style style(true);
  Table table({"NAME", "COUNT"});
  table.Add({style.Good("ok"), "5"});
  table.Add({"longer", "1,000"});
  const Style plain(false);
  EXPECT_EQ(table.Text(plain), "  NAME    COUNT\n  \x1b[32mok\x1b[0m          5\n  longer  1,000\n");
}

TEST(Style, WithoutColoursTextStaysAsItIs) {
  EXPECT_EQ(Style(false).State("held"), "held");
  EXPECT_EQ(Style(true).State("ok"), "\x1b[32mok\x1b[0m");
  EXPECT_EQ(Style(true).State("down"), "\x1b[31;1mdown\x1b[0m");
  EXPECT_EQ(Style(true).State("retrying"), "\x1b[33mretrying\x1b[0m");
}

}  // namespace
}  // namespace packhorse::cli
