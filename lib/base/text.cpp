#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/units.h"

namespace packhorse {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::size_t LengthByLead(unsigned char lead) {
  if (lead < 0x80U) {
    return 1;
  }
  return lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
}

void AppendEscaped(std::string& out, std::uint32_t point) {
  if (point == '\n' || point == '\r' || point == '\t') {
    out += '\\';
    out += point == '\n' ? 'n' : point == '\r' ? 'r' : 't';
    return;
  }
  std::array<char, 12> text{};
  std::snprintf(text.data(), text.size(), point < 0x100U ? "\\x%02x" : "\\u%04x", static_cast<unsigned>(point));
  out += text.data();
}

}  // namespace

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && IsSpace(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

Character FirstCharacter(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::string_view piece = text.substr(0, LengthByLead(lead));
  if (!IsValidUtf8(piece)) {
    return Character{1, 0xFFFDU, false};
  }
  Character character{piece.size(), lead, true};
  if (piece.size() > 1) {
    character.point &= 0xFFU >> (piece.size() + 1);
  }
  for (const char c : piece.substr(1)) {
    character.point = (character.point << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
  }
  return character;
}

bool ActsOnReader(std::uint32_t point) {
  return point < 0x20U || (point >= 0x7FU && point <= 0x9FU) || point == 0x2028U || point == 0x2029U ||
         point == 0x200EU || point == 0x200FU || (point >= 0x202AU && point <= 0x202EU) ||
         (point >= 0x2066U && point <= 0x2069U);
}

void AppendPrintable(std::string& out, std::string_view text, std::string_view also) {
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (!character.valid) {
      out += kReplacement;
    } else if (ActsOnReader(character.point)) {
      AppendEscaped(out, character.point);
    } else {
      if (also.find(text.front()) != std::string_view::npos) {
        out += '\\';
      }
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
}

}  // namespace packhorse
