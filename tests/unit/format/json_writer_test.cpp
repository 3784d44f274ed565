#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "format/json/reader.h"
#include "format/json/writer.h"

namespace packhorse::format {
namespace {

std::string JsonOf(double number) {
  std::string out;
  AppendDouble(out, number);
  return out;
}

// What the standard library finds the shortest, marked as a double.
std::string Shortest(double number) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  std::string out(text.data(), end);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

TEST(JsonWriter, DoubleIsTheShortestThatReadsBack) {
  for (const double number : {0.0,
                              -0.0,
                              1.0,
                              -1.0,
                              0.1,
                              0.3,
                              1.5,
                              21.37,
                              -40.0,
                              1013.2,
                              3.999,
                              0.001,
                              0.0011,
                              0.00099,
                              1e-5,
                              10'000.0,
                              99'999.0,
                              0.49999999999999994,
                              0.0015,
                              2.5e-3,
                              99'999'999'999'999.9,
                              123'456'789'012.345,
                              562'949'953'421'312.25,
                              100'000.0,
                              120'000.0,
                              1'200'000.0,
                              1e15,
                              999'999'999'999'999.0,
                              1e15 + 1,
                              1e21,
                              1e22,
                              0.1 + 0.2,
                              2.0 / 3,
                              123'456'789.123456,
                              9'007'199'254'740'993.0,
                              5e-324,
                              std::numeric_limits<double>::max(),
                              std::numeric_limits<double>::min()}) {
    EXPECT_EQ(JsonOf(number), Shortest(number));
  }
}

TEST(JsonWriter, RandomDecimalIsTheShortestThatReadsBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    const auto digits = static_cast<double>(random() % static_cast<std::uint64_t>(std::pow(10, 1 + i % 16)));
    const double number = digits / std::pow(10, static_cast<double>(random() % 10)) * (i % 2 == 0 ? 1 : -1);
    ASSERT_EQ(JsonOf(number), Shortest(number)) << i;
  }
}

TEST(JsonWriter, RandomBitsAreTheShortestThatReadsBack) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 100'000; ++i) {
    const auto number = std::bit_cast<double>(std::uint64_t{random()});
    if (std::isfinite(number)) {
      ASSERT_EQ(JsonOf(number), Shortest(number)) << i;
    }
  }
}

TEST(JsonWriter, NumberThatJsonDoesNotHaveIsNull) {
  EXPECT_EQ(JsonOf(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(JsonOf(-std::numeric_limits<double>::infinity()), "null");
}

// Byte by byte, by the rules of RFC 8259 section 7.
std::string Escaped(char c) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  static constexpr std::string_view kShort = "\b\f\n\r\t\"\\";
  static constexpr std::string_view kLetters = "bfnrt\"\\";
  const auto byte = static_cast<unsigned char>(c);
  if (const auto at = kShort.find(c); at != std::string_view::npos) {
    return std::string("\\") + kLetters[at];
  }
  if (byte < 0x20 || byte == 0x7F) {
    return std::string("\\u00") + kHex[byte >> 4U] + kHex[byte & 0xFU];
  }
  return byte < 0x80 ? std::string(1, c) : "\xEF\xBF\xBD";  // alone it is no UTF-8
}

TEST(JsonWriter, EachByteAtEachPlaceIsEscaped) {
  for (std::size_t length = 1; length < 20; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, 'a');
        text[at] = static_cast<char>(byte);
        std::string out;
        AppendString(out, text);
        ASSERT_EQ(out, "\"" + std::string(at, 'a') + Escaped(text[at]) + std::string(length - at - 1, 'a') + "\"");
      }
    }
  }
}

TEST(JsonWriter, TextBeyondAsciiStays) {
  std::string out = "before";
  AppendString(out, "12345 gr\xC3\xBC\xC3\x9F 1234567 \xF0\x9F\x98\x80");
  EXPECT_EQ(out, "before\"12345 gr\xC3\xBC\xC3\x9F 1234567 \xF0\x9F\x98\x80\"");
}

TEST(JsonWriter, WorstTextFillsTheRoomThatIsAskedFor) {
  const std::string text(100, '\x01');
  std::string out;
  AppendString(out, text);
  EXPECT_EQ(out.size(), MostBytes(std::string_view(text)));
}

// The reader's short way to a double, against the standard library's.
TEST(JsonWriter, RandomDecimalIsReadAsTheStandardLibraryReadsIt) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 100'000; ++i) {
    std::string text = std::to_string(random() % static_cast<std::uint64_t>(std::pow(10, i % 15)));
    text += "." + std::to_string(random() % static_cast<std::uint64_t>(std::pow(10, i % 12)));
    text.insert(0, i % 3 == 0 ? "-" : "");
    double wanted = 0;
    std::from_chars(text.data(), text.data() + text.size(), wanted);
    JsonReader reader(text);
    Scalar value;
    ASSERT_TRUE(reader.ReadScalar(reader.Peek(), &value));
    ASSERT_EQ(std::bit_cast<std::uint64_t>(std::get<double>(value)), std::bit_cast<std::uint64_t>(wanted)) << text;
  }
}

}  // namespace
}  // namespace packhorse::format
