#pragma once

#include "base/clock.h"
#include "contract/cloud_library.h"
#include "health/metrics.h"

namespace packhorse::bridge {

// Raises the event contract_refused for each broken file of the contracts in force, and ends those of files that are
// mended or gone.
void FollowRefusedContracts(const contract::CloudLibrary& contracts, health::Events& events, WallTime now);

}  // namespace packhorse::bridge
