#include "format/json/reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <system_error>

#include "base/text.h"

namespace packhorse::format {
namespace {

constexpr unsigned Byte(char c) { return static_cast<unsigned char>(c); }

// Bytes that stand for themselves inside a JSON string: printable ASCII except quote and backslash.
constexpr std::array<bool, 256> MakePlain() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) {
    plain[c] = c != '"' && c != '\\';
  }
  return plain;
}
constexpr std::array<bool, 256> kPlain = MakePlain();

// The significant digits of a decimal: no leading and no trailing zeros, no point, no exponent.
std::string SignificantDigits(std::string_view token) {
  std::string digits;
  for (const char c : token) {
    if (c == 'e' || c == 'E') {
      break;
    }
    if (IsDigit(c) && (c != '0' || !digits.empty())) {
      digits += c;
    }
  }
  const auto last = digits.find_last_not_of('0');
  digits.resize(last == std::string::npos ? 0 : last + 1);
  return digits;
}

// Whether `value` keeps all digits of `token`. Up to 17 digits are what programs write to tell one double from the next
// (IEEE 754 binary64), so these count as kept. More are kept if `value`, printed to as many digits, reads the same; no
// sensor has more than 40, and more are not compared.
bool KeepsDigits(double value, std::string_view token) {
  constexpr std::size_t kAlwaysKept = 17;
  constexpr std::size_t kCompared = 40;
  if (token.size() <= kAlwaysKept) {
    return true;
  }
  const std::string digits = SignificantDigits(token);
  if (digits.size() <= kAlwaysKept) {
    return true;
  }
  if (digits.size() > kCompared) {
    return false;
  }
  std::array<char, 64> text{};
  const auto printed = std::to_chars(text.data(), text.data() + text.size(), std::fabs(value),
                                     std::chars_format::scientific, static_cast<int>(digits.size()) - 1);
  return SignificantDigits({text.data(), static_cast<std::size_t>(printed.ptr - text.data())}) == digits;
}

// Whether a number that from_chars found out of range is too small rather than too large: whether its first digit that
// is not zero stands behind the decimal point once the exponent has been applied.
bool Underflows(std::string_view token) {
  const auto e = token.find_first_of("eE");
  const std::string_view mantissa = token.substr(0, e);
  const auto first = mantissa.find_first_of("123456789");
  const auto point = std::min(mantissa.find('.'), mantissa.size());
  if (first == std::string_view::npos) {
    return true;
  }
  std::int64_t position = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  if (e != std::string_view::npos) {
    std::string_view digits = token.substr(e + 1);
    const bool negative = digits.front() == '-';
    digits.remove_prefix(negative || digits.front() == '+' ? 1 : 0);
    std::int32_t exponent = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec != std::errc{}) {
      return negative;
    }
    position += negative ? -exponent : exponent;
  }
  return position < 0;
}

// Appends the decimal digits from `at` on to a number, and shows what is behind them.
const char* TakeDigits(const char* at, const char* end, std::uint64_t& number) {
  for (; at != end; ++at) {
    const unsigned digit = Byte(*at) - unsigned{'0'};
    if (digit > 9) {
      break;
    }
    number = number * 10 + digit;
  }
  return at;
}

double ReadDouble(std::string_view token, bool* in_range) {
  double value = 0;
  const auto result = std::from_chars(token.data(), token.data() + token.size(), value);
  *in_range = result.ec == std::errc{};
  return value;
}

}  // namespace

char JsonReader::SkipSpace() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) {
    ++at_;
  }
  return Next();
}

bool JsonReader::Fail(const char* reason, const char* what) {
  fault_ = {reason, what, offset()};
  return false;
}

bool JsonReader::Unexpected(const char* what) {
  return AtEnd() ? Fail("truncated_json", "the text ends here") : Fail("invalid_json", what);
}

