#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "health/metrics.h"

namespace packhorse::monitor {

// What ends by itself, and what does not work any more then.
struct Expiring {
  std::string owner;  // "destination cloud"
  std::string what;   // "the client certificate /etc/packhorse/client.pem"
  WallTime ends{};
};

// Opens events 30 days, a week and a day before something ends, worse each time, one for an owner. Ends those of what
// is not among `all`, or ends later now. Loop thread.
void FollowExpiries(const std::vector<Expiring>& all, health::Events& events, WallTime now);

}  // namespace packhorse::monitor
