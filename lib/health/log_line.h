#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "health/log.h"

namespace packhorse::health {

// The parts of logging that need no output: how a line looks, and which lines are too many.

inline constexpr std::size_t kMaxLineBytes = 4'096;  // the line feed included
inline constexpr std::size_t kMaxLogFields = 16;
inline constexpr std::uint32_t kMaxLinesPerSecond = 50;
inline constexpr std::size_t kMaxLoggedEvents = 256;

std::string_view Name(LogLevel level);
std::optional<LogLevel> ParseLogLevel(std::string_view name);

struct LogLine {
  WallTime at{};
  LogLevel level = LogLevel::kInfo;
  std::string_view event;
  std::string_view message;
  std::span<const LogField> fields;
};

// {"ts":"...","level":"info","event":"...","message":"...","fields":{...}}, without the line feed. Valid JSON and
// UTF-8, within kMaxLineBytes whatever goes in: texts are cut and fields beyond kMaxLogFields left out, which
// "cut":true says.
std::string FormatJson(const LogLine& line);
// 2026-11-20T08:15:31.500000Z info event: message key=value key="two words"; same bounds, one printable line.
std::string FormatText(const LogLine& line);

// Counts lines per event and second. Not thread-safe. Memory: kMaxLoggedEvents names; further ones share one count.
class LogLimiter {
 public:
  struct Suppressed {
    std::string event;
    std::uint64_t lines = 0;
  };
  // Whether a line of this event may be written now.
  bool Allow(std::string_view event, MonoTime now);
  // Events of which lines were left out in a second that is over; each is told once.
  std::vector<Suppressed> TakeSuppressed(MonoTime now);

 private:
  struct Count {
    std::int64_t second = 0;
    std::uint32_t lines = 0;
    std::uint64_t suppressed = 0;
  };
  std::map<std::string, Count, std::less<>> counts_;
  std::size_t suppressing_ = 0;  // events with suppressed lines that were not told yet
};

}  // namespace packhorse::health
