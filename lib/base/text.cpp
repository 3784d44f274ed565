#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace packhorse {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

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
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return Lower(c); });
  return lower;
}

std::string Join(const std::vector<std::string>& texts, std::string_view between) {
  std::string joined;
  for (const std::string& text : texts) {
    joined += joined.empty() ? "" : between;
    joined += text;
  }
  return joined;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::size_t Utf8SequenceLength(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[at + i])) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80U) {
    return at < text.size() ? 1 : 0;
  }
  if (lead >= 0xC2U && lead <= 0xDFU) {
    return tail(1) ? 2 : 0;
  }
  // The second byte's range keeps out overlong forms, surrogates and what lies above U+10FFFF (RFC 3629 section 4).
  if (lead >= 0xE0U && lead <= 0xEFU) {
    const unsigned low = lead == 0xE0U ? 0xA0U : 0x80U;
    const unsigned high = lead == 0xEDU ? 0x9FU : 0xBFU;
    return byte(1) >= low && byte(1) <= high && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0U && lead <= 0xF4U) {
    const unsigned low = lead == 0xF0U ? 0x90U : 0x80U;
    const unsigned high = lead == 0xF4U ? 0x8FU : 0xBFU;
    return byte(1) >= low && byte(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::size_t Utf8PrefixBytes(std::string_view text) {
  std::size_t bytes = 0;
  while (const std::size_t length = Utf8SequenceLength(text, bytes)) {
    bytes += length;
  }
  return bytes;
}

bool IsValidUtf8(std::string_view text) { return Utf8PrefixBytes(text) == text.size(); }

void AppendUtf8(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  const auto tail = [&put](std::uint32_t bits) { put(0x80U | (bits & 0x3FU)); };
  if (point < 0x80U) {
    put(point);
  } else if (point < 0x800U) {
    put(0xC0U | (point >> 6U));
    tail(point);
  } else if (point < 0x1'0000U) {
    put(0xE0U | (point >> 12U));
    tail(point >> 6U);
    tail(point);
  } else {
    put(0xF0U | (point >> 18U));
    tail(point >> 12U);
    tail(point >> 6U);
    tail(point);
  }
}

Character FirstCharacter(std::string_view text) {
  const std::size_t bytes = Utf8SequenceLength(text, 0);
  if (bytes == 0) {
    return Character{1, 0xFFFDU, false};
  }
  Character character{bytes, static_cast<unsigned char>(text.front()), true};
  if (bytes > 1) {
    character.point &= 0xFFU >> (bytes + 1);
  }
  for (const char c : text.substr(1, bytes - 1)) {
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
