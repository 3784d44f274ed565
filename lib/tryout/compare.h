#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "contract/cloud_contract.h"

namespace packhorse::tryout {

// Compares two versions of a contract by what they do: requests of records of every shape, and verdicts of every
// combination of what the rules of either ask for. Pure functions.

struct Finding {
  enum class Level { kBreak, kWarning };
  Level level = Level::kBreak;
  std::string place;    // "request /points/0/at", "response", "settings", "accepts": what it is about
  std::string message;  // for people
};

// A contract and the rules of its settings.
struct Compared {
  const contract::CloudContract* contract = nullptr;
  std::vector<contract::SettingRule> settings;
};

// What a receiver of `before`, or a configuration for it, may not stand in `after`.
std::vector<Finding> Compare(const Compared& before, const Compared& after);

}  // namespace packhorse::tryout
