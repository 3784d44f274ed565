#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/state/queue_state.h"
#include "queue/tables/catch_up.h"
#include "queue/values/options.h"

namespace packhorse::queue {

// Brings names, subscriptions and pending ranges on the disk in line with a configuration: what is new starts behind
// the last stored message of its lane, what is gone is closed there and keeps its backlog. A destination that never had
// a stream before may start at the oldest that is stored instead: what that comes to in the ledger is the answer, and
// for the caller to write. `count` is what of it was counted before. Within a transaction, in which everything up to
// `last` is stored that anybody needs.
Result<LedgerChanges> ApplyConfiguration(Database& db, const std::vector<StreamOptions>& streams,
                                         const std::vector<DestinationOptions>& destinations,
                                         const std::array<Sequence, kLanes>& last, StoredCount& count);

// Tells the queue state how long messages of these streams stay; names that it does not know are left out.
void SetRetention(const std::vector<StreamOptions>& streams, QueueState& state);

// Names, subscriptions and ranges as they are on the disk.
struct StoredConfiguration {
  std::vector<std::pair<StreamId, std::string>> streams;
  std::vector<std::pair<DestinationId, std::string>> destinations;
  std::vector<Subscription> subscriptions;
  std::vector<RangeOfDestination> ranges;
};
// Reading and installing are two things, because a change that is committed must not fail any more: read it within the
// transaction.
Result<StoredConfiguration> ReadConfiguration(Database& db);
// Fills the queue state with it, with the streams' lanes and how long their messages stay.
void Install(const StoredConfiguration& stored, const std::vector<StreamOptions>& streams, QueueState& state);

}  // namespace packhorse::queue
