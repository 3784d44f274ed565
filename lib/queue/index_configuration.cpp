// What another configuration changes in the index, beside what is loaded anew.

#include "queue/index.h"

namespace packhorse::queue {

void Index::CatchUp(const LedgerChanges& counted) {
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

void Index::RestoreConfiguration(const LedgerChanges& counted) {
  restore_ = true;
  for (const auto& [key, count] : counted) {
    changes_->ledger[key].messages -= count.messages;
    changes_->ledger[key].records -= count.records;
  }
}

void Index::ClearConfiguration() {
  subscriptions_.clear();
  retained_.Clear();
  hot_ = {};
  for (auto& [key, backlog] : backlogs_) {
    backlog.ranges.clear();
  }
}

}  // namespace packhorse::queue
