#pragma once

#include <cstdint>
#include <vector>

#include "queue/ledger.h"
#include "queue/waiting.h"

namespace packhorse::queue {

// Counters of the stream that arrived last, so that a message costs no look-up.
struct HotCount {
  LedgerCount* total_received;
  LedgerCount* total_pending;
  LedgerCount* received;
  LedgerCount* pending;
  WaitingIn* backlog;
  DestinationId destination;
};
struct Hot {
  bool valid = false;
  StreamId stream = 0;
  Lane lane = Lane::kNormal;
  std::int32_t hour = 0;
  bool own = false;  // of the daemon itself
  std::vector<HotCount> counts;
};

}  // namespace packhorse::queue