// The rest of a string that began at `start`: it has bytes that are more than themselves, or is the last of the text.
bool JsonReader::ReadSpecial(const char* start, std::string_view* out) {
  while (!AtEnd()) {
    const char c = *at_;
    if (c == '"') {
      *out = std::string_view(start, static_cast<std::size_t>(at_ - start));
      ++at_;
      return true;
    }
    if (c == '\\') {
      scratch_.assign(start, at_);
      return ReadEscapes(out);
    }
    if (Byte(c) < 0x20U) {
      return Fail("invalid_json", "a control character inside a string");
    }
    const std::size_t length = kPlain[Byte(c)] ? 1 : Utf8SequenceLength(Rest(), 0);
    if (length == 0) {
      return Fail("invalid_utf8", "bytes that are not UTF-8");
    }
    at_ += length;
  }
  return Fail("truncated_json", "the text ends inside a string");
}

// The rest of a string from its first escape on; scratch_ holds what came before.
bool JsonReader::ReadEscapes(std::string_view* out) {
  while (!AtEnd()) {
    const char c = *at_;
    if (c == '"') {
      ++at_;
      *out = scratch_;
      return true;
    }
    if (c == '\\') {
      if (!AppendEscape()) {
        return false;
      }
      continue;
    }
    if (Byte(c) < 0x20U) {
      return Fail("invalid_json", "a control character inside a string");
    }
    const std::size_t length = kPlain[Byte(c)] ? 1 : Utf8SequenceLength(Rest(), 0);
    if (length == 0) {
      return Fail("invalid_utf8", "bytes that are not UTF-8");
    }
    scratch_.append(at_, length);
    at_ += length;
  }
  return Fail("truncated_json", "the text ends inside a string");
}

bool JsonReader::AppendEscape() {
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  ++at_;
  if (AtEnd()) {
    return Fail("truncated_json", "the text ends inside a string");
  }
  if (*at_ == 'u') {
    return ReadUnicodeEscape();
  }
  const auto index = kLetters.find(*at_);
  if (index == std::string_view::npos) {
    return Fail("invalid_json", "an unknown escape in a string");
  }
  scratch_ += kMeanings[index];
  ++at_;
  return true;
}

bool JsonReader::ReadHex4(unsigned* out) {
  ++at_;  // the 'u'
  *out = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    if (AtEnd()) {
      return Fail("truncated_json", "the text ends inside a string");
    }
    const char c = *at_;
    const unsigned lower = Byte(c) | 0x20U;
    if (IsDigit(c)) {
      *out = *out * 16 + (Byte(c) - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      *out = *out * 16 + (lower - 'a' + 10);
    } else {
      return Fail("invalid_json", "a \\u escape needs four hexadecimal digits");
    }
  }
  return true;
}

bool JsonReader::ReadUnicodeEscape() {
  constexpr unsigned kReplacement = 0xFFFD;
  unsigned code = 0;
  if (!ReadHex4(&code)) {
    return false;
  }
  if (code >= 0xD800U && code <= 0xDFFFU) {
    unsigned low = 0;
    const char* const before = at_;
    const bool pair = code < 0xDC00U && Rest().substr(0, 2) == "\\u";
    if (pair) {
      ++at_;
      if (!ReadHex4(&low)) {
        return false;
      }
    }
    if (pair && low >= 0xDC00U && low <= 0xDFFFU) {
      code = 0x10000U + ((code - 0xD800U) << 10U) + (low - 0xDC00U);
    } else {
      at_ = before;  // what follows is an escape of its own
      code = kReplacement;
      lossy_ = true;
    }
  }
  AppendUtf8(scratch_, code);
  return true;
}

bool JsonReader::ReadLiteral(std::string_view literal, Scalar value, Scalar* out) {
  const std::string_view rest = Rest().substr(0, literal.size());
  if (rest != literal) {
    const auto mismatch = std::mismatch(rest.begin(), rest.end(), literal.begin());
    at_ += mismatch.first - rest.begin();
    return Unexpected("expected a JSON value");
  }
  at_ += literal.size();
  *out = value;
  return true;
}

bool JsonReader::ScanDigits() {
  if (!IsDigit(Next())) {
    return Unexpected("expected a digit");
  }
  while (IsDigit(Next())) {
    ++at_;
  }
  return true;
}

