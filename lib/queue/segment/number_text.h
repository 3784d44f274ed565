#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace packhorse::queue {

// Text with numbers in it, taken apart into the text around the numbers and the numbers, and put together again, byte
// for byte. Pure functions; any thread.

// A decimal number as it was written.
struct NumberText {
  std::int64_t digits;   // all digits as one number, with the sign; at most 18 digits
  std::uint32_t format;  // decimals (5 bits), leading zeros beyond those the decimals need (5 bits), minus zero (1)

  std::uint32_t decimals() const { return format & 31U; }
};

// Stands in the text where a number was.
inline constexpr char kNumberPlace = '\0';
// Of one text.
inline constexpr std::size_t kMaxNumbers = 64;

// Replaces `around`, appends to `numbers`. False, and both are of no use, when the text holds kNumberPlace or more than
// kMaxNumbers numbers. Digits that touch a letter are no number: they are part of a name or of hexadecimal digits. T
// and Z are none, for the sake of RFC 3339.
bool TakeNumbersOut(std::string_view text, std::string& around, std::vector<NumberText>& numbers);

// Likewise, of a text that is expected to have these pieces around its numbers, one more than numbers: that is
// quicker. False: it has others.
bool TakeNumbersOut(std::string_view text, const std::vector<std::string_view>& pieces,
                    std::vector<NumberText>& numbers);
std::vector<std::string_view> PiecesOf(std::string_view around);

// Whether it could have been written: bytes that may be damaged hold any numbers.
bool IsNumber(const NumberText& number);
// Sign, 18 digits, 18 leading zeros, point, and a zero in front of it.
inline constexpr std::size_t kMaxNumberBytes = 40;
// Writes it and returns where it ends. REQUIRES: IsNumber(number), and room for kMaxNumberBytes.
char* WriteNumber(char* to, const NumberText& number);

}  // namespace packhorse::queue
