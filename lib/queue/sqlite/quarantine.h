#pragma once

#include <cstdint>

#include "base/result.h"
#include "queue/fold.h"
#include "queue/index.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// The rows of messages that could not be decoded, and for whom. Writes within a fold's transaction.

Status WriteQuarantine(Database& db, const Changes& changes, FoldResult& result);
// At most so many messages, the newest; what waits for a definition or is on its way again does not count and stays.
Status BoundQuarantine(Database& db, std::uint32_t most, FoldResult& result);
// Fills the index with what is on its way again.
Status LoadRetrying(Database& db, Index& index);

}  // namespace packhorse::queue
