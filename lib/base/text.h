#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace packhorse {

// Text from outside, told apart and made safe to show. Pure functions.

// A decimal digit of ASCII, whatever the locale.
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// ASCII white space.
constexpr bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
// Without white space at both ends.
std::string_view Trim(std::string_view text);
// ASCII letters in lower case; other bytes stay.
std::string Lower(std::string_view text);

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
