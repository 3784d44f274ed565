#pragma once

#include <chrono>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace packhorse::control {

// A connected Unix stream socket whose operations wait at most `timeout`; zero: it never waits. The code tells why not:
// kNotFound no such file, kUnavailable nobody listens, kPermissionDenied, kInvalidArgument a path that is empty or over
// 107 bytes, kBusy when too many wait to be accepted.
Result<Fd> ConnectTo(const std::string& path, std::chrono::milliseconds timeout);
// How long reading waits; zero: without end.
Status SetReadTimeout(int fd, std::chrono::milliseconds timeout);

// A listening, non-blocking socket file that owner and group may use. Replaces a stale one; kBusy when something
// answers.
Result<Fd> BindTo(const std::string& path, int backlog);

}  // namespace packhorse::control
