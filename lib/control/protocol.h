#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "control/control.h"

namespace packhorse::control {

inline constexpr std::size_t kRequestBytes = 65'536;  // one line, line feed not counted
inline constexpr std::size_t kUnsentBytes = 16'777'216;

// The command and arguments of one request line; connection and rights are for the caller to fill in. Pure function.
Result<Call> ParseRequest(std::string_view line);

// Lines without their line feed. Line breaks between the tokens of `result_json` become blanks.
std::string FormatRequest(std::string_view command, std::string_view args_json);
std::string FormatResult(std::string_view result_json, bool more);
std::string FormatError(const Error& error);

// The result's JSON text of one reply line, or the daemon's error under its own code. kCorrupt when the line is no
// reply.
Result<std::string> ParseReply(std::string_view line);

}  // namespace packhorse::control
