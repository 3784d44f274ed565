#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/config.h"
#include "document/problems.h"

namespace packhorse::daemon {

// What daemon and CLI do alike with the configuration, so that `packhorse check` and `packhorsed --check` never
// disagree.

inline constexpr char kDefaultConfigFile[] = "/etc/packhorse/packhorse.json";
inline constexpr char kDefaultSocket[] = "/run/packhorse/control.sock";
// The exit code of a bad configuration (EX_CONFIG of sysexits.h); the unit does not restart on it.
inline constexpr int kExitBadConfiguration = 78;

// config::Load, and in addition the contracts beside the file, whether those that are named are known, and what else
// would end the daemon at its start (start_check.h). Without errors, the cloud contracts that were read are in force
// from here on (contract::UseCloudContracts).
config::Loaded LoadConfiguration(const std::string& file);

// Warns of destinations for which neither the configuration nor the contract limits the rate. Not at each start: it is
// for whoever writes the file.
void CheckRates(const std::string& file, config::Loaded& loaded);

struct ProblemCount {
  std::size_t errors = 0;
  std::size_t warnings = 0;
};
ProblemCount Count(const std::vector<document::Problem>& problems);
// "2 errors, 1 warning".
std::string Summary(const ProblemCount& count);

}  // namespace packhorse::daemon
