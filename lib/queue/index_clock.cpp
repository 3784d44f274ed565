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

std::uint64_t Index::Withheld(DestinationId destination, Lane lane, std::optional<Sequence> open_from) const {
  const Backlog* backlog = FindBacklog(destination, lane);
  std::uint64_t messages = 0;
  for (std::size_t i = 0; open_from && backlog != nullptr && i < backlog->ranges.size(); ++i) {
    const Range& range = backlog->ranges[i];
    messages += range.from >= *open_from ? range.waiting : 0;
  }
  return messages;
}

}  // namespace packhorse::queue
