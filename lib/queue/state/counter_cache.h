#pragma once

#include <cstddef>
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
// Two counters of one key: of the changes, and of the total. A batch counts its messages one by one, most of them
// alike.
struct CountedLast {
  LedgerKey key;
  LedgerCount* change;
  LedgerCount* total;
};
struct CounterCache {
  static constexpr std::size_t kCounted = 4;
  bool valid = false;
  StreamId stream = 0;
  Lane lane = Lane::kNormal;
  std::int32_t hour = 0;
  bool own = false;  // of the daemon itself
  std::vector<CachedCounters> counts;
  std::vector<CountedLast> counted;  // at most kCounted, the latest first
};

}  // namespace packhorse::queue
