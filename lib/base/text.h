#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace packhorse {

// Text from outside, told apart and made safe to show. Pure functions.

// Classes of characters: of ASCII alone, whatever the locale.
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsAlnum(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F; }
constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Whether two texts are the same: in few comparisons and without a call, which would cost more for names and other
// short texts than the comparing.
[[gnu::always_inline]] inline bool SameText(std::string_view a, std::string_view b) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::size_t kHalf = sizeof(std::uint32_t);
  const std::size_t size = a.size();
  const auto differ = [&](std::size_t at, auto word) {
    auto other = word;
    std::memcpy(&word, a.data() + at, sizeof word);
    std::memcpy(&other, b.data() + at, sizeof other);
    return word ^ other;
  };
  if (size != b.size()) {
    return false;
  }
  // Word by word; the last overlaps the one before.
  if (size >= kWord) {
    for (std::size_t at = 0; at < size - kWord; at += kWord) {
      if (differ(at, std::uint64_t{}) != 0) {
        return false;
      }
    }
    return differ(size - kWord, std::uint64_t{}) == 0;
  }
  if (size >= kHalf) {
    return (differ(0, std::uint32_t{}) | differ(size - kHalf, std::uint32_t{})) == 0;
  }
  return size == 0 || (a.front() == b.front() && a[size / 2] == b[size / 2] && a.back() == b.back());
}

// Without white space at both ends.
std::string_view Trim(std::string_view text);
// ASCII letters in lower case; other bytes stay.
std::string Lower(std::string_view text);
// All of `texts`, with `between` between each two.
std::string Join(const std::vector<std::string>& texts, std::string_view between = ", ");
// RFC 9110 section 5.6.2, token: what the name of a header is made of.
bool IsToken(std::string_view text);

// A decimal number that is the whole text; false otherwise, or where it does not fit.
template <typename Number>
bool ReadNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, at most U+10FFFF.

// Length of the character that starts at `text[at]`; 0 when it is none or is cut short.
std::size_t Utf8SequenceLength(std::string_view text, std::size_t at);
// How many bytes at the beginning of `text` are whole characters.
std::size_t Utf8PrefixBytes(std::string_view text);
bool IsValidUtf8(std::string_view text);
// REQUIRES: at most U+10FFFF.
void AppendUtf8(std::string& out, std::uint32_t point);

// The first character of `text`. What is not UTF-8 counts as one byte that is U+FFFD. REQUIRES: not empty.
struct Character {
  std::size_t bytes = 1;
  std::uint32_t point = 0;
  bool valid = true;
};
Character FirstCharacter(std::string_view text);

// Characters that a terminal or a reader of lines acts on instead of showing them: controls (C0, DEL, C1), line and
// paragraph separators, and the marks that turn the direction of the text.
bool ActsOnReader(std::uint32_t point);

// Appends `text` as one line of characters that only show: what acts is written as \n, \t, \r, \x1b, \u202e, and what
// is not UTF-8 as U+FFFD. ASCII characters of `also` get a backslash before them.
void AppendPrintable(std::string& out, std::string_view text, std::string_view also = "");

}  // namespace packhorse
