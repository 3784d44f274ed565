#pragma once

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/state/checkpoint_work.h"
#include "queue/state/queue_state.h"

namespace packhorse::queue {

// The tables `replays` and `replay_batches`. One thread at a time.

// Into a queue state that has the names of streams and destinations.
Status LoadReplays(Database& db, QueueState& state);
// Within the transaction that is open.
Status WriteReplays(Database& db, const Changes& changes);
// The batch's row; its id says that it is of a replay.
Status InsertReplayBatch(Database& db, DestinationId destination, const PreparedBatch& batch);
Status DeleteReplayBatch(Database& db, BatchId id);

}  // namespace packhorse::queue
