#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "format/json/plain.h"
#include "format/json/reader.h"

namespace packhorse::format {
namespace {

struct ScalarCase {
  std::string text;
  Scalar value;
  bool lossy;
};

TEST(JsonReader, ScalarsKeepTheirTypeAndEveryDigitThatFits) {
  const double huge = 1.7976931348623157e308;
  const std::vector<ScalarCase> cases = {
      {"true", true, false},
      {"false", false, false},
      {"null", nullptr, false},
      {"0", std::int64_t{0}, false},
      {"-0", std::int64_t{0}, false},
      {"9223372036854775807", std::numeric_limits<std::int64_t>::max(), false},
      {"-9223372036854775808", std::numeric_limits<std::int64_t>::min(), false},
      {"9223372036854775808", std::uint64_t{9223372036854775808U}, false},
      {"18446744073709551615", std::numeric_limits<std::uint64_t>::max(), false},
      {"18446744073709551616", 18446744073709551616.0, false},
      {"18446744073709551617", 18446744073709551616.0, true},
      {"-9223372036854775809", -9223372036854775808.0, true},
      {"12345678901234567890.123", 12345678901234567890.123, true},
      {"21.5", 21.5, false},
      {"48.0", 48.0, false},
      {"-0.0", -0.0, false},
      {"0.1", 0.1, false},
      {"0.30000000000000004", 0.30000000000000004, false},
      {"0.10000000000000001", 0.1, false},
      {"0.1000000000000000055511151231257827", 0.1, false},
      {"3.14159265358979323846", 3.14159265358979323846, true},
      {"100000000000000000000.000", 1e20, false},
      {"1E5", 1e5, false},
      {"1e+2", 100.0, false},
      {"1.7976931348623157e308", huge, false},
      {"1e999", nullptr, true},
      {"-1e999", nullptr, true},
      {"1e99999999999999999999", nullptr, true},
      {"1e-999", 0.0, true},
      {"1e-99999999999999999999", 0.0, true},
      {"0." + std::string(400, '0') + "1e10", 0.0, true},
      {"1" + std::string(400, '0') + "e-10", nullptr, true},
      {"0e999", 0.0, false},
  };
  for (const ScalarCase& c : cases) {
    JsonReader reader(c.text);
    Scalar value;
    ASSERT_TRUE(reader.ReadScalar(reader.Peek(), &value)) << c.text;
    EXPECT_EQ(value, c.value) << c.text;
    EXPECT_EQ(reader.Since(0), c.text);
    EXPECT_EQ(reader.TakeLossy(), c.lossy) << c.text;
    EXPECT_TRUE(reader.AtEnd()) << c.text;
  }
}

struct FaultCase {
  std::string text;
  std::string reason;
  std::size_t offset;
};

TEST(JsonReader, BrokenScalarsSayWhatAndWhere) {
  const std::vector<FaultCase> cases = {
      {"tru", "truncated_json", 3},    {"trux", "invalid_json", 3},  {"nul", "truncated_json", 3},
      {"nan", "nan_literal", 0},       {"NaN", "nan_literal", 0},    {"Infinity", "nan_literal", 0},
      {"-Infinity", "nan_literal", 0}, {"-", "truncated_json", 1},   {"-a", "invalid_json", 1},
      {"01", "invalid_json", 0},       {"1.", "truncated_json", 2},  {"1.x", "invalid_json", 2},
      {"1e", "truncated_json", 2},     {"1e+", "truncated_json", 3}, {"1ex", "invalid_json", 2},
      {".5", "invalid_json", 0},       {"+1", "invalid_json", 0},    {"Online", "invalid_json", 0},
      {"", "truncated_json", 0},       {"'a'", "invalid_json", 0},
  };
  for (const FaultCase& c : cases) {
    JsonReader reader(c.text);
    Scalar value;
    ASSERT_FALSE(reader.ReadScalar(reader.Peek(), &value)) << c.text;
    EXPECT_EQ(reader.fault().reason, c.reason) << c.text;
    EXPECT_EQ(reader.fault().offset, c.offset) << c.text;
  }
}

struct TextCase {
  std::string text;
  std::string value;
  bool lossy;
};

TEST(JsonReader, StringsAreUnescaped) {
  const std::vector<TextCase> cases = {
      {R"("")", "", false},
      {R"("plain")", "plain", false},
      {R"("a\"b\\c\/d\b\f\n\r\t")", "a\"b\\c/d\b\f\n\r\t", false},
      {R"("\u0041\u00e9\u20AC")", "A\xC3\xA9\xE2\x82\xAC", false},
      {R"("\ud83d\ude00!")", "\xF0\x9F\x98\x80!", false},
      {R"("a\u0000b")", std::string("a\0b", 3), false},
      {"\"M\xC3\xBCller \xE2\x82\xAC \xF0\x9F\x98\x80\"", "M\xC3\xBCller \xE2\x82\xAC \xF0\x9F\x98\x80", false},
      {"\"\\n\xC3\xBC\"", "\n\xC3\xBC", false},
      {"\"\x7F\"", "\x7F", false},
      // Half a surrogate pair has no UTF-8 form.
      {R"("\ud83d")", "\xEF\xBF\xBD", true},
      {R"("\ude00x")", "\xEF\xBF\xBDx", true},
      {R"("\ud83d\u0041")",
       "\xEF\xBF\xBD"
       "A",
       true},
      {R"("\ud83d\ud83d\ude00")", "\xEF\xBF\xBD\xF0\x9F\x98\x80", true},
  };
  for (const TextCase& c : cases) {
    JsonReader reader(c.text);
    std::string_view value;
    ASSERT_TRUE(reader.ReadString(&value)) << c.text;
    EXPECT_EQ(value, c.value) << c.text;
    EXPECT_EQ(reader.TakeLossy(), c.lossy) << c.text;
    EXPECT_TRUE(reader.AtEnd()) << c.text;
  }
}

TEST(JsonReader, BrokenStringsSayWhatAndWhere) {
  const std::vector<FaultCase> cases = {
      {"\"", "truncated_json", 1},
      {"\"ab", "truncated_json", 3},
      {"\"a\\", "truncated_json", 3},
      {"\"a\\\"", "truncated_json", 4},
      {"\"\\u12\"", "invalid_json", 5},
      {"\"\\u12", "truncated_json", 5},
      {"\"\\ud83d\\u", "truncated_json", 9},
      {"\"\\x41\"", "invalid_json", 2},
      {"\"a\nb\"", "invalid_json", 2},
      {std::string("\"a\0b\"", 5), "invalid_json", 2},
      {"\"\\na\nb\"", "invalid_json", 4},
      {"\"\xB0"
       "C\"",
       "invalid_utf8", 1},
      {"\"\\n\xB0"
       "C\"",
       "invalid_utf8", 3},
      {"\"\xC0\xAF\"", "invalid_utf8", 1},          // overlong
      {"\"\xED\xA0\x80\"", "invalid_utf8", 1},      // surrogate
      {"\"\xF4\x90\x80\x80\"", "invalid_utf8", 1},  // above U+10FFFF
      {"\"\xF0\x9F\x98\"", "invalid_utf8", 1},
      {"\"\xE2\x82", "invalid_utf8", 1},
  };
  for (const FaultCase& c : cases) {
    JsonReader reader(c.text);
    std::string_view value;
    ASSERT_FALSE(reader.ReadString(&value)) << c.text;
    EXPECT_EQ(reader.fault().reason, c.reason) << c.text;
    EXPECT_EQ(reader.fault().offset, c.offset) << c.text;
  }
}

// What becomes of one byte among plain ones, in words of eight bytes and at their edges, whatever is behind the string.
struct ByteCase {
  std::string byte;
  const char* reason;   // null: it stands for itself
  std::size_t further;  // the fault is so many bytes behind it
};

TEST(JsonReader, EachByteAtEachPlaceOfAStringIsNoticed) {
  std::vector<ByteCase> cases = {
      {"\\x", "invalid_json", 1}, {"\xC3\xBC", nullptr, 0}, {"\xF0\x9F\x98\x80", nullptr, 0}};
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (c != '"' && c != '\\') {
      cases.push_back({std::string(1, c), byte < 0x20 ? "invalid_json" : byte < 0x80 ? nullptr : "invalid_utf8", 0});
    }
  }
  for (const ByteCase& c : cases) {
    for (std::size_t length = 0; length < 18; ++length) {
      for (std::size_t at = 0; at <= length; ++at) {
        const std::string held = std::string(at, 'a') + c.byte + std::string(length - at, 'z');
        const std::string text = '"' + held + '"' + std::string(length % 9, '"');
        JsonReader reader(text);
        std::string_view value;
        ASSERT_EQ(reader.ReadString(&value), c.reason == nullptr) << text;
        if (c.reason == nullptr) {
          ASSERT_EQ(value, held);
          ASSERT_EQ(reader.offset(), held.size() + 2) << text;
          ASSERT_TRUE(reader.IsOfText(value)) << text;
        } else {
          ASSERT_EQ(std::string(reader.fault().reason), c.reason) << text;
          ASSERT_EQ(reader.fault().offset, at + 1 + c.further) << text;
        }
      }
    }
  }
}

