#include "format/json/writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "format/json/plain.h"

namespace packhorse::format {
namespace {

// What stands for a byte inside a JSON string: 0 itself, 'u' a \u escape, 'x' the start of a UTF-8 sequence, else the
// letter after a backslash.
constexpr std::array<char, 256> MakeEscapes() {
  std::array<char, 256> escapes{};
  for (std::size_t c = 0; c < 0x20; ++c) {
    escapes[c] = 'u';
  }
  for (std::size_t c = 0x80; c < 0x100; ++c) {
    escapes[c] = 'x';
  }
  escapes[0x7F] = 'u';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  return escapes;
}
constexpr std::array<char, 256> kEscapes = MakeEscapes();

char* Copy(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* WriteEscape(char* at, char escape, unsigned byte) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  *at++ = '\\';
  *at++ = escape;
  if (escape == 'u') {
    at = Copy(at, "00");
    *at++ = kHex[byte >> 4U];
    *at++ = kHex[byte & 0xFU];
  }
  return at;
}

// Whether kEscapes is 0 for each of eight bytes.
constexpr bool AllPlain(std::uint64_t word) {
  const std::uint64_t del = ((word ^ EachByte(0x7F)) - EachByte(1)) & EachByte(0x80);
  return (SpecialBytes(word) | del) == 0;
}

bool CopyWord(char* at, const char* from) {
  std::memcpy(at, from, kWordBytes);
  return AllPlain(LoadWord(from));
}

// Copies a text that stands for itself as a whole; false where it does not, with anything written in its place. What
// is left behind the last whole word is copied with bytes before it, a second time.
bool CopyPlain(char* at, std::string_view text) {
  constexpr std::size_t kHalf = kWordBytes / 2;
  const char* const from = text.data();
  if (text.size() >= kWordBytes) {
    const std::size_t last = text.size() - kWordBytes;
    for (std::size_t i = 0; i < last; i += kWordBytes) {
      if (!CopyWord(at + i, from + i)) {
        return false;
      }
    }
    return CopyWord(at + last, from + last);
  }
  if (text.size() >= kHalf) {
    const std::size_t last = text.size() - kHalf;
    std::array<char, kWordBytes> both{};
    std::memcpy(both.data(), from, kHalf);
    std::memcpy(both.data() + kHalf, from + last, kHalf);
    std::memcpy(at, both.data(), kHalf);
    std::memcpy(at + last, both.data() + kHalf, kHalf);
    return AllPlain(LoadWord(both.data()));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kEscapes[static_cast<unsigned char>(from[i])] != '\0') {
      return false;
    }
    at[i] = from[i];
  }
  return true;
}

char* WriteEscaped(char* at, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (i + kWordBytes <= text.size() && CopyWord(at, text.data() + i)) {
      at += kWordBytes;
      i += kWordBytes;
      continue;
    }
    const unsigned byte = static_cast<unsigned char>(text[i]);
    const char escape = kEscapes[byte];
    if (escape == '\0') {
      *at++ = text[i++];
    } else if (escape != 'x') {
      at = WriteEscape(at, escape, byte);
      ++i;
    } else if (const std::size_t length = Utf8SequenceLength(text, i); length > 0) {
      at = Copy(at, text.substr(i, length));
      i += length;
    } else {
      at = Copy(at, "\xEF\xBF\xBD");  // U+FFFD
      ++i;
    }
  }
  return at;
}

template <typename Number>
char* WriteNumber(char* at, Number number) {
  return std::to_chars(at, at + kMostNumberBytes, number).ptr;
}

// `digits` with a point before the last `decimals` of them, at least one on either side of it.
char* WriteDecimal(char* at, std::uint64_t digits, std::size_t decimals) {
  std::array<char, kMostNumberBytes> text{};
  char* const end = text.data() + text.size();
  char* first = end;
  const auto put = [&first, &digits] {
    *--first = static_cast<char>('0' + digits % 10);
    digits /= 10;
  };
  for (std::size_t i = 0; i < decimals; ++i) {
    put();
  }
  if (decimals == 0) {
    *--first = '0';
  }
  *--first = '.';
  do {
    put();
  } while (digits != 0);
  return Copy(at, {first, static_cast<std::size_t>(end - first)});
}

