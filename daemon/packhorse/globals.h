#pragma once

#include <string>

#include "base/result.h"

namespace packhorse::cli {

// Exit codes of the public surface (docs and design: never changed).
inline constexpr int kExitFine = 0;
inline constexpr int kExitProblem = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;

// The options that every command knows.
struct Globals {
  std::string config_file;  // empty: the default file
  std::string socket;       // empty: the one of the configuration, else the default
  bool json = false;
};

std::string ConfigFile(const Globals& globals);
// Where the daemon listens. A configuration that cannot be read or has mistakes is no obstacle: its socket, if it names
// one, else the default; so that `reload` and `status` work while the file is being mended.
std::string SocketPath(const Globals& globals);

// Prints "packhorse: <message>" and what to do next to standard error; answers the exit code for this error.
int Report(const Globals& globals, const Error& error, bool while_connecting);

// Prints to standard output, with a line feed at the end.
void PrintOut(const std::string& text);

}  // namespace packhorse::cli
