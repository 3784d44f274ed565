#include "base/unescape.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace packhorse {
namespace {

constexpr char32_t kLastCode = 0x10'FFFF;
constexpr std::size_t kMostDigits = 8;

// What an escape stands for, and how long it is.
struct Escape {
  char32_t code = 0;
  std::size_t size = 0;
};

std::optional<unsigned> Digit(char c, unsigned base) {
  unsigned digit = base;
  if (c >= '0' && c <= '9') {
    digit = static_cast<unsigned>(c - '0');
  } else if (c >= 'a' && c <= 'f') {
    digit = static_cast<unsigned>(c - 'a') + 10;
  } else if (c >= 'A' && c <= 'F') {
    digit = static_cast<unsigned>(c - 'A') + 10;
  }
  return digit < base ? std::optional(digit) : std::nullopt;
}

std::optional<char32_t> Number(std::string_view digits, unsigned base) {
  if (digits.empty() || digits.size() > kMostDigits) {
    return std::nullopt;
  }
  char32_t number = 0;
  for (const char c : digits) {
    const std::optional<unsigned> digit = Digit(c, base);
    if (!digit || number > kLastCode) {
      return std::nullopt;
    }
    number = number * base + *digit;
  }
  return number <= kLastCode ? std::optional(number) : std::nullopt;
}

// `count` hexadecimal digits behind a prefix.
std::optional<Escape> HexEscape(std::string_view rest, std::size_t prefix, std::size_t count) {
  if (rest.size() < prefix + count) {
    return std::nullopt;
  }
  const std::optional<char32_t> code = Number(rest.substr(prefix, count), 16);
  return code ? std::optional(Escape{*code, prefix + count}) : std::nullopt;
}

std::optional<Escape> Backslash(std::string_view rest) {
  if (rest.size() < 2) {
    return std::nullopt;
  }
  switch (rest[1]) {
    case 'u':
      return HexEscape(rest, 2, 4);
    case 'x':
      return HexEscape(rest, 2, 2);
    case '"':
    case '\'':
    case '\\':
    case '/':
      return Escape{static_cast<char32_t>(rest[1]), 2};
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return Escape{U'\n', 2};  // white space, whichever
    default:
      return std::nullopt;
  }
}

std::optional<Escape> Entity(std::string_view rest) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kNames = {
      {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};
  for (const auto& [name, c] : kNames) {
    if (rest.substr(0, name.size()) == name) {
      return Escape{static_cast<char32_t>(c), name.size()};
    }
  }
  const std::size_t end = rest.substr(0, kMostDigits + 4).find(';');
  if (end == std::string_view::npos || rest.substr(0, 2) != "&#") {
    return std::nullopt;
  }
  const bool hex = end > 2 && (rest[2] == 'x' || rest[2] == 'X');
  const std::size_t begin = hex ? 3 : 2;
  const std::optional<char32_t> code = Number(rest.substr(begin, end - begin), hex ? 16 : 10);
  return code ? std::optional(Escape{*code, end + 1}) : std::nullopt;
}

std::optional<Escape> EscapeAt(std::string_view rest) {
  switch (rest.front()) {
    case '%':
    case '=':
      return HexEscape(rest, 1, 2);
    case '\\':
      return Backslash(rest);
    case '&':
      return Entity(rest);
    default:
      return std::nullopt;
  }
}

bool IsByte(char first) { return first == '%' || first == '='; }

}  // namespace

Unescaped::Unescaped(std::string_view text) {
  text_.reserve(text.size());
  parts_.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte > 0x20U && byte != 0x7FU) {
      text_ += text[i];
      parts_.push_back({i, i + 1});
    }
  }
}

// As UTF-8; white space and control characters are left out.
void Unescaped::Add(char32_t code, Part part) {
  if (code <= 0x20 || code == 0x7F) {
    return;
  }
  const std::size_t before = text_.size();
  AppendUtf8(text_, code);
  parts_.resize(parts_.size() + text_.size() - before, part);
}

bool Unescaped::Next() {
  const std::string before = std::move(text_);
  const std::vector<Part> from = std::move(parts_);
  text_.clear();
  parts_.clear();
  bool any = false;
  for (std::size_t i = 0; i < before.size();) {
    const std::optional<Escape> escape = EscapeAt(std::string_view(before).substr(i));
    if (!escape) {
      text_ += before[i];
      parts_.push_back(from[i]);
      ++i;
      continue;
    }
    any = true;
    const Part part{from[i].begin, from[i + escape->size - 1].end};
    if (IsByte(before[i]) && escape->code >= 0x80) {
      text_ += static_cast<char>(escape->code);
      parts_.push_back(part);
    } else {
      Add(escape->code, part);
    }
    i += escape->size;
  }
  return any;
}

std::pair<std::size_t, std::size_t> Unescaped::Origin(std::size_t at, std::size_t size) const {
  return {parts_[at].begin, parts_[at + size - 1].end};
}

}  // namespace packhorse
