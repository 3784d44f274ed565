#pragma once

#include <chrono>
#include <optional>

#include "outcome/outcome_rules.h"

namespace packhorse::outcome {

// What a reply says about waiting. Pure functions; malformed headers count as absent.
struct WaitHints {
  std::optional<std::chrono::milliseconds> retry_after;  // Retry-After
  bool exhausted = false;                                // a rate header says that nothing is left
  std::optional<std::chrono::milliseconds> reset;        // until there is more again, from the rate headers
};

// Reads Retry-After (RFC 9110 section 10.2.3) and the rate headers (rate_headers.h). Of several policies the exhausted
// one with the longest wait counts; without one, the shortest wait.
WaitHints ReadWaitHints(const Reply& reply, WallTime wall);

}  // namespace packhorse::outcome
