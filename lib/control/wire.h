#pragma once

#include <sys/un.h>

#include <string>

#include "base/result.h"
#include "control/control.h"

namespace packhorse::control {

// The lines of the protocol (control.h), both sides. Pure functions; any thread.

inline constexpr std::size_t kMaxRequestBytes = 65'536;

// Address of a socket path; kInvalidArgument when it does not fit (107 bytes, unix(7)).
Result<sockaddr_un> SocketAddress(const std::string& path);

std::string RequestLine(const std::string& command, const std::string& args_json);
// kInvalidArgument for what is no request: not JSON, no command, args that are no object.
Result<Call> ParseCall(const std::string& line);

std::string ResultLine(const std::string& result_json, bool more);
std::string ErrorLine(const Error& error);
// The result's JSON text, or the error as the daemon gave it.
Answer ParseAnswer(const std::string& line);

}  // namespace packhorse::control
