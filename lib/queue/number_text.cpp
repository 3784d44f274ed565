#include "queue/number_text.h"

#include <algorithm>
#include <array>

namespace packhorse::queue {
namespace {

constexpr std::size_t kMaxDigits = 18;  // fit 64 bits with a sign
constexpr std::int64_t kDigitsEnd = 1'000'000'000'000'000'000;
constexpr unsigned kZerosShift = 5;
constexpr std::uint32_t kFormatMask = 31;
constexpr std::uint32_t kMinusZero = 1U << 10U;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Digits beside it belong to a name.
bool BelongsToName(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return (letter && c != 'T' && c != 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80U;
}

std::size_t DigitsAt(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && IsDigit(text[end])) {
    ++end;
  }
  return end - at;
}

std::size_t Length(std::uint64_t value) {
  std::size_t length = 1;
  while (value >= 10) {
    value /= 10;
    ++length;
  }
  return length;
}

struct Found {
  NumberText number;
  std::size_t end = 0;
};

// The number whose first digit is at `at`; `negative`: a minus stands before it. False: what begins there is none, and
// `found.end` is where to go on.
bool ReadNumber(std::string_view text, std::size_t at, bool negative, Found& found) {
  const std::size_t whole = DigitsAt(text, at);
  std::size_t decimals = 0;
  std::size_t end = at + whole;
  if (end + 1 < text.size() && text[end] == '.') {
    decimals = DigitsAt(text, end + 1);
    if (decimals > 0 && whole + decimals <= kMaxDigits) {
      end += 1 + decimals;
    } else {
      decimals = 0;
    }
  }
  found.end = end;
  if (whole + decimals > kMaxDigits || (end < text.size() && BelongsToName(text[end]))) {
    return false;
  }
  std::int64_t digits = 0;
  for (std::size_t i = at; i < end; ++i) {
    digits = IsDigit(text[i]) ? digits * 10 + (text[i] - '0') : digits;
  }
  const std::size_t needed = std::max(Length(static_cast<std::uint64_t>(digits)), decimals + 1);
  const auto zeros = static_cast<std::uint32_t>(whole + decimals - needed);
  found.number.format =
      static_cast<std::uint32_t>(decimals) | (zeros << kZerosShift) | (negative && digits == 0 ? kMinusZero : 0U);
  found.number.digits = negative ? -digits : digits;
  return true;
}

}  // namespace

bool TakeNumbersOut(std::string_view text, std::string& around, std::vector<NumberText>& numbers) {
  const std::size_t before = numbers.size();
  std::size_t copied = 0;  // of the text
  char previous = ' ';
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == kNumberPlace) {
      return false;
    }
    if (!IsDigit(c)) {
      previous = c;
      ++at;
      continue;
    }
    // A minus belongs to the number unless it stands between two parts of a name or of a date.
    const bool negative =
        previous == '-' && at > copied && (at < 2 || (!IsDigit(text[at - 2]) && !BelongsToName(text[at - 2])));
    Found found;
    if (!BelongsToName(previous) && ReadNumber(text, at, negative, found)) {
      around.append(text.substr(copied, at - copied - (negative ? 1 : 0)));
      around += kNumberPlace;
      numbers.push_back(found.number);
      if (numbers.size() - before > kMaxNumbers) {
        return false;
      }
      copied = found.end;
    } else {
      found.end = at + DigitsAt(text, at);
    }
    at = found.end;
    previous = text[at - 1];
  }
  around.append(text.substr(copied));
  return true;
}

bool IsNumber(const NumberText& number) {
  return number.digits > -kDigitsEnd && number.digits < kDigitsEnd && number.decimals() <= kMaxDigits &&
         ((number.format >> kZerosShift) & kFormatMask) <= kMaxDigits && number.format < 2 * kMinusZero &&
         ((number.format & kMinusZero) == 0 || number.digits == 0);
}

void PutNumber(std::string& out, const NumberText& number) {
  std::array<char, 2 * kMaxDigits + 4> text;  // from its end; not cleared for each of a million numbers
  std::size_t at = text.size();
  const bool negative = number.digits < 0 || (number.format & kMinusZero) != 0;
  auto rest = static_cast<std::uint64_t>(number.digits < 0 ? -number.digits : number.digits);
  const std::size_t decimals = number.decimals();
  const auto put = [&] {
    text[--at] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  };
  for (std::size_t i = 0; i < decimals; ++i) {
    put();
  }
  if (decimals > 0) {
    text[--at] = '.';
  }
  do {
    put();
  } while (rest > 0);
  for (std::uint32_t zeros = (number.format >> kZerosShift) & kFormatMask; zeros > 0; --zeros) {
    text[--at] = '0';
  }
  if (negative) {
    text[--at] = '-';
  }
  out.append(text.data() + at, text.size() - at);
}

}  // namespace packhorse::queue
