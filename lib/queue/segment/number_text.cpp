#include "queue/segment/number_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace packhorse::queue {
namespace {

constexpr std::size_t kMaxDigits = 18;  // fit 64 bits with a sign
constexpr std::int64_t kDigitsEnd = 1'000'000'000'000'000'000;
constexpr unsigned kZerosShift = 5;
constexpr std::uint32_t kFormatMask = 31;
constexpr std::uint32_t kMinusZero = 1U << 10U;

// What a character means to the digits beside it.
enum class Class : std::uint8_t {
  kNone,
  kName,  // they belong to a name
  kDigit,
  kPlace,
};

constexpr std::array<Class, 256> MakeClasses() {
  std::array<Class, 256> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if ((letter && c != 'T' && c != 'Z') || c == '_' || c >= 0x80U) {
      classes.at(c) = Class::kName;
    } else if (c >= '0' && c <= '9') {
      classes.at(c) = Class::kDigit;
    }
  }
  classes.at(static_cast<unsigned char>(kNumberPlace)) = Class::kPlace;
  return classes;
}
constexpr std::array<Class, 256> kClasses = MakeClasses();

Class ClassOf(char c) { return kClasses[static_cast<unsigned char>(c)]; }
// Digits one after the other, from `at` on; `value` goes on with them.
struct Digits {
  const char* end;
  std::size_t count;
  std::uint64_t value;  // of no use with more than kMaxDigits
};

Digits ReadDigits(const char* at, const char* end, std::uint64_t value) {
  const char* digit = at;
  for (; digit != end; ++digit) {
    const unsigned number = static_cast<unsigned char>(*digit) - static_cast<unsigned>('0');
    if (number > 9) {
      break;
    }
    value = value * 10 + number;
  }
  return {digit, static_cast<std::size_t>(digit - at), value};
}

// The number whose first digit is at `at`, behind a minus or not. False: what stands there is none. `next` is where to
// go on.
bool ReadNumber(const char* at, const char* end, bool negative, NumberText& number, const char*& next) {
  Digits digits = ReadDigits(at, end, 0);
  next = digits.end;
  if (digits.count > kMaxDigits) {
    return false;
  }
  std::uint32_t zeros = 0;
  while (zeros + 1 < digits.count && at[zeros] == '0') {
    ++zeros;
  }
  std::size_t decimals = 0;
  if (next != end && *next == '.') {
    const Digits behind = ReadDigits(next + 1, end, digits.value);
    if (behind.count > 0 && digits.count + behind.count <= kMaxDigits) {
      decimals = behind.count;
      digits.value = behind.value;
      next = behind.end;
    }
  }
  if (next != end && ClassOf(*next) == Class::kName) {
    return false;
  }
  number.digits = static_cast<std::int64_t>(digits.value);
  number.digits = negative ? -number.digits : number.digits;
  number.format = static_cast<std::uint32_t>(decimals) | (zeros << kZerosShift) |
                  (negative && number.digits == 0 ? kMinusZero : 0U);
  return true;
}

// Whether a minus in front of `at` belongs to the number there: not between two parts of a name or of a date.
bool IsSign(const char* begin, const char* at) {
  return at[-1] == '-' && (at - begin < 2 || ClassOf(at[-2]) == Class::kNone);
}

}  // namespace

bool TakeNumbersOut(std::string_view text, std::string& around, std::vector<NumberText>& numbers) {
  around.resize(text.size());
  char* to = around.data();
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* copied = begin;
  const std::size_t most = numbers.size() + kMaxNumbers;
  const auto copy = [&](const char* through) {
    std::memcpy(to, copied, static_cast<std::size_t>(through - copied));
    to += through - copied;
  };
  for (const char* at = begin; at != end;) {
    const Class kind = ClassOf(*at);
    if (kind < Class::kDigit) {
      ++at;
      continue;
    }
    if (kind == Class::kPlace || numbers.size() == most) {
      return false;
    }
    const bool first = at == copied;  // what stands in front of it is a number, or nothing
    const bool negative = !first && IsSign(begin, at);
    NumberText number{};
    const char* next = at;
    const bool in_name = at != begin && ClassOf(at[-1]) == Class::kName;
    if (ReadNumber(at, end, negative, number, next) && !in_name) {
      copy(at - (negative ? 1 : 0));
      *to++ = kNumberPlace;
      numbers.push_back(number);
      copied = next;
    }
    at = next;
  }
  copy(end);
  around.resize(static_cast<std::size_t>(to - around.data()));
  return true;
}

