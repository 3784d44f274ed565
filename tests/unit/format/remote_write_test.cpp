#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/encode.h"
#include "format/remote_write/writer.h"

namespace packhorse::format {
namespace {

using std::string_view_literals::operator""sv;

std::string Series(const std::vector<Named>& labels, const Scalar& value, std::int64_t time_ms) {
  std::string out;
  const Written written = AppendSeries(out, labels, value, time_ms);
  return written ? out : std::string("missing: ") + written.missing;
}

// A Protobuf field of bytes shorter than 128.
std::string Field(char tag, std::string_view bytes) {
  return std::string(1, tag) + static_cast<char>(bytes.size()) + std::string(bytes);
}
std::string LabelField(std::string_view name, std::string_view value) {
  return Field('\x0a', Field('\x0a', name) + Field('\x12', value));
}

TEST(RemoteWrite, SeriesIsAsTheMessageDefinitionSays) {
  // 21.5 is 0x4035800000000000; 1000 is 0xE8 0x07 as a varint.
  const std::string sample = Field('\x12', std::string("\x09\x00\x00\x00\x00\x00\x80\x35\x40\x10\xe8\x07", 12));
  EXPECT_EQ(Hex(Series({{"device", "press-1"sv}, {"__name__", "temp"sv}}, 21.5, 1000)),
            Hex(Field('\x0a', LabelField("__name__", "temp") + LabelField("device", "press-1") + sample)));
}

TEST(RemoteWrite, NegativeTimeIsTwosComplement) {
  const std::string series = Series({{"__name__", "t"sv}}, 0.0, -1);
  EXPECT_EQ(Hex(series.substr(series.size() - 11)), "10ffffffffffffffffff01");
}

TEST(RemoteWrite, NamesBecomeLegalAndTheSeriesIsLossy) {
  std::string out;
  const std::vector<Named> labels = {{"__name__", "1.a:b°"sv}, {"x.y:z", "kept: ü"sv}, {"empty", ""sv}, {"n", nullptr}};
  const Written written = AppendSeries(out, labels, 1.5, 0);
  EXPECT_TRUE(written);
  EXPECT_TRUE(written.lossy);
  EXPECT_NE(out.find(LabelField("__name__", "_1_a:b_") + LabelField("x_y_z", "kept: ü")), std::string::npos);
  EXPECT_EQ(out.find("empty"), std::string::npos);
}

TEST(RemoteWrite, EveryNumberIsADouble) {
  const std::vector<Named> labels = {{"__name__", "t"sv}};
  EXPECT_EQ(Series(labels, true, 0), Series(labels, 1.0, 0));
  EXPECT_EQ(Series(labels, std::int64_t{-3}, 0), Series(labels, -3.0, 0));
  EXPECT_EQ(Series(labels, std::uint64_t{3}, 0), Series(labels, 3.0, 0));
  EXPECT_NE(Series(labels, std::numeric_limits<double>::quiet_NaN(), 0), "missing: a number");
  std::string out;
  EXPECT_FALSE(AppendSeries(out, labels, std::int64_t{9007199254740992}, 0).lossy);
  EXPECT_TRUE(AppendSeries(out, labels, std::int64_t{9007199254740993}, 0).lossy);
}

TEST(RemoteWrite, SeriesThatLacksSomethingIsNone) {
  EXPECT_EQ(Series({{"device", "a"sv}}, 1.5, 0), "missing: the label __name__");
  EXPECT_EQ(Series({{"__name__", ""sv}}, 1.5, 0), "missing: the label __name__");
  EXPECT_EQ(Series({{"__name__", "t"sv}}, nullptr, 0), "missing: a number");
  EXPECT_EQ(Series({{"__name__", "t"sv}}, "1"sv, 0), "missing: a number");
  EXPECT_EQ(Series({{"__name__", "t"sv}, {"a.b", "1"sv}, {"a_b", "2"sv}}, 1.5, 0),
            "missing: names of labels that differ");
}

TEST(RemoteWrite, BodySplitsIntoItsSeries) {
  std::string body;
  std::vector<std::string> series;
  for (const std::string& device : {std::string("a"), std::string(300, 'b'), std::string("c")}) {
    series.push_back(Series({{"__name__", "t"sv}, {"device", std::string_view(device)}}, 1.5, 0));
    body += series.back();
  }
  const auto parts = SplitSeries(body, 3);
  ASSERT_TRUE(parts);
  EXPECT_EQ(std::vector<std::string>(parts->begin(), parts->end()), series);
  EXPECT_FALSE(SplitSeries(body, 2));
  EXPECT_FALSE(SplitSeries(body.substr(0, body.size() - 1), 3));
  EXPECT_FALSE(SplitSeries("\x12\x01x", 3)) << "another field";
  EXPECT_FALSE(SplitSeries("\x0a\xff\xff\xff\xff\x0f", 3));
  EXPECT_EQ(SplitSeries("", 0)->size(), 0U);
}

}  // namespace
}  // namespace packhorse::format
