#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "queue/segment/message_codec.h"
#include "queue/sqlite/database.h"
#include "queue/state/checkpoint_work.h"
#include "queue/tables/catch_up.h"
#include "queue/tables/definition_table.h"
#include "queue/tables/delivered_hours.h"
#include "queue/values/trace.h"

namespace packhorse::queue {

// Whose messages are pending in a lane.
struct StoredAccount {
  StreamId stream = 0;
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  auto operator<=>(const StoredAccount&) const = default;
};

// Everything that is read from the disk, on a connection of its own. Sees what is committed. One thread at a time.
class Reader {
 public:
  static Result<Reader> Open(const std::string& path);

  // Before another takes its place, where the database was put back (CheckpointWriter::PutBack).
  void LeaveFiles() { db_.LeaveFiles(); }

  // Calls `visit` with the plain bytes of the segments that end at or after `from`, in order, until it returns false.
  using Visit = std::function<Result<bool>(Sequence first, Sequence last, const std::string& plain)>;
  Status VisitSegments(Lane lane, Sequence from, const Visit& visit);
  // For WalkSegment(): what is kept of the bytes that VisitSegments() opened last; null: these are others.
  SegmentMark* MarkIn(std::string_view plain) { return plain.data() == plain_.data() ? &mark_ : nullptr; }
  struct SegmentSize {
    Sequence first = 0;
    Sequence last = 0;
    std::uint64_t bytes = 0;
  };
  // The segments that end at or after `from`, oldest first, at most `limit`.
  Result<std::vector<SegmentSize>> Segments(Lane lane, Sequence from, std::size_t limit);
  // Pages that hold something. The file itself keeps its size, and fills them again.
  Result<std::uint64_t> BytesInUse();
  Result<StoredMessage> Message(Lane lane, Sequence sequence);
  Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id);
  Result<DeadLetter> FindDeadLetter(std::int64_t id);
  Result<std::vector<KeptDefinition>> Definitions() { return ReadDefinitions(db_); }
  // As LookupPort::DeliveredByHour().
  Result<DeliveredHours> DeliveredByHour(DestinationId destination, std::int32_t first, std::int32_t end,
                                         std::size_t limit) {
    return ReadDeliveredHours(db_, destination, first, end, limit);
  }
  // As Queue::QuarantinedFor(), without what only memory knows.
  Result<std::vector<QuarantinedMessage>> QuarantinedFor(DestinationId destination, bool waiting, Slot after,
                                                         std::size_t limit);
  // Why the message is in quarantine for the destination, and not on its way again; none: it is not.
  Result<std::optional<std::string>> QuarantineReason(DestinationId destination, Lane lane, Sequence sequence);
  Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after);
  // Of one message: its dead letters that are not on their way again, oldest first; what of it is in quarantine.
  Result<std::vector<DeadLetter>> DeadLettersAt(Lane lane, Sequence sequence);
  Result<std::vector<QuarantinedMessage>> QuarantinedAt(Lane lane, Sequence sequence);
  // As LookupPort::Trace(), of what is committed; without the letters' record ids.
  Result<MessageTrace> Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record);
  // Messages of [from, through] of which the destination refused something, or that are in quarantine.
  Result<std::set<Sequence>> Ended(DestinationId destination, Lane lane, Sequence from, Sequence through);
  // As it was written; kNotFound: no such record is set aside.
  Result<SuspectContent> Suspect(const DeadKey& key);
  // The first number of the lane's last segment that begins at or before `through`; 0: there is none.
  Result<Sequence> LastSegment(Lane lane, Sequence through);
  // Records of a message that are dead letters and not on their way again.
  Result<std::vector<std::uint32_t>> DeadRecords(DestinationId destination, Lane lane, Sequence sequence);
  // The key of a dead letter that is not on its way again.
  Result<DeadKey> FindDeadKey(std::int64_t id);
  // What is only kept for replays: segments that none of these spans needs; bytes as stored.
  Result<SegmentTotals> Retained(const std::vector<NeededSpan>& needed);
  // What is pending, counted from the stored messages and the prepared batches.
  Result<std::map<StoredAccount, std::int64_t>> CountStored();
  // As StoredCount::Step(), of what is committed.
  Result<bool> CountOn(StoredCount& count, std::uint64_t bytes) { return count.Step(db_, bytes); }

 private:
  explicit Reader(Database db) : db_(std::move(db)) {}
  Result<const std::string*> Open(std::int64_t key, std::string_view blob);

  Database db_;
  // The segment that was opened last: messages are mostly read one after the other.
  std::int64_t opened_ = -1;
  std::string plain_;
  SegmentMark mark_;  // in it
};

}  // namespace packhorse::queue
