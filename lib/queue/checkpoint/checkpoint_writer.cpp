#include "queue/checkpoint/checkpoint_writer.h"

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "base/random.h"
#include "queue/segment/batch_layout.h"
#include "queue/segment/message_codec.h"
#include "queue/sqlite/compact.h"
#include "queue/sqlite/transaction.h"
#include "queue/sqlite/writable.h"
#include "queue/tables/clock_table.h"
#include "queue/tables/delivered_hours.h"
#include "queue/tables/given_up_table.h"
#include "queue/tables/quarantine_table.h"
#include "queue/tables/replay_table.h"
#include "queue/tables/rows.h"
#include "queue/tables/schema.h"
#include "queue/tables/suspect_table.h"

namespace packhorse::queue {
namespace {

// Plain bytes of one segment row: what reading a backlog holds in memory at a time.
constexpr std::size_t kSegmentPlainBytes = 1U << 20U;
// The message that goes over that is usually smaller than this.
constexpr std::size_t kSegmentSlack = 64U << 10U;
// Statements name their columns and change only those: a later minor of the format may have more.
constexpr const char* kSaveRange =
    "INSERT INTO pending(id, destination, lane, from_sequence, through_sequence, waiting) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(id) DO UPDATE SET from_sequence = excluded.from_sequence,"
    " through_sequence = excluded.through_sequence, waiting = excluded.waiting";
constexpr const char* kAddSubscription =
    "INSERT INTO subscriptions(destination, stream, lane, from_sequence, through_sequence) VALUES (?, ?, ?, ?, ?)";
}  // namespace

Result<CheckpointWriter> CheckpointWriter::Open(const std::string& path, TableLimits limits) {
  RETURN_IF_ERROR(CheckWritable(path));
  Result<Database> writer = Database::Open(path, Database::Mode::kReadWriteCreate);
  RETURN_IF_ERROR(writer);
  RETURN_IF_ERROR(TuneWriter(*writer));
  return CheckpointWriter(path, *std::move(writer), limits);
}

Result<Statement*> CheckpointWriter::Use(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) {
    return &found->second;
  }
  Result<Statement> prepared = db_.Prepare(sql);
  RETURN_IF_ERROR(prepared);
  return &statements_.emplace(sql, *std::move(prepared)).first->second;
}

template <typename... Args>
Status CheckpointWriter::Run(const char* sql, Args&&... args) {
  const Result<Statement*> statement = Use(sql);
  RETURN_IF_ERROR(statement);
  return (*statement)->Bind(std::forward<Args>(args)...).Run();
}

Status CheckpointWriter::Reopen() {
  if (Moved()) {
    return Error{ErrorCode::kIo, path_ + " was removed or replaced while it could not be written: put it back"};
  }
  statements_.clear();
  Result<CheckpointWriter> fresh = Open(path_, limits_);
  RETURN_IF_ERROR(fresh);
  db_ = std::move(fresh->db_);
  beside_.reset();
  broken_ = false;
  return {};
}

Result<CheckpointResult> CheckpointWriter::Write(const CheckpointWork& work, const Change& change) {
  if (broken_) {
    RETURN_IF_ERROR(Reopen());
  }
  if (in_doubt_) {
    // Not by the position: a checkpoint without operations does not move it.
    const Result<std::int64_t> checkpoint = db_.QueryInt("SELECT value FROM meta WHERE key = 'fold'");
    if (!checkpoint) {
      broken_ = true;
      return checkpoint.error();
    }
    in_doubt_ = false;
    if (static_cast<std::uint64_t>(*checkpoint) == checkpoint_) {
      return last_result_;
    }
  }
  CheckpointResult result;
  result.changed = change != nullptr;
  checkpoint_ = RandomSeed() >> 1U;  // SQLite's integers are signed
  const auto transact = [&]() -> Status {
    Result<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kWrite);
    RETURN_IF_ERROR(transaction);
    RETURN_IF_ERROR(WriteAll(work, result));
    if (change) {
      Result<LedgerChanges> counted = change(db_);
      RETURN_IF_ERROR(counted);
      result.counted = *std::move(counted);
      RETURN_IF_ERROR(AddToLedger(result.counted));
    }
    last_result_ = result;
    if (before_commit_) {
      before_commit_(checkpoint_);
    }
    in_doubt_ = true;
    return transaction->Commit();
  };
  Status done = transact();
  if (done) {
    in_doubt_ = false;
    beside_ = PlacesBeside();
    return result;
  }
  trimmer_.Forget();
  // One that was opened while the medium took no writes never writes, also when the medium does again.
  const ErrorCode code = done.error().code;
  broken_ = in_doubt_ || code == ErrorCode::kIo || code == ErrorCode::kDiskFull || code == ErrorCode::kPermissionDenied;
  return done.error();
}

