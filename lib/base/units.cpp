#include "base/units.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <limits>
#include <utility>

namespace packhorse {
namespace {

struct Parsed {
  std::uint64_t number;
  std::string_view suffix;
};

Result<Parsed> SplitNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) {
    return Error{ErrorCode::kInvalidArgument, "\"" + Shorten(text, 40) + "\" does not start with an unsigned integer"};
  }
  return Parsed{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

Result<std::uint64_t> Scale(const Parsed& parsed, std::uint64_t factor, std::string_view text) {
  if (parsed.number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
    return Error{ErrorCode::kInvalidArgument, "\"" + Shorten(text, 40) + "\" is too large"};
  }
  return parsed.number * factor;
}

template <std::size_t N>
std::uint64_t Factor(const std::array<std::pair<std::string_view, std::uint64_t>, N>& units, std::string_view suffix) {
  for (const auto& [name, factor] : units) {
    if (name == suffix) {
      return factor;
    }
  }
  return 0;
}

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> kDurations = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> kSizes = {
    {{"", 1}, {"KiB", 1ULL << 10U}, {"MiB", 1ULL << 20U}, {"GiB", 1ULL << 30U}}};

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const Result<Parsed> parsed = SplitNumber(text);
  RETURN_IF_ERROR(parsed);
  const std::uint64_t factor = Factor(kDurations, parsed->suffix);
  if (factor == 0) {
    return Error{ErrorCode::kInvalidArgument,
                 "\"" + Shorten(text, 40) + "\" is not a duration such as \"250ms\", \"10s\", \"5m\", \"2h\", \"30d\""};
  }
  const Result<std::uint64_t> value = Scale(*parsed, factor, text);
  RETURN_IF_ERROR(value);
  return std::chrono::milliseconds(static_cast<std::int64_t>(*value));
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  const auto count = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  for (const auto& [name, factor] : kDurations) {
    if (count % factor == 0 && count != 0) {
      return std::to_string(count / factor) + std::string(name);
    }
  }
  return "0s";
}

Result<std::uint64_t> ParseBytes(std::string_view text) {
  const Result<Parsed> parsed = SplitNumber(text);
  RETURN_IF_ERROR(parsed);
  const std::uint64_t factor = Factor(kSizes, parsed->suffix);
  if (factor == 0) {
    return Error{ErrorCode::kInvalidArgument,
                 "\"" + Shorten(text, 40) + "\" is not a size such as 4096, \"64KiB\", \"1MiB\", \"2GiB\""};
  }
  return Scale(*parsed, factor, text);
}

std::string FormatBytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 4> kUnits = {"B", "KiB", "MiB", "GiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // What would be shown as "1024.0" belongs to the next unit.
  while (value >= (unit == 0 ? 1024.0 : 1023.95) && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  std::array<char, 48> text{};
  const int n = std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits.at(unit));
  return {text.data(), static_cast<std::size_t>(n)};
}

std::string Shorten(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) {
    return std::string(text);
  }
  constexpr std::string_view kDots = "...";
  if (max_bytes <= kDots.size()) {
    return std::string(kDots.substr(0, max_bytes));
  }
  std::size_t cut = max_bytes - kDots.size();
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) {
    --cut;
  }
  return std::string(text.substr(0, cut)) + std::string(kDots);
}

}  // namespace packhorse
