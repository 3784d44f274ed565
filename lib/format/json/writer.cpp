#include "format/json/writer.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/text.h"

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

void AppendEscape(std::string& out, char escape, unsigned byte) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += '\\';
  out += escape;
  if (escape == 'u') {
    out += "00";
    out += kHex[byte >> 4U];
    out += kHex[byte & 0xFU];
  }
}

template <typename Number>
void AppendNumber(std::string& out, Number number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

}  // namespace

void AppendString(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // where the run not yet appended starts
  for (std::size_t i = 0; i < text.size();) {
    const unsigned byte = static_cast<unsigned char>(text[i]);
    const char escape = kEscapes[byte];
    if (escape == '\0') {
      ++i;
      continue;
    }
    if (escape == 'x') {
      const std::size_t length = Utf8SequenceLength(text, i);
      if (length > 0) {
        i += length;
        continue;
      }
    }
    out.append(text, plain, i - plain);
    if (escape == 'x') {
      out += "\xEF\xBF\xBD";  // U+FFFD
    } else {
      AppendEscape(out, escape, byte);
    }
    plain = ++i;
  }
  out.append(text, plain);
  out += '"';
}

void AppendInteger(std::string& out, std::int64_t number) { AppendNumber(out, number); }
void AppendUnsigned(std::string& out, std::uint64_t number) { AppendNumber(out, number); }

void AppendDouble(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  const std::size_t start = out.size();
  AppendNumber(out, number);
  if (out.find_first_of(".e", start) == std::string::npos) {
    out += ".0";
  }
}

void AppendValue(std::string& out, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    AppendString(out, *text);
  } else if (const auto* number = std::get_if<double>(&value)) {
    AppendDouble(out, *number);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    AppendInteger(out, *integer);
  } else if (const auto* large = std::get_if<std::uint64_t>(&value)) {
    AppendUnsigned(out, *large);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else {
    out += "null";
  }
}

// As FormatUtc(), without its formatting machinery: this runs for each record of each destination.
void AppendWallTime(std::string& out, WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto micros = static_cast<std::uint64_t>((time - day).count());
  const int year = static_cast<int>(date.year());
  if (year < 0 || year > 9999) {
    AppendString(out, FormatUtc(time));
    return;
  }
  std::array<char, 29> text{};
  char* at = text.data();
  const auto put = [&at](std::uint64_t value, int digits, char after) {
    for (int i = digits - 1; i >= 0; --i) {
      at[i] = static_cast<char>('0' + value % 10);
      value /= 10;
    }
    at += digits;
    *at++ = after;
  };
  *at++ = '"';
  put(static_cast<std::uint64_t>(year), 4, '-');
  put(static_cast<unsigned>(date.month()), 2, '-');
  put(static_cast<unsigned>(date.day()), 2, 'T');
  const std::uint64_t seconds = micros / 1'000'000;
  put(seconds / 3600, 2, ':');
  put(seconds / 60 % 60, 2, ':');
  put(seconds % 60, 2, '.');
  put(micros % 1'000'000, 6, 'Z');
  *at++ = '"';
  out.append(text.data(), static_cast<std::size_t>(at - text.data()));
}

}  // namespace packhorse::format
