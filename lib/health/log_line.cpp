#include "health/log_line.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/enum_names.h"
#include "base/text.h"
#include "base/units.h"

namespace packhorse::health {
namespace {

using Json = nlohmann::ordered_json;

constexpr EnumNames<LogLevel, 4> kLevelNames{{"error", "warning", "info", "debug"}};

constexpr std::size_t kLineNameBytes = 64;
constexpr std::size_t kLineMessageBytes = 2'048;
constexpr std::size_t kFieldBytes = 1'024;
constexpr std::string_view kOtherEvents = "(other events)";

// How long texts may be in one attempt at a line; halved until the line fits.
struct Budget {
  std::size_t message = kLineMessageBytes;
  std::size_t field = kFieldBytes;
  std::size_t name = kLineNameBytes;  // of the event and of each field
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

// JSON leaves everything above the C0 controls as it is; a terminal may act on some of it. That only occurs within
// strings. REQUIRES: valid UTF-8.
std::string EscapeLateControls(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const Character character = FirstCharacter(json);
    if (character.point >= 0x7FU && ActsOnReader(character.point)) {
      std::array<char, 8> text{};
      std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned>(character.point & 0xFFFFU));
      out += text.data();
    } else {
      out += json.substr(0, character.bytes);
    }
    json.remove_prefix(character.bytes);
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

void AppendValue(std::string_view value, std::string& out) {
  const bool quoted = value.empty() || value.find_first_of(" \"=\\") != std::string_view::npos;
  out += quoted ? "\"" : "";
  AppendPrintable(out, value, quoted ? "\"\\" : "");
  out += quoted ? "\"" : "";
}

std::string TextAttempt(const LogLine& line, const Budget& budget) {
  std::string text = FormatUtc(line.at);
  text += ' ';
  text += Name(line.level);
  text += ' ';
  AppendPrintable(text, Shorten(line.event, budget.name));
  text += ": ";
  AppendPrintable(text, Shorten(line.message, budget.message));
  for (const auto& [key, value] : Fields(line)) {
    text += ' ';
    AppendPrintable(text, Shorten(key, budget.name));
    text += '=';
    AppendValue(Shorten(value, budget.field), text);
  }
  if (Cuts(line, budget)) {
    text += " (cut)";
  }
  return text;
}

}  // namespace

std::string_view Name(LogLevel level) { return kLevelNames.Of(level); }
std::optional<LogLevel> ParseLogLevel(std::string_view name) { return kLevelNames.Find(name); }

std::string FormatJson(const LogLine& line) {
  return Fit([&](const Budget& budget) { return JsonAttempt(line, budget); });
}

std::string FormatText(const LogLine& line) {
  return Fit([&](const Budget& budget) { return TextAttempt(line, budget); });
}

bool LogLimiter::Allow(std::string_view event, MonoTime now) {
  event = event.substr(0, kLineNameBytes);
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
