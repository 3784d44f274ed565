#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "queue/segment/message_codec.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// Messages of one lane that are in memory; until `stored` the journal is their only other place. Messages are only
// added while it is the newest of its lane and no checkpoint has taken it.
struct RamSegment {
  RamSegment(Sequence first, MonoTime now) : messages(first), born(now) {}
  SegmentEncoder messages;
  MonoTime born;
  bool stored = false;
  std::vector<StreamId> streams;  // that occur in it
};
using RamSegmentPtr = std::shared_ptr<RamSegment>;

// A stretch of a lane that a destination still needs: of these streams only.
struct NeededSpan {
  Lane lane = Lane::kNormal;
  Sequence from = 0;
  Sequence through = 0;
  std::vector<StreamId> streams;
  bool Overlaps(Lane other, Sequence first, Sequence last) const {
    return lane == other && from <= last && first <= through;
  }
  bool Holds(Lane other, Sequence sequence, StreamId stream) const;
};

// For how long messages of these streams are kept once they are stored.
using Retention = std::map<StreamId, std::chrono::milliseconds>;

// What the segments of the database hold.
struct SegmentTotals {
  std::int64_t segments = 0;
  std::int64_t messages = 0;
  std::int64_t payload_bytes = 0;
};

// Of all lanes.
inline SegmentTotals Sum(const std::array<SegmentTotals, kLanes>& lanes) {
  SegmentTotals sum;
  for (const SegmentTotals& held : lanes) {
    sum.segments += held.segments;
    sum.messages += held.messages;
    sum.payload_bytes += held.payload_bytes;
  }
  return sum;
}

}  // namespace packhorse::queue
