#pragma once

#include "base/result.h"
#include "queue/fold.h"
#include "queue/index.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// The tables `replays` and `replay_batches`. One thread at a time.

// Into an index that has the names of streams and destinations.
Status LoadReplays(Database& db, Index& index);
// Within the transaction that is open.
Status WriteReplays(Database& db, const Changes& changes);
// The batch's row; its id says that it is of a replay.
Status InsertReplayBatch(Database& db, DestinationId destination, const FrozenBatch& batch);
Status DeleteReplayBatch(Database& db, BatchId id);

}  // namespace packhorse::queue
