#pragma once

#include <cstdint>

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/state/checkpoint_work.h"
#include "queue/state/queue_state.h"

namespace packhorse::queue {

// The rows of messages that could not be decoded, and for whom. Writes within a checkpoint's transaction.

Status WriteQuarantine(Database& db, const Changes& changes, CheckpointResult& result);
// At most so many messages, the newest; what waits for a definition or is on its way again does not count and stays.
Status BoundQuarantine(Database& db, std::uint32_t most, CheckpointResult& result);
// Fills the queue state with what is on its way again.
Status LoadRetrying(Database& db, QueueState& state);

}  // namespace packhorse::queue
