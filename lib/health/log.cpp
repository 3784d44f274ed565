#include "health/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/mask.h"
#include "base/units.h"
#include "health/log_line.h"
#include "health/log_output.h"

namespace packhorse::health {
namespace {

enum class Format : std::uint8_t { kJson, kText };

// Standard error, without waiting for its reader. The state's mutex guards it.
class UnwaitedSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  std::uint64_t TakeDropped() { return output_.TakeDropped(); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    line_.assign(message.payload.data(), message.payload.size());
    line_ += '\n';
    output_.Write(line_);
  }
  void flush_() override {}

  LogOutput output_{STDERR_FILENO};
  std::string line_;  // reused
};

struct State {
  State() { logger.set_level(spdlog::level::trace); }
  std::atomic<LogLevel> level{LogLevel::kInfo};
  std::atomic<Format> format{Format::kText};
  std::mutex mutex;  // guards what follows
  LogLimiter limiter;
  std::shared_ptr<UnwaitedSink> output = std::make_shared<UnwaitedSink>();
  spdlog::logger logger{"packhorse", output};
  std::uint64_t dropped = 0;  // lines, since the last one that was written
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

// Memory as well as a reader that is away can cost a line. REQUIRES: state.mutex is held.
void Write(State& state, LogLevel level, std::string_view text) {
  state.logger.log(Level(level), spdlog::string_view_t(text.data(), text.size()));
}
void Write(State& state, const LogLine& line) {
  Write(state, line.level, state.format == Format::kJson ? FormatJson(line) : FormatText(line));
}

// How many lines nobody took, as soon as one is taken again. REQUIRES: state.mutex is held.
void SayDropped(State& state, WallTime wall) {
  state.dropped += state.output->TakeDropped();
  if (state.dropped == 0) {
    return;
  }
  const std::array<LogField, 1> count = {LogField{"lines", std::to_string(state.dropped)}};
  Write(state, {wall, LogLevel::kWarning, "log_lines_dropped",
                std::to_string(state.dropped) + " lines of the log were dropped, because nobody read them", count});
  if (state.output->TakeDropped() == 0) {
    state.dropped = 0;
  }
}

void WriteLimited(LogLevel level, std::string_view event, std::string_view message, std::span<const LogField> fields) {
  State& state = Global();
  const std::lock_guard lock(state.mutex);
  const MonoTime now = SystemClock().Mono();
  const WallTime wall = SystemClock().Wall();
  SayDropped(state, wall);
  for (const LogLimiter::Suppressed& left_out : state.limiter.TakeSuppressed(now)) {
    const std::array<LogField, 1> count = {LogField{"lines", std::to_string(left_out.lines)}};
    Write(state, {wall, LogLevel::kWarning, left_out.event,
                  "... " + std::to_string(left_out.lines) + " more, left out to bound the log", count});
  }
  if (!state.limiter.Allow(event, now)) {
    return;
  }
  const std::string masked = MaskSecrets(message);
  std::vector<LogField> masked_fields(fields.begin(), fields.end());
  for (LogField& field : masked_fields) {
    field.second = MaskSecrets(field.second);
  }
  Write(state, {wall, level, event, masked, masked_fields});
}

}  // namespace

void LogPlain(std::string_view line) {
  State& state = Global();
  const std::lock_guard lock(state.mutex);
  Write(state, LogLevel::kInfo, Shorten(line, kMaxLineBytes - 1));
}

Status ConfigureLog(std::string_view level, std::string_view format) {
  const std::optional<LogLevel> found = ParseLogLevel(level);
  if (!found) {
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
