#pragma once

#include <optional>

#include "common/json_parts.h"
#include "delivery/rollout.h"

namespace packhorse::daemon {

// What `status` and `packhorse rollout` show of a rollout; null where there is none.
Json RolloutJson(const std::optional<delivery::Rollout::Status>& rollout);

}  // namespace packhorse::daemon
