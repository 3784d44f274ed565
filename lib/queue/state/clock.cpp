// What the queue state knows of the clocks that stamped its messages.

#include "queue/state/queue_state.h"

namespace packhorse::queue {

void QueueState::BeginClockEpoch(const ClockEpochs::Now& now) {
  std::array<Sequence, kLanes> next{};
  for (const Lane lane : kAllLanes) {
    next[At(lane)] = numbers_[At(lane)].next;
  }
  clock_epochs_.Begin(now, next, changes_->boots);
}

std::uint64_t QueueState::Withheld(DestinationId destination, LanePart of, std::optional<Sequence> open_from) const {
  const PendingRanges* pending = FindPendingRanges(destination, of.lane);
  return open_from && pending != nullptr ? pending->waiting(of.part, *open_from) : 0;
}

}  // namespace packhorse::queue
