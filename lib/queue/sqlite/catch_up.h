#pragma once

#include <array>
#include <set>

#include "base/result.h"
#include "queue/ledger.h"
#include "queue/sqlite/database.h"
#include "queue/values.h"

namespace packhorse::queue {

// Lets destinations that are already subscribed begin at the oldest message that is stored of their streams, up to the
// number `last` in each lane: their subscriptions reach back to it, and what is stored waits for them in a range of its
// own before the open one. Answers with what that comes to in the ledger: each message received and pending. Reads
// every stored segment; none for no destinations. Within a transaction.
Result<LedgerChanges> CatchUp(Database& db, const std::set<DestinationId>& destinations,
                              const std::array<Sequence, kLanes>& last);

}  // namespace packhorse::queue
