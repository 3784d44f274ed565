#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace packhorse {

// A text seen as what its escapes stand for, so that something can be looked for in it however it is written: in JSON,
// in a URL, in HTML, over several lines. Pure; linear in the text. Each character knows which part of the text it
// stands for.
class Unescaped {
 public:
  // The text as it is, but without white space and control characters.
  explicit Unescaped(std::string_view text);

  // Undoes one layer of escapes: %41 (RFC 3986), =41 (RFC 2045), \u0041, \x41, \" and the like (RFC 8259), &#65;,
  // &#x41; and the five names of XML. What is no escape stays. False when there was none.
  bool Next();

  const std::string& text() const { return text_; }
  // The part of the original text, begin and end, for which `size` (not 0) characters from `at` stand.
  std::pair<std::size_t, std::size_t> Origin(std::size_t at, std::size_t size) const;

 private:
  struct Part {
    std::size_t begin;
    std::size_t end;
  };
  void Add(char32_t code, Part part);

  std::string text_;
  std::vector<Part> parts_;  // of each character
};

}  // namespace packhorse
