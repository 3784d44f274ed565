#include "health/log_line.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/units.h"

namespace packhorse::health {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNameBytes = 64;
constexpr std::size_t kMessageBytes = 2'048;
constexpr std::size_t kFieldBytes = 1'024;
constexpr std::string_view kOtherEvents = "(other events)";

// How long texts may be in one attempt at a line; halved until the line fits.
struct Budget {
  std::size_t message = kMessageBytes;
  std::size_t field = kFieldBytes;
  std::size_t name = kNameBytes;  // of the event and of each field
};

bool Cuts(const LogLine& line, const Budget& budget) {
  return line.event.size() > budget.name || line.message.size() > budget.message ||
         line.fields.size() > kMaxLogFields ||
         std::any_of(line.fields.begin(), line.fields.end(), [&](const LogField& field) {
           return field.first.size() > budget.name || field.second.size() > budget.field;
         });
}

std::span<const LogField> Fields(const LogLine& line) {
  return line.fields.first(std::min(line.fields.size(), kMaxLogFields));
}

template <typename Attempt>
std::string Fit(const Attempt& attempt) {
  Budget budget;
  std::string text = attempt(budget);
  while (text.size() >= kMaxLineBytes && budget.message > 16) {
    budget.message /= 2;
    budget.field /= 2;
    budget.name = std::max<std::size_t>(budget.name / 2, 8);
    text = attempt(budget);
  }
  return text;
}

// JSON leaves DEL and the C1 controls as they are; a terminal may act on them. They only occur within strings.
std::string EscapeLateControls(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t at = 0; at < json.size(); ++at) {
    const auto byte = static_cast<unsigned char>(json[at]);
    const auto next = at + 1 < json.size() ? static_cast<unsigned char>(json[at + 1]) : 0U;
    if (byte == 0x7FU || (byte == 0xC2U && next >= 0x80U && next < 0xA0U)) {
      std::array<char, 8> text{};
      std::snprintf(text.data(), text.size(), "\\u%04x", byte == 0x7FU ? byte : next);
      out += text.data();
      at += byte == 0x7FU ? 0 : 1;
    } else {
      out += json[at];
    }
  }
  return out;
}

std::string JsonAttempt(const LogLine& line, const Budget& budget) {
  Json json;
  json["ts"] = FormatUtc(line.at);
  json["level"] = Name(line.level);
  json["event"] = Shorten(line.event, budget.name);
  json["message"] = Shorten(line.message, budget.message);
  for (const auto& [key, value] : Fields(line)) {
    json["fields"][Shorten(key, budget.name)] = Shorten(value, budget.field);
  }
  if (Cuts(line, budget)) {
    json["cut"] = true;
  }
  // Escapes control characters (RFC 8259 section 7) and replaces invalid UTF-8 by U+FFFD; does not throw in this mode.
  return EscapeLateControls(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void AppendHex(unsigned char byte, std::string& out) {
  std::array<char, 5> text{};
  std::snprintf(text.data(), text.size(), "\\x%02x", static_cast<unsigned>(byte));
  out += text.data();
}

std::size_t SequenceLength(unsigned char lead) {
  if (lead < 0x80U) {
    return 1;
  }
  return lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
}

// Printable UTF-8: control characters (C0, C1, DEL) as \n, \t, \x1b, invalid bytes as U+FFFD.
void AppendPrintable(std::string_view text, bool quoted, std::string& out) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::string_view piece = text.substr(at, SequenceLength(byte));
    if (byte == '\n' || byte == '\t') {
      out += byte == '\n' ? "\\n" : "\\t";
    } else if (byte < 0x20U || byte == 0x7FU) {
      AppendHex(byte, out);
    } else if (!IsValidUtf8(piece)) {
      out += "\xEF\xBF\xBD";
      ++at;
      continue;
    } else if (byte == 0xC2U && static_cast<unsigned char>(piece[1]) < 0xA0U) {
      AppendHex(static_cast<unsigned char>(piece[1]), out);
    } else {
      if (quoted && (byte == '"' || byte == '\\')) {
        out += '\\';
      }
      out += piece;
    }
    at += piece.size();
  }
}

void AppendValue(std::string_view value, std::string& out) {
  const bool quoted = value.empty() || value.find_first_of(" \"=\\") != std::string_view::npos;
  out += quoted ? "\"" : "";
  AppendPrintable(value, quoted, out);
  out += quoted ? "\"" : "";
}

std::string TextAttempt(const LogLine& line, const Budget& budget) {
  std::string text = FormatUtc(line.at);
  text += ' ';
  text += Name(line.level);
  text += ' ';
  AppendPrintable(Shorten(line.event, budget.name), false, text);
  text += ": ";
  AppendPrintable(Shorten(line.message, budget.message), false, text);
  for (const auto& [key, value] : Fields(line)) {
    text += ' ';
    AppendPrintable(Shorten(key, budget.name), false, text);
    text += '=';
    AppendValue(Shorten(value, budget.field), text);
  }
  if (Cuts(line, budget)) {
    text += " (cut)";
  }
  return text;
}

}  // namespace

std::string_view Name(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames = {"error", "warning", "info", "debug"};
  const auto index = static_cast<std::size_t>(level);
  return index < kNames.size() ? kNames[index] : std::string_view("unknown");
}

std::string FormatJson(const LogLine& line) {
  return Fit([&](const Budget& budget) { return JsonAttempt(line, budget); });
}

std::string FormatText(const LogLine& line) {
  return Fit([&](const Budget& budget) { return TextAttempt(line, budget); });
}

bool LogLimiter::Allow(std::string_view event, MonoTime now) {
  event = event.substr(0, kNameBytes);
  auto found = counts_.find(event);
  if (found == counts_.end()) {
    const std::string_view name = counts_.size() + 1 < kMaxLoggedEvents ? event : kOtherEvents;
    found = counts_.try_emplace(std::string(name)).first;
  }
  Count& count = found->second;
  const std::int64_t second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (count.second != second) {
    count.second = second;
    count.lines = 0;
  }
  if (count.lines < kMaxLinesPerSecond) {
    ++count.lines;
    return true;
  }
  suppressing_ += count.suppressed == 0 ? 1 : 0;
  ++count.suppressed;
  return false;
}

std::vector<LogLimiter::Suppressed> LogLimiter::TakeSuppressed(MonoTime now) {
  std::vector<Suppressed> taken;
  if (suppressing_ == 0) {
    return taken;
  }
  const std::int64_t second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  for (auto& [event, count] : counts_) {
    if (count.suppressed > 0 && count.second != second) {
      taken.push_back({event, count.suppressed});
      count.suppressed = 0;
      --suppressing_;
    }
  }
  return taken;
}

}  // namespace packhorse::health