TEST(JsonReader, EscapeAtEachPlaceIsReadAndTextMayEndAnywhere) {
  for (std::size_t length = 0; length < 18; ++length) {
    for (std::size_t at = 0; at <= length; ++at) {
      const std::string plain(at, 'a');
      const std::string text = '"' + plain + "\\n" + std::string(length - at, 'z') + '"';
      JsonReader reader(text);
      std::string_view value;
      ASSERT_TRUE(reader.ReadString(&value)) << text;
      EXPECT_EQ(value, plain + '\n' + std::string(length - at, 'z'));
      EXPECT_FALSE(reader.IsOfText(value));
      EXPECT_TRUE(reader.AtEnd());
    }
    const std::string open = '"' + std::string(length, 'a');
    JsonReader reader(open);
    std::string_view value;
    ASSERT_FALSE(reader.ReadString(&value));
    EXPECT_EQ(std::string(reader.fault().reason), "truncated_json");
    EXPECT_EQ(reader.fault().offset, open.size());
  }
}

TEST(JsonReader, NumberEndsWhereItsTextDoes) {
  for (const std::string number : {"7", "-7", "0", "0.5", "-0.5", "12.25", "123456789012345", "1234567890123456",
                                   "12345678.1234567", "12345678.12345678", "1e2", "1.5E-2"}) {
    for (const std::string behind : {"", ",", " ", "}", "x", ".", "-", "\xC3"}) {
      if (behind == "." && number.find_first_of(".eE") == std::string::npos) {
        continue;
      }
      const std::string text = number + behind;
      JsonReader reader(text);
      Scalar value;
      ASSERT_TRUE(reader.ReadScalar(reader.Peek(), &value)) << text;
      EXPECT_EQ(reader.Since(0), number) << text;
      const double read = std::holds_alternative<double>(value) ? std::get<double>(value)
                                                                : static_cast<double>(std::get<std::int64_t>(value));
      EXPECT_EQ(read, std::stod(number)) << text;
    }
  }
}