Result<bool> CheckpointWriter::Shrink(std::uint64_t bytes) {
  if (broken_) {
    RETURN_IF_ERROR(Reopen());
  }
  const Result<std::int64_t> free_pages = db_.QueryInt("PRAGMA freelist_count");
  const Result<std::int64_t> page_bytes = db_.QueryInt("PRAGMA page_size");
  if (!free_pages || !page_bytes) {
    return free_pages ? page_bytes.error() : free_pages.error();
  }
  const auto pages = static_cast<std::int64_t>(bytes) / std::max<std::int64_t>(*page_bytes, 1);
  const bool vacuums = pages > 0 && *free_pages > 0;
  Status shrunk = vacuums ? db_.Execute("PRAGMA incremental_vacuum(" + std::to_string(pages) + ")") : Status();
  if (shrunk) {
    // This is also what makes the database's file shorter. The log's file stays: it is room that nobody else takes.
    shrunk = db_.Execute("PRAGMA wal_checkpoint(RESTART)");
  }
  if (!shrunk) {
    broken_ = true;
    return shrunk.error();
  }
  return vacuums;
}

void CheckpointWriter::DropLog(std::uint64_t wanted) {
  const std::uint64_t log = FileBytes(path_ + "-wal");
  if (!broken_ && log > 0 && FreeBytesAt(path_) + log >= wanted) {
    static_cast<void>(db_.Execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
}

Status CheckpointWriter::WriteAll(const CheckpointWork& work, CheckpointResult& result) {
  RETURN_IF_ERROR(WriteLanes(work, result));
  if (work.configuration) {
    RETURN_IF_ERROR(WriteConfiguration(*work.configuration));
  }
  const Changes& changes = *work.changes;
  for (const auto write :
       {&CheckpointWriter::WriteLedger, &CheckpointWriter::WriteRanges, &CheckpointWriter::WriteBatches,
        &CheckpointWriter::WritePartials, &CheckpointWriter::WriteDead, &CheckpointWriter::WriteSettled}) {
    RETURN_IF_ERROR((this->*write)(changes));
  }
  RETURN_IF_ERROR(AddDeliveredSums(db_, changes.sums));
  RETURN_IF_ERROR(WriteQuarantine(db_, changes, result));
  RETURN_IF_ERROR(WriteClockEpochs(db_, changes.boots));
  for (const auto write : {&WriteReplays, &WriteGivenUp, &WriteSuspects}) {
    RETURN_IF_ERROR((*write)(db_, changes));
  }
  if (work.bounded) {
    RETURN_IF_ERROR(WriteBounds(result));
  }
  const std::string boot = EncodeEnd(work.trim.boot);
  return Run(
      "INSERT INTO meta(key, value) VALUES ('position', ?), ('clean', ?), ('fold', ?), ('boot', ?)"
      " ON CONFLICT DO UPDATE SET value = excluded.value",
      work.through, work.clean ? 1 : 0, checkpoint_, std::string_view(boot));
}

Status CheckpointWriter::WriteLanes(const CheckpointWork& work, CheckpointResult& result) {
  for (const Lane lane : kAllLanes) {
    RETURN_IF_ERROR(WriteSegments(lane, work, result.trim.held[At(lane)]));
  }
  RETURN_IF_ERROR(trimmer_.Trim(db_, work.trim, result.trim));
  for (const Lane lane : kAllLanes) {
    const Numbers& numbers = work.lanes[At(lane)].numbers;
    const SegmentTotals& held = result.trim.held[At(lane)];
    Status counted =
        Run("UPDATE lanes SET next_sequence = ?1, segments = segments + ?2, messages = messages + ?3,"
            " payload_bytes = payload_bytes + ?4 WHERE lane = ?5 AND (next_sequence <> ?1 OR ?2 <> 0 OR ?3 <> 0)",
            numbers.next, held.segments, held.messages, held.payload_bytes, Number(lane));
    RETURN_IF_ERROR(counted);
  }
  return {};
}

Status CheckpointWriter::InsertSegment(Lane lane, const SegmentEncoder& segment, SegmentTotals& held) {
  ++held.segments;
  held.messages += segment.messages();
  held.payload_bytes += static_cast<std::int64_t>(segment.payload_bytes());
  const std::string blob = segment.Finish();
  return Run("INSERT INTO segments(id, last_sequence, messages, payload_bytes, blob) VALUES (?, ?, ?, ?, ?)",
             SegmentKey(lane, segment.first()), segment.last(), segment.messages(), segment.payload_bytes(),
             Statement::AsBlob(blob));
}

// What is in memory in many small pieces becomes few rows of the messages that somebody still needs.
Status CheckpointWriter::WriteSegments(Lane lane, const CheckpointWork& work, SegmentTotals& held) {
  std::optional<SegmentEncoder> encoder;
  std::chrono::milliseconds keep{0};  // the longest of its streams
  std::size_t left = 0;               // bytes to come, at most
  for (const RamSegmentPtr& segment : work.lanes[At(lane)].segments) {
    left += segment->messages.plain().size();
  }
  const auto insert = [&]() -> Status {
    if (!encoder) {
      return {};
    }
    Status inserted = InsertSegment(lane, *encoder, held);
    if (inserted && keep > std::chrono::milliseconds(0)) {
      inserted = trimmer_.Retain(db_, work.trim, lane, encoder->first(), keep);
    }
    encoder.reset();
    keep = {};
    return inserted;
  };
  for (const RamSegmentPtr& segment : work.lanes[At(lane)].segments) {
    SegmentReader reader(segment->messages.plain(), segment->messages.first());
    while (!reader.AtEnd()) {
      const Result<SegmentReader::Head> head = reader.Next();
      RETURN_IF_ERROR(head);
      const auto retained = work.retention.find(head->stream);
      const bool needed = std::any_of(work.trim.needed.begin(), work.trim.needed.end(), [&](const NeededSpan& span) {
        return span.Holds(lane, head->sequence, head->stream);
      });
      if (!needed && retained == work.retention.end()) {
        continue;
      }
      if (encoder && encoder->plain().size() >= kSegmentPlainBytes) {
        RETURN_IF_ERROR(insert());
      }
      if (!encoder) {
        encoder.emplace(head->sequence);
        encoder->Reserve(std::min(left, kSegmentPlainBytes + kSegmentSlack));
      }
      encoder->AddCurrent(head->sequence, reader);
      keep = std::max(keep, retained == work.retention.end() ? keep : retained->second);
    }
    left -= segment->messages.plain().size();
  }
  return insert();
}

Status CheckpointWriter::AddToLedger(const LedgerChanges& changes) {
  for (const auto& [key, delta] : changes) {
    if (delta.messages == 0 && delta.records == 0) {
      continue;
    }
    const std::uint64_t high = delta.id_hash >> 32U;
    const std::uint64_t low = delta.id_hash & UINT32_MAX;
    Status counted =
        Run("INSERT INTO ledger(hour, stream, destination, outcome, reason, messages, records, hashed, id_hash_high,"
            " id_hash_low) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " messages = messages + excluded.messages, records = records + excluded.records,"
            " hashed = hashed + excluded.hashed, id_hash_high = id_hash_high + excluded.id_hash_high,"
            " id_hash_low = id_hash_low + excluded.id_hash_low",
            key.hour, key.stream, key.destination, key.outcome, std::string_view(key.reason), delta.messages,
            delta.records, delta.hashed, high, low);
    RETURN_IF_ERROR(counted);
  }
  return {};
}

// The ranges follow: all of them are among the changes.
Status CheckpointWriter::WriteConfiguration(const std::vector<Subscription>& subscriptions) {
  RETURN_IF_ERROR(db_.Execute("DELETE FROM subscriptions; DELETE FROM pending"));
  for (const Subscription& each : subscriptions) {
    Status written =
        each.through ? Run(kAddSubscription, each.destination, each.stream, Number(each.lane), each.from, *each.through)
                     : Run(kAddSubscription, each.destination, each.stream, Number(each.lane), each.from, nullptr);
    RETURN_IF_ERROR(written);
  }
  return {};
}

Status CheckpointWriter::WriteRanges(const Changes& changes) {
  for (const auto& [id, range] : changes.ranges) {
    Status written;
    if (range.gone) {
      written = Run("DELETE FROM pending WHERE id = ?", id);
    } else if (range.through) {
      written = Run(kSaveRange, id, range.destination, Number(range.lane), range.from, *range.through, range.waiting);
    } else {
      written = Run(kSaveRange, id, range.destination, Number(range.lane), range.from, nullptr, range.waiting);
    }
    RETURN_IF_ERROR(written);
  }
  return {};
}

Status CheckpointWriter::WriteBatches(const Changes& changes) {
  for (const auto& [id, row] : changes.batches) {
    const bool of_replay = id < 0;
    Status written = of_replay && row.batch ? InsertReplayBatch(db_, row.destination, *row.batch)
                     : of_replay            ? DeleteReplayBatch(db_, id)
                     : row.batch            ? InsertBatch(row.destination, *row.batch)
                                            : Run("DELETE FROM batches WHERE id = ?", id);
    RETURN_IF_ERROR(written);
  }
  return {};
}

Status CheckpointWriter::InsertBatch(DestinationId destination, const PreparedBatch& batch) {
  const std::string members = EncodeMembers(batch.members);
  const std::string layout = EncodeLayout(batch);
  const std::string_view path = batch.path;
  const std::string_view key = batch.idempotency_key;
  const std::string_view trace = batch.trace_id;
  const std::string_view contract = batch.contract;
  const std::string_view type = batch.content_type;
  const std::string_view encoding = batch.content_encoding;
  return Run(
      "INSERT INTO batches(id, destination, lane, first_sequence, first_record, idempotency_key, trace_id, contract,"
      " path, content_type, content_encoding, uncompressed_bytes, records, members, replayed, created_at, oldest_at,"
      " body, layout) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      batch.id, destination, Number(batch.lane), batch.members.front().sequence, batch.members.front().first_record,
      key, trace, contract, path, type, encoding, batch.uncompressed_bytes, batch.records, Statement::AsBlob(members),
      batch.suspect    ? kMadeOfSuspect
      : batch.replayed ? 1
                       : 0,
      Micros(batch.created_at), Micros(batch.oldest_at), Statement::AsBlob(batch.body), Statement::AsBlob(layout));
}

Status CheckpointWriter::WritePartials(const Changes& changes) {
  for (const auto& [key, partial] : changes.partials) {
    Status written =
        partial.settled == 0
            ? Run("DELETE FROM partials WHERE destination = ? AND lane = ? AND sequence = ?", key.destination,
                  Number(key.lane), key.sequence)
            : Run("INSERT INTO partials(destination, lane, sequence, settled, worst) VALUES (?, ?, ?, ?, ?)"
                  " ON CONFLICT DO UPDATE SET settled = excluded.settled, worst = excluded.worst",
                  key.destination, Number(key.lane), key.sequence, partial.settled, static_cast<int>(partial.worst));
    RETURN_IF_ERROR(written);
  }
  return {};
}

Status CheckpointWriter::WriteDead(const Changes& changes) {
  for (const auto& [key, row] : changes.dead) {
    Status written;
    if (row.state == DeadRow::State::kGone) {
      written = Run("DELETE FROM dead WHERE destination = ? AND lane = ? AND sequence = ? AND record = ?",
                    key.destination, Number(key.lane), key.sequence, key.record);
    } else if (row.state == DeadRow::State::kReplaying) {
      written = Run("UPDATE dead SET replaying = 1 WHERE destination = ? AND lane = ? AND sequence = ? AND record = ?",
                    key.destination, Number(key.lane), key.sequence, key.record);
    } else {
      const DeadRecord& record = row.dead_letter.record;
      written = Run(
          "INSERT INTO dead(id, destination, lane, sequence, record, total_records, stream, died_at, reason, detail,"
          " provider_request_id, http_status, batch_key, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
          " ON CONFLICT(destination, lane, sequence, record) DO UPDATE SET died_at = excluded.died_at, reason = "
          "excluded.reason, detail = excluded.detail,"
          " provider_request_id = excluded.provider_request_id, http_status = excluded.http_status,"
          " batch_key = excluded.batch_key, replaying = 0",
          row.id, key.destination, Number(key.lane), key.sequence, key.record, row.dead_letter.total_records,
          row.dead_letter.stream, Micros(row.died_at), std::string_view(record.reason), std::string_view(record.detail),
          std::string_view(record.provider_request_id), record.http_status, std::string_view(row.batch_key),
          Statement::AsBlob(row.dead_letter.message));
    }
    if (!written) {
      return written;
    }
  }
  return {};
}

Status CheckpointWriter::WriteSettled(const Changes& changes) {
  for (const SettledRow& row : changes.settled) {
    Status logged =
        Run("INSERT INTO settled(idempotency_key, destination, lane, first_sequence, last_sequence, messages, records, "
            "dead,"
            " settled_at, http_status, provider_request_id, trace_id, attempts, possible_duplicate, replay)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            std::string_view(row.idempotency_key), row.destination, Number(row.lane), row.first, row.last, row.messages,
            row.records, row.dead, Micros(row.at), row.http_status, std::string_view(row.provider_request_id),
            std::string_view(row.trace_id), row.attempts, row.possible_duplicate ? 1 : 0, row.replay);
    RETURN_IF_ERROR(logged);
  }
  return {};
}

Status CheckpointWriter::WriteBounds(CheckpointResult& result) {
  RETURN_IF_ERROR(BoundGivenUp(db_, limits_.given_up));
  RETURN_IF_ERROR(CompactLedger(db_));
  RETURN_IF_ERROR(Run("DELETE FROM settled WHERE id <= (SELECT max(id) FROM settled) - ?", limits_.settled));
  if (Status bounded =
          Run("DELETE FROM dead WHERE id <= (SELECT id FROM dead ORDER BY id DESC LIMIT 1 OFFSET ?) AND replaying = 0",
              limits_.dead);
      !bounded) {
    return bounded;
  }
  result.dead_removed += db_.changes();
  return BoundQuarantine(db_, limits_.quarantined, result);
}

}  // namespace packhorse::queue
