#include "base/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace packhorse {
namespace {

constexpr std::size_t kLongest = 400;
constexpr std::ptrdiff_t kWholeDigits = 18;

// The digits of a number without zeros in front, and how many of them stand before its point (negative: so many zeros
// stand between the point and them).
struct Digits {
  std::string digits;
  std::ptrdiff_t before_point = 0;
};

std::string_view TakeDigits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && IsDigit(text[count])) {
    ++count;
  }
  const std::string_view taken = text.substr(0, count);
  text.remove_prefix(count);
  return taken;
}

// Of a number without a sign.
std::optional<Digits> ReadDigits(std::string_view text) {
  const std::string_view whole = TakeDigits(text);
  std::string_view fraction;
  if (whole.empty()) {
    return std::nullopt;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = TakeDigits(text);
    if (fraction.empty()) {
      return std::nullopt;
    }
  }
  int exponent = 0;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(text.substr(1).starts_with('+') ? 2 : 1);
    if (!ReadNumber(text, exponent) || std::abs(exponent) > static_cast<int>(kLongest)) {
      return std::nullopt;
    }
    text = {};
  }
  if (!text.empty()) {
    return std::nullopt;
  }
  Digits split{std::string(whole) + std::string(fraction), static_cast<std::ptrdiff_t>(whole.size()) + exponent};
  const std::size_t zeros = std::min(split.digits.find_first_not_of('0'), split.digits.size());
  split.digits.erase(0, zeros);
  split.before_point = split.digits.empty() ? 0 : split.before_point - static_cast<std::ptrdiff_t>(zeros);
  return split;
}

}  // namespace

std::optional<FixedPoint> FixedPoint::Of(std::int64_t whole, std::int64_t trillionths) {
  if (trillionths < 0 || trillionths >= kOne) {
    return std::nullopt;
  }
  FixedPoint made(whole);
  made.trillionths_ = trillionths;
  return made;
}

std::optional<FixedPoint> FixedPoint::Parse(std::string_view text) {
  const bool negative = text.starts_with('-');
  const std::optional<Digits> split =
      text.size() > kLongest ? std::nullopt : ReadDigits(negative ? text.substr(1) : text);
  if (!split || split->before_point > kWholeDigits) {
    return std::nullopt;
  }
  // The digit at a place after (or before) the point: 0 is the first decimal.
  const auto at = [&](std::ptrdiff_t place) -> std::int64_t {
    const std::ptrdiff_t i = split->before_point + place;
    return i < 0 || i >= std::ssize(split->digits) ? 0 : split->digits[static_cast<std::size_t>(i)] - '0';
  };
  FixedPoint value;
  for (std::ptrdiff_t place = -kWholeDigits; place < 0; ++place) {
    value.whole_ = value.whole_ * 10 + at(place);
  }
  for (std::ptrdiff_t place = 0; place < kDecimals; ++place) {
    value.trillionths_ = value.trillionths_ * 10 + at(place);
  }
  value.trillionths_ += at(kDecimals) >= 5 ? 1 : 0;
  value.whole_ += value.trillionths_ / kOne;
  value.trillionths_ %= kOne;
  if (negative) {
    value.whole_ = -value.whole_ - (value.trillionths_ == 0 ? 0 : 1);
    value.trillionths_ = value.trillionths_ == 0 ? 0 : kOne - value.trillionths_;
  }
  return value;
}

bool FixedPoint::Add(const FixedPoint& other) {
  const std::int64_t parts = trillionths_ + other.trillionths_;
  std::int64_t whole = 0;
  // The carry goes to the negative one of two signs: their sum has room for it.
  const std::int64_t carry = parts / kOne;
  const bool lower = whole_ < other.whole_;
  if (__builtin_add_overflow(lower ? whole_ : other.whole_, carry, &whole) ||
      __builtin_add_overflow(whole, lower ? other.whole_ : whole_, &whole)) {
    return false;
  }
  whole_ = whole;
  trillionths_ = parts % kOne;
  return true;
}

std::string FixedPoint::ToText() const {
  const bool negative = whole_ < 0;
  const bool parts = trillionths_ != 0;
  // Of the amount: -3 + 0.25 is written -2.75.
  const std::uint64_t whole =
      negative ? ~static_cast<std::uint64_t>(whole_) + (parts ? 0 : 1) : static_cast<std::uint64_t>(whole_);
  std::string text = (negative ? "-" : "") + std::to_string(whole);
  if (parts) {
    std::string decimals = std::to_string(negative ? kOne - trillionths_ : trillionths_);
    decimals.insert(0, static_cast<std::size_t>(kDecimals) - decimals.size(), '0');
    decimals.erase(decimals.find_last_not_of('0') + 1);
    text += "." + decimals;
  }
  return text;
}

double FixedPoint::ToDouble() const {
  return static_cast<double>(whole_) + static_cast<double>(trillionths_) / static_cast<double>(kOne);
}

double FixedPoint::Distance(const FixedPoint& a, const FixedPoint& b) {
  std::int64_t whole = 0;
  if (__builtin_sub_overflow(a.whole_, b.whole_, &whole)) {
    return std::numeric_limits<double>::infinity();
  }
  return std::abs(static_cast<double>(whole) +
                  static_cast<double>(a.trillionths_ - b.trillionths_) / static_cast<double>(kOne));
}

}  // namespace packhorse
