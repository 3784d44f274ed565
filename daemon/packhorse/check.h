#pragma once

#include <string>

#include "packhorse/globals.h"

namespace packhorse::cli {

// `packhorse check [FILE]`: every problem of a configuration, then the count; or what it would do. Judged as `user`, by
// default root as the user of the service. Exit code 0, or 78 with errors; warnings alone are fine.
int Check(const Globals& globals, const std::string& file, const std::string& user);

}  // namespace packhorse::cli