bool JsonReader::ScanNumber(bool* integer) {
  *integer = true;
  if (Next() == '-') {
    ++at_;
  }
  const char* const first = at_;
  if (!ScanDigits()) {
    return false;
  }
  if (*first == '0' && at_ - first > 1) {
    at_ = first;
    return Fail("invalid_json", "a number with a leading zero");
  }
  if (Next() == '.') {
    *integer = false;
    ++at_;
    if (!ScanDigits()) {
      return false;
    }
  }
  if (Next() == 'e' || Next() == 'E') {
    *integer = false;
    ++at_;
    if (Next() == '+' || Next() == '-') {
      ++at_;
    }
    return ScanDigits();
  }
  return true;
}

bool JsonReader::ReadWord(Scalar* out) {
  switch (Next()) {
    case 't':
      return ReadLiteral("true", true, out);
    case 'f':
      return ReadLiteral("false", false, out);
    case 'n':
      return Rest().substr(0, 3) == "nan" ? FailOfNoNumber() : ReadLiteral("null", nullptr, out);
    case 'N':
    case 'I':
    case 'i':  // as C's printf writes them
      return FailOfNoNumber();
    default:
      return Unexpected("expected a JSON value");
  }
}

bool JsonReader::FailOfNoNumber() { return Fail("nan_literal", "JSON has no NaN and no Infinity"); }

// A number of few digits and no exponent, as sensors send them, is whole, or a whole number divided by a power of ten.
// Both are exact doubles then, and IEEE 754 rounds their quotient correctly. Any other is left to ReadLongNumber().
bool JsonReader::ReadNumber(Scalar* out) {
  constexpr std::ptrdiff_t kMostDigits = 15;  // below 2^53
  static constexpr std::array<double, kMostDigits + 1> kPowers = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = *at_ == '-';
  const char* const first = at_ + (negative ? 1 : 0);
  // More digits than are counted here may overflow; they are not used then.
  std::uint64_t number = 0;
  const char* at = TakeDigits(first, end_, number);
  const std::ptrdiff_t whole = at - first;
  if (whole != 1 && (whole == 0 || *first == '0')) {
    return ReadLongNumber(out);
  }
  std::ptrdiff_t decimals = 0;
  if (at != end_ && *at == '.') {
    const char* const behind = at + 1;
    at = TakeDigits(behind, end_, number);
    decimals = at - behind;
    if (decimals == 0) {
      return ReadLongNumber(out);
    }
  }
  if (whole + decimals > kMostDigits || (at != end_ && (*at == 'e' || *at == 'E'))) {
    return ReadLongNumber(out);
  }
  const auto exact = static_cast<std::int64_t>(number);
  if (decimals > 0) {
    const double size = static_cast<double>(exact) / kPowers[static_cast<std::size_t>(decimals)];
    out->emplace<double>(negative ? -size : size);
  } else {
    out->emplace<std::int64_t>(negative ? -exact : exact);
  }
  at_ = at;
  return true;
}

bool JsonReader::ReadLongNumber(Scalar* out) {
  const char* const start = at_;
  const std::string_view rest = Rest();
  if (rest.size() > 1 && rest.front() == '-' && std::string_view("NnIi").find(rest[1]) != std::string_view::npos) {
    return FailOfNoNumber();
  }
  bool integer = false;
  if (!ScanNumber(&integer)) {
    return false;
  }
  const std::string_view token = rest.substr(0, static_cast<std::size_t>(at_ - start));
  if (integer) {
    std::int64_t number = 0;
    if (std::from_chars(token.data(), token.data() + token.size(), number).ec == std::errc{}) {
      *out = number;
      return true;
    }
    std::uint64_t large = 0;
    if (token.front() != '-' && std::from_chars(token.data(), token.data() + token.size(), large).ec == std::errc{}) {
      *out = large;
      return true;
    }
  }
  bool in_range = false;
  const double number = ReadDouble(token, &in_range);
  if (in_range) {
    lossy_ = lossy_ || !KeepsDigits(number, token);
    *out = number;
    return true;
  }
  lossy_ = true;
  if (Underflows(token)) {
    *out = token.front() == '-' ? -0.0 : 0.0;
  } else {
    *out = nullptr;
  }
  return true;
}

}  // namespace packhorse::format
