#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace packhorse::format {

// Most bytes of most JSON strings stand for themselves: they are looked through eight at a time, as one number whose
// bytes are compared at once. For the reader and the writer. Likewise the digits of long numbers. Pure functions.

inline constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

// Eight bytes, the first of them the lowest.
inline std::uint64_t LoadWord(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  if constexpr (std::endian::native == std::endian::big) {
    word = __builtin_bswap64(word);
  }
  return word;
}

constexpr std::uint64_t EachByte(unsigned char byte) { return byte * std::uint64_t{0x0101'0101'0101'0101}; }

// Whether eight bytes are decimal digits, and the number that they are then.
constexpr bool AreDigits(std::uint64_t word) {
  const std::uint64_t digits = word ^ EachByte('0');
  return ((digits | (digits + EachByte(0x76))) & EachByte(0x80)) == 0;
}
constexpr std::uint64_t NumberOf(std::uint64_t word) {
  // Pairs of digits, then fours, then all: each step adds what stands next to each other.
  word = (word & EachByte(0x0F)) * 2561 >> 8U;
  word = (word & 0x00FF'00FF'00FF'00FF) * 6'553'601 >> 16U;
  return (word & 0x0000'FFFF'0000'FFFF) * 42'949'672'960'001 >> 32U;
}

// 0 where none of eight bytes is a control, a quote, a backslash or beyond ASCII. Else the lowest bit is of the first
// that is one: a subtraction borrows from the bytes behind that one alone, so that those say nothing.
constexpr std::uint64_t SpecialBytes(std::uint64_t word) {
  const std::uint64_t control = word - EachByte(0x20);
  const std::uint64_t quote = (word ^ EachByte('"')) - EachByte(1);
  const std::uint64_t backslash = (word ^ EachByte('\\')) - EachByte(1);
  return (word | control | quote | backslash) & EachByte(0x80);
}

// Which byte the lowest bit of SpecialBytes() is of. REQUIRES: not 0.
constexpr std::size_t FirstByte(std::uint64_t bits) { return static_cast<std::size_t>(std::countr_zero(bits)) / 8; }

// The first byte from `at` on that is more than itself, or where fewer than eight are left.
inline const char* SkipPlainWords(const char* at, const char* end) {
  for (; static_cast<std::size_t>(end - at) >= kWordBytes; at += kWordBytes) {
    if (const std::uint64_t special = SpecialBytes(LoadWord(at)); special != 0) {
      return at + FirstByte(special);
    }
  }
  return at;
}

// A number of digits alone. False: there are others. REQUIRES: at most 19 digits, which always fit.
inline bool ReadDigits(std::string_view text, std::uint64_t& number) {
  number = 0;
  for (; text.size() >= kWordBytes; text.remove_prefix(kWordBytes)) {
    const std::uint64_t word = LoadWord(text.data());
    if (!AreDigits(word)) {
      return false;
    }
    number = number * 100'000'000 + NumberOf(word);
  }
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return false;
    }
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

}  // namespace packhorse::format
