#pragma once

namespace packhorse::cli {

// The command line of `packhorse`. The exit code.
int Main(int argc, char** argv);

}  // namespace packhorse::cli
