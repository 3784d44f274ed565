#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "queue/ledger.h"
#include "queue/sqlite/database.h"
#include "queue/values.h"

namespace packhorse::queue {

// How values stand in the tables of FORMAT.md. Pure functions.

// Key of a segment row: ordered by lane, then by first sequence.
inline constexpr unsigned kSegmentLaneShift = 60;
inline constexpr Sequence kMaxSequence = (1ULL << kSegmentLaneShift) - 1;
inline std::int64_t SegmentKey(Lane lane, Sequence first) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(lane) << kSegmentLaneShift) | first);
}
inline Sequence SegmentFirst(std::int64_t key) { return static_cast<std::uint64_t>(key) & kMaxSequence; }
inline Lane SegmentLane(std::int64_t key) { return static_cast<Lane>(key >> kSegmentLaneShift); }

inline std::int64_t Micros(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime FromMicros(std::int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }
inline int Number(Lane lane) { return static_cast<int>(lane); }

// What `batches.replayed` says of a batch that is made of a suspect; 1: of dead letters.
inline constexpr int kMadeOfSuspect = 2;
// A row of `batches` in the column order of kBatchColumns.
extern const char* const kBatchColumns;
// Likewise of `replay_batches`, where the replay stands in the place of `replayed`.
Result<FrozenBatch> BatchFromRow(const Statement& row);
// Reads all batches of that table, with the number of each one's destination. Damage: the others are read all the same.
enum class BatchTable : std::uint8_t { kBatches, kReplayBatches };
Status ForEachBatch(Database& db, BatchTable table, const std::function<void(FrozenBatch, std::int64_t)>& visit);

}  // namespace packhorse::queue
