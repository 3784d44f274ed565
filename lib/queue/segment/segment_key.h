#pragma once

#include <cstdint>

#include "queue/values/values.h"

namespace packhorse::queue {

// Key of a segment row: ordered by lane, then by first sequence.
inline constexpr unsigned kSegmentLaneShift = 60;
inline constexpr Sequence kMaxSequence = (1ULL << kSegmentLaneShift) - 1;
inline std::int64_t SegmentKey(Lane lane, Sequence first) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(lane) << kSegmentLaneShift) | first);
}
inline Sequence SegmentFirst(std::int64_t key) { return static_cast<std::uint64_t>(key) & kMaxSequence; }
inline Lane SegmentLane(std::int64_t key) { return static_cast<Lane>(key >> kSegmentLaneShift); }

}  // namespace packhorse::queue