TEST(JsonReader, PeekSkipsWhiteSpaceWhichCanBeSeenAfterwards) {
  JsonReader reader(" \t x \r\n y");
  EXPECT_EQ(reader.Peek(), 'x');
  EXPECT_EQ(reader.Since(0), " \t ");
  reader.Take();
  const std::size_t behind = reader.offset();
  EXPECT_EQ(reader.Peek(), 'y');
  EXPECT_EQ(reader.Since(behind), " \r\n ");
  reader.Take();
  EXPECT_EQ(reader.Peek(), '\0');
  EXPECT_TRUE(reader.AtEnd());
}

// A decimal of JSON's grammar; mostly short, as sensors send them.
std::string AnyDecimal(Random& random) {
  const auto digits = [&random](std::uint64_t most) {
    std::string text;
    for (std::uint64_t left = 1 + random.UpTo(random.UpTo(3) == 0 ? most : 4); left > 0; --left) {
      text += static_cast<char>('0' + random.UpTo(9));
    }
    return text;
  };
  std::string text = random.UpTo(2) == 0 ? "-" : "";
  const std::string whole = digits(21);
  text += whole.front() == '0' ? "0" : whole;
  if (random.UpTo(2) > 0) {
    text += '.' + digits(21);
  }
  if (random.UpTo(7) == 0) {
    text += (random.UpTo(1) == 0 ? "e" : "E-") + std::to_string(random.UpTo(200));
  }
  return text;
}

