#pragma once

#include <string>
#include <vector>

namespace packhorse::cli {

// What follows `packhorse`: "status", "queue stats", "queue quarantine retry".
std::vector<std::string> CommandNames();

// The command line of `packhorse`. The exit code.
int Main(int argc, char** argv);

}  // namespace packhorse::cli