bool TakeNumbersOut(std::string_view text, const std::vector<std::string_view>& pieces,
                    std::vector<NumberText>& numbers) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0;; ++i) {
    const std::string_view piece = pieces[i];
    if (static_cast<std::size_t>(end - at) < piece.size() || std::memcmp(at, piece.data(), piece.size()) != 0) {
      return false;
    }
    at += piece.size();
    if (i + 1 == pieces.size()) {
      return at == end;
    }
    const bool negative = at != end && *at == '-';
    at += negative ? 1 : 0;
    NumberText number{};
    if (at == end || ClassOf(*at) != Class::kDigit || !ReadNumber(at, end, negative, number, at)) {
      return false;
    }
    numbers.push_back(number);
  }
}

std::vector<std::string_view> PiecesOf(std::string_view around) {
  std::vector<std::string_view> pieces;
  for (std::size_t end = 0; (end = around.find(kNumberPlace)) != std::string_view::npos;) {
    pieces.push_back(around.substr(0, end));
    around.remove_prefix(end + 1);
  }
  pieces.push_back(around);
  return pieces;
}

bool IsNumber(const NumberText& number) {
  const bool in_range = number.digits > -kDigitsEnd && number.digits < kDigitsEnd;
  const bool plain = number.format <= kMaxDigits;  // as most are: decimals alone
  return in_range &&
         (plain || (number.decimals() <= kMaxDigits && ((number.format >> kZerosShift) & kFormatMask) <= kMaxDigits &&
                    number.format < 2 * kMinusZero && ((number.format & kMinusZero) == 0 || number.digits == 0)));
}

namespace {

constexpr std::array<std::uint64_t, kMaxDigits + 1> MakePowers() {
  std::array<std::uint64_t, kMaxDigits + 1> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) {
    powers.at(i) = powers.at(i - 1) * 10;
  }
  return powers;
}
constexpr std::array<std::uint64_t, kMaxDigits + 1> kPowers = MakePowers();

// 00 to 99, one after the other.
constexpr std::array<char, 200> MakePairs() {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs.at(2 * i) = static_cast<char>('0' + i / 10);
    pairs.at(2 * i + 1) = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
constexpr std::array<char, 200> kPairs = MakePairs();

// log10(2) is 1233/4096.
std::size_t CountDigits(std::uint64_t value) {
  const auto about = static_cast<std::size_t>((std::bit_width(value | 1U) * 1233) >> 12);
  return about + (value < kPowers[about] ? 0 : 1) + (value == 0 ? 1 : 0);
}

// With zeros in front, `length` digits.
void WriteDigits(char* to, std::uint64_t value, std::size_t length) {
  char* at = to + length;
  for (; at - to >= 2; value /= 100) {
    at -= 2;
    std::memcpy(at, kPairs.data() + 2 * (value % 100), 2);
  }
  if (at != to) {
    *to = static_cast<char>('0' + value);
  }
}

}  // namespace

char* WriteNumber(char* to, const NumberText& number) {
  const auto value = static_cast<std::uint64_t>(number.digits < 0 ? -number.digits : number.digits);
  if (number.digits < 0 || (number.format & kMinusZero) != 0) {
    *to++ = '-';
  }
  for (std::uint32_t zeros = (number.format >> kZerosShift) & kFormatMask; zeros > 0; --zeros) {
    *to++ = '0';
  }
  const std::size_t decimals = number.decimals();
  const std::uint64_t whole = decimals == 0 ? value : value / kPowers[decimals];
  const std::size_t length = CountDigits(whole);
  WriteDigits(to, whole, length);
  to += length;
  if (decimals > 0) {
    *to++ = '.';
    WriteDigits(to, value - whole * kPowers[decimals], decimals);
    to += decimals;
  }
  return to;
}

}  // namespace packhorse::queue
