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
  std::int64_t digits = 0;   // all digits as one number, with the sign; at most 18 digits
  std::uint32_t format = 0;  // decimals (5 bits), leading zeros beyond those the decimals need (5 bits), minus zero (1)

  std::uint32_t decimals() const { return format & 31U; }
};

// Stands in the text where a number was.
inline constexpr char kNumberPlace = '\0';
// Of one text.
inline constexpr std::size_t kMaxNumbers = 64;

// Appends to both. False, and what was appended is of no use, when the text holds kNumberPlace or more than kMaxNumbers
// numbers. Digits that touch a letter are no number: they are part of a name or of hexadecimal digits. T and Z are
// none, for the sake of RFC 3339.
bool TakeNumbersOut(std::string_view text, std::string& around, std::vector<NumberText>& numbers);

// REQUIRES: |digits| below 10^18, decimals and leading zeros at most 18.
void PutNumber(std::string& out, const NumberText& number);
// Whether PutNumber() may be called with it: of bytes that may be damaged.
bool IsNumber(const NumberText& number);

}  // namespace packhorse::queue
