#pragma once

#include <string>
#include <utility>
#include <vector>

#include "delivery/exchanges.h"

namespace packhorse::daemon {

// The failed exchanges of destinations, each with its name, as JSON (public surface: members are added, never renamed).
// Of each destination the newest last.
std::string ExchangesJson(const std::vector<std::pair<std::string, const delivery::Exchanges*>>& destinations);

}  // namespace packhorse::daemon
