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

// Reads Retry-After (RFC 9110 section 10.2.3) and the rate headers in the forms that are met in the field:
//  - `RateLimit: "default";r=0;t=30` (IETF httpapi draft, structured fields; several policies at once),
//  - `RateLimit: limit=10, remaining=0, reset=30` (its draft 7),
//  - `RateLimit-Remaining` and `RateLimit-Reset` (earlier drafts: seconds left),
//  - `X-RateLimit-*` and `X-Rate-Limit-*`, whose reset is seconds left or an epoch time; told apart by size.
// Of several policies the exhausted one with the longest wait counts; without one, the shortest wait.
WaitHints ReadWaitHints(const Reply& reply, WallTime wall);

}  // namespace packhorse::outcome
