#include "health/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "base/units.h"
#include "health/log_line.h"

namespace packhorse::health {
namespace {

enum class Format : std::uint8_t { kJson, kText };

struct State {
  std::atomic<LogLevel> level{LogLevel::kInfo};
  std::atomic<Format> format{Format::kText};
  std::mutex mutex;  // guards what follows
  LogLimiter limiter;
  std::unique_ptr<spdlog::logger> logger;
};

// Never destroyed: other threads and destructors may log until the process ends.
State& Global() {
  static State* state = new State;
  return *state;
}

spdlog::level::level_enum Level(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kDebug:
      break;
  }
  return spdlog::level::debug;
}

// REQUIRES: state.mutex is held.
void Write(State& state, const LogLine& line) {
  if (!state.logger) {
    state.logger = std::make_unique<spdlog::logger>("packhorse", std::make_shared<spdlog::sinks::stderr_sink_st>());
    state.logger->set_level(spdlog::level::trace);
    state.logger->set_pattern("%v");
  }
  const std::string text = state.format == Format::kJson ? FormatJson(line) : FormatText(line);
  state.logger->log(Level(line.level), spdlog::string_view_t(text.data(), text.size()));
}

void WriteLimited(LogLevel level, std::string_view event, std::string_view message, std::span<const LogField> fields) {
  State& state = Global();
  const std::lock_guard lock(state.mutex);
  const MonoTime now = SystemClock().Mono();
  const WallTime wall = SystemClock().Wall();
  for (const LogLimiter::Suppressed& left_out : state.limiter.TakeSuppressed(now)) {
    const std::array<LogField, 1> count = {LogField{"lines", std::to_string(left_out.lines)}};
    Write(state, {wall, LogLevel::kWarning, left_out.event,
                  "... " + std::to_string(left_out.lines) + " more, left out to bound the log", count});
  }
  if (state.limiter.Allow(event, now)) {
    Write(state, {wall, level, event, message, fields});
  }
}

}  // namespace

Status ConfigureLog(std::string_view level, std::string_view format) {
  constexpr std::array kLevels = {LogLevel::kError, LogLevel::kWarning, LogLevel::kInfo, LogLevel::kDebug};
  const LogLevel* found = nullptr;
  for (const LogLevel& candidate : kLevels) {
    found = Name(candidate) == level ? &candidate : found;
  }
  if (found == nullptr) {
    return Error{ErrorCode::kInvalidArgument,
                 "log level \"" + Shorten(level, 40) + "\" is none of error, warning, info, debug"};
  }
  if (format != "json" && format != "text") {
    return Error{ErrorCode::kInvalidArgument, "log format \"" + Shorten(format, 40) + "\" is neither json nor text"};
  }
  Global().level = *found;
  Global().format = format == "json" ? Format::kJson : Format::kText;
  return {};
}

bool LogEnabled(LogLevel level) { return level <= Global().level.load(); }

void Log(LogLevel level, std::string_view event, std::string_view message, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) {
    return;
  }
  try {
    WriteLimited(level, event, message, std::span<const LogField>(fields.begin(), fields.size()));
  } catch (...) {
    // Out of memory, or standard error is broken: there is nowhere left to say so, and callers include C callbacks.
  }
}

}  // namespace packhorse::health