// A number with at most six decimals and 15 digits, as sensors send them: null where it is none. Two decimals of at
// most 15 digits never are the same double (IEEE 754 binary64), so the first that reads back as it is the shortest.
char* WriteShortDecimal(char* at, double number) {
  constexpr double kBelow = 1e15;
  constexpr double kLeast = 1e-3;            // below, an exponent may be shorter
  constexpr std::uint64_t kRound = 100'000;  // likewise of a whole number that this divides
  static constexpr std::array<double, 7> kPowers = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
  const double size = std::fabs(number);
  if (!(size >= kLeast) || size >= kBelow) {
    return nullptr;
  }
  for (std::size_t decimals = 0; decimals < kPowers.size(); ++decimals) {
    const double scaled = size * kPowers[decimals];
    if (scaled >= kBelow) {
      return nullptr;
    }
    // Of a decimal of so few digits it is off by less than a half, however it is rounded: it is compared below.
    const auto digits = static_cast<std::int64_t>(scaled + 0.5);  // NOLINT(bugprone-incorrect-roundings)
    if (static_cast<double>(digits) / kPowers[decimals] != size) {
      continue;
    }
    const auto magnitude = static_cast<std::uint64_t>(digits);
    if (decimals == 0 && magnitude % kRound == 0) {
      return nullptr;
    }
    if (number < 0) {
      *at++ = '-';
    }
    return WriteDecimal(at, magnitude, decimals);
  }
  return nullptr;
}

// What `write` writes, which has at most `most` bytes.
template <typename Write>
void Append(std::string& out, std::size_t most, Write write) {
  const std::size_t before = out.size();
  out.resize(before + most);
  out.resize(static_cast<std::size_t>(write(out.data() + before) - out.data()));
}

}  // namespace

char* WriteString(char* at, std::string_view text) {
  *at++ = '"';
  at = CopyPlain(at, text) ? at + text.size() : WriteEscaped(at, text);
  *at++ = '"';
  return at;
}

char* WriteInteger(char* at, std::int64_t number) { return WriteNumber(at, number); }
char* WriteUnsigned(char* at, std::uint64_t number) { return WriteNumber(at, number); }

char* WriteDouble(char* at, double number) {
  if (char* const end = WriteShortDecimal(at, number)) {
    return end;
  }
  if (!std::isfinite(number)) {
    return Copy(at, "null");
  }
  char* const end = WriteNumber(at, number);
  const bool marked =
      std::string_view(at, static_cast<std::size_t>(end - at)).find_first_of(".e") != std::string_view::npos;
  return marked ? end : Copy(end, ".0");
}

char* WriteValue(char* at, const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    return WriteDouble(at, *number);
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return WriteInteger(at, *integer);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return WriteString(at, *text);
  }
  if (const auto* large = std::get_if<std::uint64_t>(&value)) {
    return WriteUnsigned(at, *large);
  }
  if (const auto* flag = std::get_if<bool>(&value)) {
    return Copy(at, *flag ? "true" : "false");
  }
  return Copy(at, "null");
}

std::size_t MostBytes(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? MostBytes(std::string_view(*text)) : kMostNumberBytes;
}

// As FormatUtc(), without its formatting machinery: this runs for each record of each destination.
char* WriteWallTime(char* at, WallTime time) {
  using std::chrono::sys_days;
  using std::chrono::year;
  constexpr unsigned kDigits = 6;
  constexpr WallTime kFirst = sys_days(year(0) / 1 / 1);
  constexpr WallTime kBehind = sys_days(year(10'000) / 1 / 1);
  *at++ = '"';
  if (time >= kFirst && time < kBehind) {
    const auto second = std::chrono::floor<std::chrono::seconds>(time);
    at = WriteUtc(at, second, static_cast<std::uint32_t>((time - second).count()), kDigits);
  } else {
    at = Copy(at, FormatUtc(time));
  }
  *at++ = '"';
  return at;
}

// What needs no escape takes no more room than it has.
void AppendString(std::string& out, std::string_view text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return kEscapes[static_cast<unsigned char>(c)] == '\0'; });
  Append(out, plain ? text.size() + 2 : MostBytes(text), [&](char* at) { return WriteString(at, text); });
}

void AppendInteger(std::string& out, std::int64_t number) {
  Append(out, kMostNumberBytes, [=](char* at) { return WriteInteger(at, number); });
}
void AppendUnsigned(std::string& out, std::uint64_t number) {
  Append(out, kMostNumberBytes, [=](char* at) { return WriteUnsigned(at, number); });
}
void AppendDouble(std::string& out, double number) {
  Append(out, kMostNumberBytes, [=](char* at) { return WriteDouble(at, number); });
}

void AppendValue(std::string& out, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    AppendString(out, *text);
  } else {
    Append(out, kMostNumberBytes, [&](char* at) { return WriteValue(at, value); });
  }
}

void AppendWallTime(std::string& out, WallTime time) {
  Append(out, kMostNumberBytes, [=](char* at) { return WriteWallTime(at, time); });
}

}  // namespace packhorse::format
