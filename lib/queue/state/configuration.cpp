// What another configuration changes in the queue state, beside what is loaded anew.

#include "queue/state/queue_state.h"

namespace packhorse::queue {

void QueueState::CatchUp(const LedgerChanges& counted) {
  if (counted.empty()) {
    return;
  }
  AddTotals(counted);
  for (const Lane lane : kAllLanes) {
    cache_[At(lane)].clear();
    open_[At(lane)].reset();
  }
  cached_bytes_ = 0;
}

void QueueState::RestoreConfiguration(const LedgerChanges& counted) {
  restore_ = true;
  for (const auto& [key, count] : counted) {
    changes_->ledger[key].messages -= count.messages;
    changes_->ledger[key].records -= count.records;
  }
}

void QueueState::ClearConfiguration() {
  subscriptions_.clear();
  retained_.Clear();
  counter_cache_ = {};
  for (auto& [key, pending] : pending_ranges_) {
    pending.ranges.clear();
  }
}

}  // namespace packhorse::queue
