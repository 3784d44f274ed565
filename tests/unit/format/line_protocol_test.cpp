#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "format/line_protocol/writer.h"

namespace packhorse::format {
namespace {

using std::string_view_literals::operator""sv;

std::string Line(std::string_view measurement, const std::vector<Named>& tags, const std::vector<Named>& fields,
                 LineIntegers integers = LineIntegers::kFloat) {
  std::string out = "before\n";
  const Written written = AppendLine(out, measurement, tags, fields, std::nullopt, integers);
  EXPECT_EQ(out.substr(0, 7), "before\n");
  if (!written) {
    EXPECT_EQ(out.size(), 7U);
    return std::string("missing: ") + written.missing;
  }
  return out.substr(7) + (written.lossy ? "lossy" : "");
}

TEST(LineProtocol, TagsAndFieldsAndTimeStandInTheirPlaces) {
  std::string out;
  const std::vector<Named> tags = {{"device", "press-1"sv}, {"shift", std::int64_t{2}}, {"hot", true}};
  const std::vector<Named> fields = {{"temp", 21.5}, {"state", "on"sv}, {"ok", false}};
  EXPECT_TRUE(AppendLine(out, "plant", tags, fields, 1763630131000000000));
  EXPECT_TRUE(AppendLine(out, "plant", {}, fields, -1));
  EXPECT_EQ(out,
            "plant,device=press-1,shift=2,hot=true temp=21.5,state=\"on\",ok=false 1763630131000000000\n"
            "plant temp=21.5,state=\"on\",ok=false -1\n");
}

TEST(LineProtocol, EachPlaceHasItsEscapes) {
  EXPECT_EQ(Line("a b,c=d", {{"t a,g=1", "v a,l=\"1"sv}}, {{"f a,b=\"", "q\"b\\s, ="sv}}),
            "a\\ b\\,c=d,t\\ a\\,g\\=1=v\\ a\\,l\\=\"1 f\\ a\\,b\\=\"=\"q\\\"b\\\\s, =\"\n");
}

TEST(LineProtocol, WhatHasNoEscapeIsWrittenOtherwiseAndLossy) {
  EXPECT_EQ(Line("m", {{"t", "two\nlines"sv}}, {{"f", 1.5}}), "m,t=two\\ lines f=1.5\nlossy");
  EXPECT_EQ(Line("m", {{"t", "path\\"sv}}, {{"f", 1.5}}), "m,t=path/ f=1.5\nlossy");
  EXPECT_EQ(Line("m\\", {{"t\\", "a\\b"sv}}, {{"f\\", 1.5}}), "m/,t/=a\\b f/=1.5\nlossy");
  EXPECT_EQ(Line("#m", {}, {{"f", "a\r\n\"b\""sv}}), "_m f=\"a\\r\\n\\\"b\\\"\"\nlossy");
}

TEST(LineProtocol, IntegersAreFloatsUnlessWantedOtherwise) {
  const std::vector<Named> fields = {{"a", std::int64_t{-9007199254740993}},
                                     {"b", std::uint64_t{9223372036854775807U}},
                                     {"c", std::uint64_t{18446744073709551615U}},
                                     {"d", 2.0}};
  EXPECT_EQ(Line("m", {}, fields), "m a=-9007199254740993,b=9223372036854775807,c=18446744073709551615,d=2\n");
  EXPECT_EQ(Line("m", {}, fields, LineIntegers::kInteger),
            "m a=-9007199254740993i,b=9223372036854775807i,c=18446744073709551615,d=2\n");
}

TEST(LineProtocol, WhatHasNoValueIsLeftOut) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Line("m", {{"a", ""sv}, {"", "x"sv}, {"b", nullptr}, {"c", nan}},
                 {{"d", nullptr}, {"e", nan}, {"f", -infinity}, {"", 1.5}, {"g", ""sv}}),
            "m g=\"\"\n");
}

TEST(LineProtocol, LineWithoutMeasurementOrFieldIsNone) {
  EXPECT_EQ(Line("m", {{"a", "b"sv}}, {}), "missing: a field");
  EXPECT_EQ(Line("m", {}, {{"a", nullptr}, {"b", std::numeric_limits<double>::quiet_NaN()}}), "missing: a field");
  EXPECT_EQ(Line("", {}, {{"a", 1.5}}), "missing: a measurement");
}

TEST(LineProtocol, BodySplitsIntoItsLines) {
  std::string body;
  const std::vector<Named> fields = {{"f", "a\nb"sv}};
  for (int i = 0; i < 3; ++i) {
    AppendLine(body, "m", {}, fields, i);
  }
  const auto lines = SplitLines(body, 3);
  ASSERT_TRUE(lines);
  EXPECT_EQ(*lines, (std::vector<std::string_view>{"m f=\"a\\nb\" 0\n", "m f=\"a\\nb\" 1\n", "m f=\"a\\nb\" 2\n"}));
  EXPECT_FALSE(SplitLines(body, 2));
  EXPECT_FALSE(SplitLines(body.substr(0, body.size() - 1), 3));
  EXPECT_EQ(SplitLines("", 0)->size(), 0U);
}

}  // namespace
}  // namespace packhorse::format
