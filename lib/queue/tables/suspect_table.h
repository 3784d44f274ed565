#pragma once

#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/state/checkpoint_work.h"
#include "queue/state/queue_state.h"

namespace packhorse::queue {

// The table `suspects`. One thread at a time.

// Into a queue state that has the names of streams and destinations.
Status LoadSuspects(Database& db, QueueState& state);
// Within the transaction that is open.
Status WriteSuspects(Database& db, const Changes& changes);
// The row with this key, as it was written. kNotFound: there is none.
Result<SuspectContent> ReadSuspect(Database& db, const DeadKey& key);
// Those of one message, with what is known to the rows alone: without names and record id.
Result<std::vector<std::pair<DeadKey, Suspect>>> SuspectsAt(Database& db, Lane lane, Sequence sequence);
// Likewise of one that was read.
Result<Suspect> Describe(const DeadKey& key, SuspectContent content, bool retrying);

}  // namespace packhorse::queue
