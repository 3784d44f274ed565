#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "packhorse/globals.h"

namespace packhorse::cli {

// Answers for a daemon that does not run, from the queue's file that the configuration names. The same JSON as the
// daemon's, with a member `from_file` more: the file, and how much only the journal has. Reads only.

// Nothing when a file is no help: the command needs the daemon, the daemon may well run (no permission, no answer in
// time), --socket names one without its configuration, or there is no queue. An error when the file cannot be read.
std::optional<Result<std::string>> AnswerFromFile(const Globals& globals, const Error& unreachable,
                                                  const std::string& command, const std::string& args);

}  // namespace packhorse::cli