TEST(JsonReader, AnyDecimalReadsAsTheStandardLibraryReadsIt) {
  const std::uint64_t seed = RandomSeed();
  Random random(seed);
  for (int round = 0; round < 50'000; ++round) {
    const std::string number = AnyDecimal(random);
    const std::string text = number + std::string(random.UpTo(9), ' ');
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + text);
    JsonReader reader(text);
    Scalar value;
    ASSERT_TRUE(reader.ReadScalar(reader.Peek(), &value));
    ASSERT_EQ(reader.Since(0), number);
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      std::int64_t wanted = 0;
      ASSERT_TRUE(ReadNumber(number, wanted));
      ASSERT_EQ(*whole, wanted);
    } else if (const auto* large = std::get_if<std::uint64_t>(&value)) {
      std::uint64_t wanted = 0;
      ASSERT_TRUE(ReadNumber(number, wanted));
      ASSERT_EQ(*large, wanted);
    } else {
      double wanted = 0;
      ASSERT_TRUE(ReadNumber(number, wanted));
      ASSERT_EQ(std::bit_cast<std::uint64_t>(std::get<double>(value)), std::bit_cast<std::uint64_t>(wanted));
      std::int64_t none = 0;
      ASSERT_FALSE(ReadNumber(number, none));
    }
  }
}

TEST(JsonReader, DigitsAloneAreReadByWordsAsOneByOne) {
  const std::string digits = "9081726354453627180";
  for (std::size_t size = 0; size <= digits.size(); ++size) {
    const std::string text = digits.substr(0, size);
    std::uint64_t wanted = 0;
    std::uint64_t number = 1;
    ReadNumber(text, wanted);
    ASSERT_TRUE(ReadDigits(text, number)) << text;
    EXPECT_EQ(number, wanted);
    for (std::size_t at = 0; at < size; ++at) {
      for (const char other : {'/', ':', '.', '-', ' ', '\0', '\x7F', '\x80', '\xB0', '\xFF'}) {
        std::string broken = text;
        broken[at] = other;
        EXPECT_FALSE(ReadDigits(broken, number)) << broken;
      }
    }
  }
}

TEST(JsonReader, AByteIsTakenOnlyWhereItIsNext) {
  JsonReader reader(" ,\n: ");
  EXPECT_FALSE(reader.TakeIf(':'));
  EXPECT_TRUE(reader.TakeIf(','));
  EXPECT_FALSE(reader.TakeIf(','));
  EXPECT_EQ(reader.offset(), 3U);
  EXPECT_TRUE(reader.TakeIf(':'));
  EXPECT_FALSE(reader.TakeIf(':'));
  EXPECT_TRUE(reader.AtEnd());
}

}  // namespace
}  // namespace packhorse::format
