#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace packhorse::health {

// Structured log lines to standard error (the journal takes them). Nothing waits for whoever reads them: a line that is
// not taken at once is dropped, and the next one that is taken says how many were. One line per event, at most 4 KiB,
// control characters escaped, invalid UTF-8 replaced; more than 50 lines a second of the same event are counted instead
// ("... 1234 more", with the next line that is written in a later second). Never called per message. Thread-safe; never
// throws.

enum class LogLevel : std::uint8_t { kError, kWarning, kInfo, kDebug };

using LogField = std::pair<std::string_view, std::string>;

// `level`: error, warning, info, debug; `format`: json, text. Before this, text at info.
Status ConfigureLog(std::string_view level, std::string_view format);
bool LogEnabled(LogLevel level);
// `event` is a short stable name such as "destination_held"; `message` is for people.
void Log(LogLevel level, std::string_view event, std::string_view message, std::initializer_list<LogField> fields = {});
// For people, before the log is configured: a line as it is, cut at 4 KiB, not waited for either.
void LogPlain(std::string_view line);

}  // namespace packhorse::health
