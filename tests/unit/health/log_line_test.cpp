#include "health/log_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"

namespace packhorse::health {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr WallTime kStamp{std::chrono::microseconds(1'795'162'531'500'000)};
constexpr MonoTime kMono{seconds(1'000)};

LogLine Line(std::string_view message, const std::vector<LogField>& fields = {},
             std::string_view event = "event_name") {
  return {kStamp, LogLevel::kWarning, event, message, fields};
}

TEST(LogLine, JsonHasTheStatedMembersInOrder) {
  const std::vector<LogField> fields = {{"destination", "cloud"}, {"status", "404"}};
  EXPECT_EQ(FormatJson(Line("HTTP 404 Not Found", fields, "destination_held")),
            R"({"ts":"2026-11-20T08:15:31.500000Z","level":"warning","event":"destination_held",)"
            R"("message":"HTTP 404 Not Found","fields":{"destination":"cloud","status":"404"}})");
}

TEST(LogLine, JsonWithoutFieldsHasNoFieldsMember) {
  EXPECT_EQ(FormatJson(Line("m")),
            R"({"ts":"2026-11-20T08:15:31.500000Z","level":"warning","event":"event_name","message":"m"})");
}

TEST(LogLine, TextIsForPeople) {
  const std::vector<LogField> fields = {
      {"destination", "cloud"}, {"why", "two words"}, {"empty", ""}, {"q", "a\"b\\c"}};
  EXPECT_EQ(FormatText(Line("HTTP 404 Not Found", fields, "destination_held")),
            "2026-11-20T08:15:31.500000Z warning destination_held: HTTP 404 Not Found destination=cloud "
            "why=\"two words\" empty=\"\" q=\"a\\\"b\\\\c\"");
}

TEST(LogLine, ControlCharactersNeverReachTheTerminal) {
  std::string all;
  for (int c = 0; c < 0x20; ++c) {
    all += static_cast<char>(c);
  }
  all += "\x7f\xc2\x80\xc2\x9b";
  const std::vector<LogField> fields = {{all, all}};
  for (const std::string& line : {FormatJson(Line(all, fields, all)), FormatText(Line(all, fields, all))}) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      ASSERT_GE(static_cast<unsigned char>(line[i]), 0x20U);
      ASSERT_NE(line[i], '\x7f');
      ASSERT_FALSE(line[i] == '\xc2' && static_cast<unsigned char>(line[i + 1]) < 0xA0U);
    }
  }
  EXPECT_EQ(nlohmann::json::parse(FormatJson(Line(all)))["message"], all);
  EXPECT_THAT(FormatText(Line("a\nb\tc\x1b[31md\x7f\xc2\x9b")), HasSubstr("a\\nb\\tc\\x1b[31md\\x7f\\x9b"));
}

TEST(LogLine, OtherTextStaysReadable) {
  EXPECT_THAT(FormatJson(Line("Temperatur zu hoch: 21 \u00b0C")), HasSubstr("21 \u00b0C"));
  EXPECT_THAT(FormatText(Line("Temperatur zu hoch: 21 \u00b0C")), HasSubstr("21 \u00b0C"));
}

TEST(LogLine, InvalidUtf8IsReplaced) {
  const std::vector<LogField> fields = {{"k\xff", "v\xc3"}};
  for (const std::string& line :
       {FormatJson(Line("a\xff\xe2\x82z", fields)), FormatText(Line("a\xff\xe2\x82z", fields))}) {
    EXPECT_TRUE(IsValidUtf8(line));
    EXPECT_THAT(line, HasSubstr("\xEF\xBF\xBD"));
  }
}

TEST(LogLine, IsBoundedWhateverGoesIn) {
  const std::string plain(100'000, 'x');
  const std::string growing(100'000, '\x01');  // six bytes each in JSON
  const std::string broken(100'000, '\xff');   // three bytes each
  for (const std::string& text : {plain, growing, broken}) {
    std::vector<LogField> fields;
    for (int i = 0; i < 100; ++i) {
      fields.emplace_back(text, text);
    }
    for (const std::string& line : {FormatJson(Line(text, fields, text)), FormatText(Line(text, fields, text)),
                                    FormatJson(Line(text)), FormatText(Line(text))}) {
      EXPECT_LT(line.size(), kMaxLineBytes);
      EXPECT_TRUE(IsValidUtf8(line));
      EXPECT_THAT(line, HasSubstr("cut"));
    }
    EXPECT_FALSE(nlohmann::json::parse(FormatJson(Line(text, fields)), nullptr, false).is_discarded());
  }
}

TEST(LogLine, WhatFitsIsNotCut) {
  const std::string message(2'048, 'm');
  const std::vector<LogField> fields = {{"a", std::string(1'000, 'a')}};
  EXPECT_THAT(FormatText(Line(message, fields)), testing::EndsWith("aaa"));
  EXPECT_EQ(nlohmann::json::parse(FormatJson(Line(message, fields)))["message"], message);
}

TEST(LogLine, LevelsHaveTheNamesOfTheConfiguration) {
  EXPECT_EQ(Name(LogLevel::kError), "error");
  EXPECT_EQ(Name(LogLevel::kWarning), "warning");
  EXPECT_EQ(Name(LogLevel::kInfo), "info");
  EXPECT_EQ(Name(LogLevel::kDebug), "debug");
  EXPECT_EQ(Name(static_cast<LogLevel>(9)), "unknown");
}

TEST(LogLimiter, FiftyLinesPassInASecondAndTheRestIsCounted) {
  LogLimiter limiter;
  for (std::uint32_t i = 0; i < kMaxLinesPerSecond; ++i) {
    ASSERT_TRUE(limiter.Allow("storm", kMono + milliseconds(i)));
  }
  for (int i = 0; i < 1'234; ++i) {
    ASSERT_FALSE(limiter.Allow("storm", kMono + milliseconds(500)));
  }
  EXPECT_TRUE(limiter.TakeSuppressed(kMono + milliseconds(999)).empty()) << "the second is not over";
  const auto suppressed = limiter.TakeSuppressed(kMono + seconds(1));
  ASSERT_EQ(suppressed.size(), 1U);
  EXPECT_EQ(suppressed[0].event, "storm");
  EXPECT_EQ(suppressed[0].lines, 1'234U);
  EXPECT_TRUE(limiter.TakeSuppressed(kMono + seconds(1)).empty()) << "told once";
  EXPECT_TRUE(limiter.Allow("storm", kMono + seconds(1)));
}

TEST(LogLimiter, OneEventDoesNotSilenceAnother) {
  LogLimiter limiter;
  for (int i = 0; i < 100; ++i) {
    limiter.Allow("storm", kMono);
  }
  EXPECT_TRUE(limiter.Allow("calm", kMono));
}

TEST(LogLimiter, SuppressedLinesOfSeveralEventsAreEachTold) {
  LogLimiter limiter;
  for (int i = 0; i < 60; ++i) {
    limiter.Allow("a", kMono);
    limiter.Allow("b", kMono);
  }
  EXPECT_EQ(limiter.TakeSuppressed(kMono + seconds(2)).size(), 2U);
}

TEST(LogLimiter, BeyondItsNamesEventsShareOneCount) {
  LogLimiter limiter;
  for (int i = 0; i < 10'000; ++i) {
    limiter.Allow("event" + std::to_string(i), kMono);
  }
  const auto suppressed = limiter.TakeSuppressed(kMono + seconds(1));
  ASSERT_EQ(suppressed.size(), 1U);
  EXPECT_EQ(suppressed[0].lines, 10'000U - (kMaxLoggedEvents - 1) - kMaxLinesPerSecond);
}

}  // namespace
}  // namespace packhorse::health
