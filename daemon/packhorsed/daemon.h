#pragma once

#include <string>

namespace packhorse::daemon {

// What the command line of packhorsed says.
struct CommandLine {
  enum class Mode { kRun, kCheck, kVersion, kHelp, kUsageError };
  Mode mode = Mode::kRun;
  std::string config_file;
  std::string error;  // kUsageError
};
CommandLine ParseCommandLine(int argc, const char* const* argv);

// Runs as told. Exit codes: 0 fine, 1 could not start, 2 usage, 78 bad configuration.
int Main(const CommandLine& command_line);

}  // namespace packhorse::daemon
