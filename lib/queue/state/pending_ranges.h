#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "queue/values/values.h"

namespace packhorse::queue {

// What waits for a destination in a lane. Plain values.

struct PendingRange {
  std::int64_t id = 0;
  Sequence from = 1;
  std::optional<Sequence> through;  // none: open end
  std::uint64_t waiting = 0;        // messages in it
};

// Whose range it is.
struct RangeOfDestination {
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  PendingRange range;
};

struct PendingRanges {
  std::vector<PendingRange> ranges;  // ascending
  Sequence oldest_for = 0;           // sequence for which `oldest` was looked up
  StoredMessage oldest;              // without its payload
  std::uint64_t wake_at = 1;         // messages of wake_part waiting at which the loop wants to know
  Part wake_part = Part::kAll;
  std::uint64_t waiting(Part part = Part::kAll, Sequence from = 0) const;  // in ranges that begin at `from` or later
  const PendingRange* First(Part part) const;                              // in which messages wait; null: in none
  const PendingRange* Last(Part part, Sequence end) const;                 // likewise, of those that begin before `end`
};

}  // namespace packhorse::queue
