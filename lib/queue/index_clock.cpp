// What the index knows of the clocks that stamped its messages.

#include "queue/index.h"

namespace packhorse::queue {

void Index::BeginBoot(const Boots::Now& now) {
  std::array<Sequence, kLanes> next{};
  for (const Lane lane : kAllLanes) {
    next[At(lane)] = numbers_[At(lane)].next;
  }
  boots_.Begin(now, next, changes_->boots);
}

std::uint64_t Index::Withheld(DestinationId destination, LanePart of, std::optional<Sequence> open_from) const {
  const Backlog* backlog = FindBacklog(destination, of.lane);
  return open_from && backlog != nullptr ? backlog->waiting(of.part, *open_from) : 0;
}

}  // namespace packhorse::queue
