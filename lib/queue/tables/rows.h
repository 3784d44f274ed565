#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "queue/ledger/ledger.h"
#include "queue/segment/segment_key.h"
#include "queue/sqlite/database.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// How values stand in the tables of FORMAT.md. Pure functions.

inline std::int64_t Micros(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime FromMicros(std::int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }
inline int Number(Lane lane) { return static_cast<int>(lane); }

// What `batches.replayed` says of a batch that is made of a suspect; 1: of dead letters.
inline constexpr int kMadeOfSuspect = 2;
// A row of `batches` in the column order of kBatchColumns.
extern const char* const kBatchColumns;
// Likewise of `replay_batches`, where the replay stands in the place of `replayed`.
Result<PreparedBatch> BatchFromRow(const Statement& row);
// Reads all batches of that table, with the number of each one's destination. Damage: the others are read all the same.
enum class BatchTable : std::uint8_t { kBatches, kReplayBatches };
Status ForEachBatch(Database& db, BatchTable table, const std::function<void(PreparedBatch, std::int64_t)>& visit);

}  // namespace packhorse::queue
