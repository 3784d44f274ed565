#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "queue/queue.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

using DestinationId = std::int64_t;

// Ledger outcomes as stored (FORMAT.md).
inline constexpr int kLedgerReceived = 0;
inline constexpr int kLedgerPending = 1;
inline constexpr int kLedgerUnrouted = 2;
inline int LedgerCode(Outcome outcome) { return 10 + static_cast<int>(outcome); }

std::int32_t HourOf(WallTime time);

// Key of a segment row: ordered by lane, then by first sequence.
inline constexpr unsigned kSegmentLaneShift = 60;
inline std::int64_t SegmentKey(Lane lane, Sequence first) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(lane) << kSegmentLaneShift) | first);
}
inline Sequence SegmentFirst(std::int64_t key) {
  return static_cast<std::uint64_t>(key) & ((1ULL << kSegmentLaneShift) - 1);
}

struct LedgerKey {
  std::int32_t hour;
  StreamId stream;
  DestinationId destination;
  int outcome;
  std::string reason;
  auto operator<=>(const LedgerKey&) const = default;
};
struct LedgerCount {
  std::int64_t messages = 0;
  std::int64_t records = 0;
};
using LedgerChanges = std::map<LedgerKey, LedgerCount>;

struct StoredBatch {
  DestinationId destination = 0;
  FrozenBatch batch;
};

// Every write to the queue's database goes through here, within one transaction at a time; the ledger's changes are
// summed up and written right before the commit. Store thread only (before it starts: the thread that opens the queue).
class Books {
 public:
  static Result<Books> Open(Database writer);

  Status Begin(bool synced);
  Status Commit();
  void Rollback();
  // Runs `change` so that, when it fails for a reason that trying again cannot mend, nothing of it remains and the
  // transaction goes on. Other failures leave the transaction to be rolled back.
  Status Attempt(const std::function<Status(Books&)>& change);

  Status InsertSegment(Lane lane, Sequence first, Sequence last, std::uint32_t messages, std::uint64_t payload_bytes,
                       std::string_view blob);
  Status Reserve(Lane lane, Sequence through);
  // Adds to a ledger row, negative numbers too.
  void Count(std::int32_t hour, StreamId stream, DestinationId destination, int outcome, std::string_view reason,
             std::int64_t messages, std::int64_t records);

  Status MoveRange(std::int64_t range_id, Sequence from, bool exhausted);
  Status InsertBatch(DestinationId destination, const FrozenBatch& batch);
  Result<StoredBatch> LoadBatch(BatchId id);
  Status DeleteBatch(BatchId id);

  struct Partial {
    bool exists = false;
    std::uint32_t settled = 0;
    Outcome worst = Outcome::kDelivered;
  };
  Result<Partial> LoadPartial(DestinationId destination, Lane lane, Sequence sequence);
  Status SavePartial(DestinationId destination, Lane lane, Sequence sequence, const Partial& partial);
  Status DeletePartial(DestinationId destination, Lane lane, Sequence sequence);

  // The raw message of a sequence: from its segment, else from a dead letter.
  Result<StoredMessage> LoadMessage(Lane lane, Sequence sequence);

  Status InsertDead(DestinationId destination, Lane lane, const DeadRecord& record, std::uint32_t total_records,
                    const FrozenBatch& batch, const StoredMessage& stored, WallTime now);
  // A record that is on its way again was delivered: its dead letter goes.
  Status DeleteReplayed(DestinationId destination, Lane lane, Sequence sequence, std::uint32_t record);
  Status MarkReplaying(std::int64_t dead_id);
  Result<std::int64_t> CountDead(DestinationId destination, Lane lane, Sequence sequence);
  Status InsertQuarantine(Lane lane, const StoredMessage& stored, std::string_view reason, std::string_view detail,
                          WallTime now);
  Status LogSettled(DestinationId destination, const Settlement& settlement, const FrozenBatch& batch, WallTime now);
  // Deletes at most `limit` segments of the lane that end before `low_water`; returns how many, and what they held.
  struct Trimmed {
    std::int64_t segments = 0;
    std::int64_t messages = 0;
    std::int64_t payload_bytes = 0;
  };
  Result<Trimmed> Trim(Lane lane, Sequence low_water, std::int64_t limit);
  Status Bound(std::string_view table, std::uint32_t rows);

  // What the present transaction, or the last committed one, changed in the ledger.
  const LedgerChanges& ledger_changes() const { return ledger_; }
  Database& database() { return db_; }

 private:
  explicit Books(Database writer) : db_(std::move(writer)) {}
  // The statement for this text, prepared once; texts are literals of books.cpp.
  Result<Statement*> Use(const char* sql);
  template <typename... Args>
  Status Run(const char* sql, Args&&... args);
  Status WriteLedger();

  Database db_;
  std::map<const char*, Statement> statements_;
  LedgerChanges ledger_;
  bool synced_ = true;
};

// Reads a batches row in the column order of kBatchColumns.
extern const char* const kBatchColumns;
Result<FrozenBatch> BatchFromRow(const Statement& row);

}  // namespace packhorse::queue
