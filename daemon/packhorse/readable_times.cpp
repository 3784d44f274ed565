#include "packhorse/readable_times.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/text.h"

namespace packhorse::cli {
namespace {

constexpr std::int64_t kFirst = 946'684'800;   // 2000-01-01
constexpr std::int64_t kLast = 4'102'444'800;  // 2100-01-01

// How many of a unit are a second; 0: so many digits are no moment of our days.
std::int64_t PerSecond(std::size_t digits) {
  switch (digits) {
    case 9:
    case 10:
      return 1;
    case 12:
    case 13:
      return 1'000;
    case 15:
    case 16:
      return 1'000'000;
    case 18:
    case 19:
      return 1'000'000'000;
    default:
      return 0;
  }
}

bool Joins(char c) { return IsAlnum(c) || c == '_' || c == '-' || c == '.'; }

}  // namespace

std::vector<std::pair<std::string, std::string>> ReadableTimes(std::string_view text, std::size_t most) {
  std::vector<std::pair<std::string, std::string>> times;
  for (std::size_t at = 0; at < text.size() && times.size() < most;) {
    if (!IsDigit(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && IsDigit(text[at])) {
      ++at;
    }
    const std::string_view digits = text.substr(begin, at - begin);
    const bool word = begin > 0 && Joins(text[begin - 1]);
    const std::int64_t unit = PerSecond(digits.size());
    std::int64_t number = 0;
    if (word || unit == 0 || !ReadNumber(digits, number) || number / unit < kFirst || number / unit >= kLast) {
      continue;
    }
    const bool known = std::any_of(times.begin(), times.end(), [&](const auto& each) { return each.first == digits; });
    if (!known) {
      const std::int64_t below = number % unit;
      const std::int64_t micros = unit >= 1'000'000 ? below / (unit / 1'000'000) : below * (1'000'000 / unit);
      times.emplace_back(digits,
                         FormatUtc(WallTime(std::chrono::seconds(number / unit) + std::chrono::microseconds(micros))));
    }
  }
  return times;
}

}  // namespace packhorse::cli
