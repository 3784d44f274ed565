#pragma once

#include <cstdint>
#include <vector>

#include "queue/ledger/ledger.h"
#include "queue/state/pending_ranges.h"

namespace packhorse::queue {

// Counters of the stream that arrived last, so that a message costs no look-up.
struct CachedCounters {
  LedgerCount* total_received;
  LedgerCount* total_pending;
  LedgerCount* received;
  LedgerCount* pending;
  PendingRanges* ranges;
  DestinationId destination;
};
struct CounterCache {
  bool valid = false;
  StreamId stream = 0;
  Lane lane = Lane::kNormal;
  std::int32_t hour = 0;
  bool own = false;  // of the daemon itself
  std::vector<CachedCounters> counts;
};

}  // namespace packhorse::queue
