#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/json_parts.h"
#include "queue/queue.h"

namespace packhorse::daemon {

// Dead letters and suspects as JSON (public surface: members are added, never renamed): one list of both, told apart by
// `state`: "dead" has ended, "suspect" is still pending.

Json DeadJson(const queue::DeadLetter& letter);
Json SuspectJson(const queue::Suspect& suspect);
// In the order of their ids, at most `limit` of both. REQUIRES: one more than that of each, where there are so many.
std::string DeadListJson(const std::vector<queue::DeadLetter>& letters, const std::vector<queue::Suspect>& suspects,
                         std::size_t limit);
// With the whole payload.
std::string DeadLetterJson(const queue::DeadLetter& letter);
std::string OneSuspectJson(const queue::Suspect& suspect);

}  // namespace packhorse::daemon
