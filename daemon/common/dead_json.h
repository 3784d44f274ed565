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

// A page of `packhorse dead export`: with the whole payloads, those of one destination where `destination` is not
// empty, as many as fit into about 4 MiB; `next` is the id after which the next page begins, null behind the last. A
// payload with which an entry is longer than `max_entry_bytes` is left out. REQUIRES: one more than kDeadPage of each,
// where there are so many.
inline constexpr std::size_t kDeadPage = 50;
// A longer line would not fit what the control socket holds for a client.
inline constexpr std::size_t kDeadEntryBytes = 8U << 20U;
std::string DeadExportJson(const std::vector<queue::DeadLetter>& letters, const std::vector<queue::Suspect>& suspects,
                           const std::string& destination, std::size_t max_entry_bytes);

}  // namespace packhorse::daemon
