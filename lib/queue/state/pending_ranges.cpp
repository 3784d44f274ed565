#include "queue/state/pending_ranges.h"

#include <algorithm>

namespace packhorse::queue {
namespace {

// What is live waits in the open range.
bool IsOf(Part part, const PendingRange& range) {
  return part == Part::kAll || (part == Part::kLive) == !range.through.has_value();
}

}  // namespace

std::uint64_t PendingRanges::waiting(Part part, Sequence from) const {
  std::uint64_t sum = 0;
  for (const PendingRange& range : ranges) {
    sum += IsOf(part, range) && range.from >= from ? range.waiting : 0;
  }
  return sum;
}

const PendingRange* PendingRanges::First(Part part) const {
  const auto first = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const PendingRange& range) { return IsOf(part, range) && range.waiting > 0; });
  return first == ranges.end() ? nullptr : &*first;
}

const PendingRange* PendingRanges::Last(Part part, Sequence end) const {
  const auto last = std::find_if(ranges.rbegin(), ranges.rend(), [&](const PendingRange& range) {
    return IsOf(part, range) && range.waiting > 0 && range.from < end;
  });
  return last == ranges.rend() ? nullptr : &*last;
}

}  // namespace packhorse::queue
