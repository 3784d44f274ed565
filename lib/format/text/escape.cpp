#include "format/text/escape.h"

#include <cstddef>
#include <cstdint>

#include "base/text.h"

namespace packhorse::format {
namespace {

bool XmlCarries(std::uint32_t point) {
  return point == '\t' || point == '\n' || point == '\r' || (point >= 0x20 && point != 0xFFFE && point != 0xFFFF);
}

std::string_view XmlName(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&apos;";
    case '\t':
      return "&#9;";
    case '\n':
      return "&#10;";
    case '\r':
      return "&#13;";
    default:
      return {};
  }
}

}  // namespace

bool AppendXml(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const Character character = FirstCharacter(text.substr(at));
    if (!character.valid || !XmlCarries(character.point)) {
      out.resize(start);
      return false;
    }
    const std::string_view name = XmlName(text[at]);
    out += name.empty() ? text.substr(at, character.bytes) : name;
    at += character.bytes;
  }
  return true;
}

void AppendBackslashed(std::string& out, std::string_view text, std::string_view special) {
  while (true) {
    const std::size_t plain = text.find_first_of(special);
    out += text.substr(0, plain);
    if (plain == std::string_view::npos) {
      return;
    }
    out += '\\';
    out += text[plain];
    text.remove_prefix(plain + 1);
  }
}

}  // namespace packhorse::format
