#pragma once

#include <vector>

#include "bridge/destinations.h"
#include "config/config.h"
#include "monitor/expiries.h"

namespace packhorse::bridge {

// What of the bridge ends by itself and says when: client certificates, private authorities, the servers' certificates
// as they were last seen, tokens. Reads files; one that cannot be read is left out, since whoever uses it tells of it.
// Loop thread.
std::vector<monitor::Expiring> FindExpiring(const config::Config& config, const Destinations& destinations,
                                            MonoTime now);

}  // namespace packhorse::bridge
