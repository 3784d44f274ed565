#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse {

// Durations of the configuration: an unsigned integer and one of ms, s, m, h, d ("250ms", "30d"). No other form.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);
// Largest unit without a remainder: "90s" stays "90s", 60000 ms is "1m".
std::string FormatDuration(std::chrono::milliseconds duration);

// Sizes of the configuration: an unsigned integer, alone or with KiB, MiB, GiB ("1MiB"). No other form.
Result<std::uint64_t> ParseBytes(std::string_view text);
// For people, one decimal where it matters: "512 B", "1.5 MiB".
std::string FormatBytes(std::uint64_t bytes);

// The sum, or the largest number where it is larger.
constexpr std::uint64_t AddSaturating(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// `text` cut to at most `max_bytes`, at a character boundary, with "..." where something was cut; for messages and
// logs.
std::string Shorten(std::string_view text, std::size_t max_bytes);

}  // namespace packhorse
