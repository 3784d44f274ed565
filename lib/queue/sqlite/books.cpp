#include "queue/sqlite/books.h"

#include <chrono>

#include "queue/message_codec.h"

namespace packhorse::queue {
namespace {

std::int64_t Micros(WallTime time) { return time.time_since_epoch().count(); }

int Number(Lane lane) { return static_cast<int>(lane); }

}  // namespace

const char* const kBatchColumns =
    "id, lane, idempotency_key, trace_id, contract, path, content_type, content_encoding, uncompressed_bytes, records,"
    " members, replayed, created_at, oldest_at, body, destination";

std::int32_t HourOf(WallTime time) {
  return static_cast<std::int32_t>(std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count());
}

Result<FrozenBatch> BatchFromRow(const Statement& row) {
  FrozenBatch batch;
  batch.id = row.Int(0);
  batch.lane = static_cast<Lane>(row.Int(1));
  batch.idempotency_key = row.Text(2);
  batch.trace_id = row.Text(3);
  batch.contract = row.Text(4);
  batch.path = row.Text(5);
  batch.content_type = row.Text(6);
  batch.content_encoding = row.Text(7);
  batch.uncompressed_bytes = static_cast<std::uint64_t>(row.Int(8));
  batch.records = static_cast<std::uint32_t>(row.Int(9));
  Result<std::vector<Member>> members = DecodeMembers(row.Blob(10));
  if (!members) {
    return members.error();
  }
  batch.members = *std::move(members);
  batch.replayed = row.Int(11) != 0;
  batch.created_at = WallTime(std::chrono::microseconds(row.Int(12)));
  batch.oldest_at = WallTime(std::chrono::microseconds(row.Int(13)));
  batch.body = row.Blob(14);
  return batch;
}

Result<Books> Books::Open(Database writer) {
  // The number of frames after which SQLite copies the WAL back: about 4 MiB.
  if (Status tuned = writer.Execute("PRAGMA wal_autocheckpoint = 1000; PRAGMA foreign_keys = OFF"); !tuned) {
    return tuned.error();
  }
  return Books(std::move(writer));
}

Result<Statement*> Books::Use(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) {
    return &found->second;
  }
  Result<Statement> prepared = db_.Prepare(sql);
  if (!prepared) {
    return prepared.error();
  }
  return &statements_.emplace(sql, *std::move(prepared)).first->second;
}

template <typename... Args>
Status Books::Run(const char* sql, Args&&... args) {
  const Result<Statement*> statement = Use(sql);
  if (!statement) {
    return statement.error();
  }
  return (*statement)->Bind(std::forward<Args>(args)...).Run();
}

Status Books::Begin(bool synced) {
  ledger_.clear();
  if (synced != synced_) {
    if (Status set = db_.Execute(synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"); !set) {
      return set;
    }
    synced_ = synced;
  }
  return Run("BEGIN IMMEDIATE");
}

Status Books::Commit() {
  if (Status written = WriteLedger(); !written) {
    return written;
  }
  return Run("COMMIT");
}

Status Books::Attempt(const std::function<Status(Books&)>& change) {
  if (Status marked = Run("SAVEPOINT change"); !marked) {
    return marked;
  }
  const auto ledger_before = ledger_;
  Status changed = change(*this);
  if (!changed) {
    ledger_ = ledger_before;
    if (MayHeal(changed.error()) || !db_.in_transaction()) {
      return changed;
    }
    if (Status undone = Run("ROLLBACK TO change"); !undone) {
      return undone;
    }
  }
  if (Status released = Run("RELEASE change"); !released) {
    return released;
  }
  return changed;
}

void Books::Rollback() {
  ledger_.clear();
  if (db_.in_transaction()) {
    // Whatever ROLLBACK answers, the connection is out of the transaction afterwards.
    static_cast<void>(db_.Execute("ROLLBACK"));
  }
}

Status Books::WriteLedger() {
  for (const auto& [key, delta] : ledger_) {
    if (delta.messages == 0 && delta.records == 0) {
      continue;
    }
    Status counted =
        Run("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "messages = messages + excluded.messages, records = records + excluded.records",
            key.hour, key.stream, key.destination, key.outcome, std::string_view(key.reason), delta.messages,
            delta.records);
    if (!counted) {
      return counted;
    }
  }
  return {};
}

void Books::Count(std::int32_t hour, StreamId stream, DestinationId destination, int outcome, std::string_view reason,
                  std::int64_t messages, std::int64_t records) {
  LedgerCount& delta = ledger_[LedgerKey{hour, stream, destination, outcome, std::string(reason)}];
  delta.messages += messages;
  delta.records += records;
}

Status Books::InsertSegment(Lane lane, Sequence first, Sequence last, std::uint32_t messages,
                            std::uint64_t payload_bytes, std::string_view blob) {
  return Run("INSERT INTO segments VALUES (?, ?, ?, ?, ?)", SegmentKey(lane, first), last, messages, payload_bytes,
             Statement::AsBlob(blob));
}

Status Books::Reserve(Lane lane, Sequence through) {
  return Run("UPDATE lanes SET reserved_through = ? WHERE lane = ?", through, Number(lane));
}

Status Books::MoveRange(std::int64_t range_id, Sequence from, bool exhausted) {
  if (exhausted) {
    return Run("DELETE FROM pending WHERE id = ?", range_id);
  }
  return Run("UPDATE pending SET from_sequence = ? WHERE id = ?", from, range_id);
}

Status Books::InsertBatch(DestinationId destination, const FrozenBatch& batch) {
  if (batch.members.empty()) {
    return Error{ErrorCode::kInvalidArgument, "a batch without members cannot be frozen"};
  }
  const std::string members = EncodeMembers(batch.members);
  const std::string_view path = batch.path;
  const std::string_view key = batch.idempotency_key;
  const std::string_view trace = batch.trace_id;
  const std::string_view contract = batch.contract;
  const std::string_view type = batch.content_type;
  const std::string_view encoding = batch.content_encoding;
  return Run(
      "INSERT INTO batches(id, destination, lane, first_sequence, first_record, idempotency_key, trace_id, contract,"
      " path, content_type, content_encoding, uncompressed_bytes, records, members, replayed, created_at, oldest_at,"
      " body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      batch.id, destination, Number(batch.lane), batch.members.front().sequence, batch.members.front().first_record,
      key, trace, contract, path, type, encoding, batch.uncompressed_bytes, batch.records, Statement::AsBlob(members),
      batch.replayed ? 1 : 0, Micros(batch.created_at), Micros(batch.oldest_at), Statement::AsBlob(batch.body));
}

Result<StoredBatch> Books::LoadBatch(BatchId id) {
  const Result<Statement*> statement = Use(
      "SELECT id, lane, idempotency_key, trace_id, contract, path, content_type, content_encoding, uncompressed_bytes,"
      " records, members, replayed, created_at, oldest_at, '', destination FROM batches WHERE id = ?");
  if (!statement) {
    return statement.error();
  }
  Statement& row = (*statement)->Bind(id);
  const Result<bool> found = row.Step();
  if (!found) {
    return found.error();
  }
  if (!*found) {
    return Error{ErrorCode::kNotFound, "no frozen batch " + std::to_string(id)};
  }
  Result<FrozenBatch> batch = BatchFromRow(row);
  const DestinationId destination = row.Int(15);
  row.Reset();
  if (!batch) {
    return batch.error();
  }
  return StoredBatch{destination, *std::move(batch)};
}

Status Books::DeleteBatch(BatchId id) { return Run("DELETE FROM batches WHERE id = ?", id); }

Result<Books::Partial> Books::LoadPartial(DestinationId destination, Lane lane, Sequence sequence) {
  const Result<Statement*> statement =
      Use("SELECT settled, worst FROM partials WHERE destination = ? AND lane = ? AND sequence = ?");
  if (!statement) {
    return statement.error();
  }
  Statement& row = (*statement)->Bind(destination, Number(lane), sequence);
  const Result<bool> found = row.Step();
  if (!found) {
    return found.error();
  }
  Partial partial;
  if (*found) {
    partial = Partial{true, static_cast<std::uint32_t>(row.Int(0)), static_cast<Outcome>(row.Int(1))};
  }
  row.Reset();
  return partial;
}

Status Books::SavePartial(DestinationId destination, Lane lane, Sequence sequence, const Partial& partial) {
  return Run("INSERT OR REPLACE INTO partials VALUES (?, ?, ?, ?, ?)", destination, Number(lane), sequence,
             partial.settled, static_cast<int>(partial.worst));
}

Status Books::DeletePartial(DestinationId destination, Lane lane, Sequence sequence) {
  return Run("DELETE FROM partials WHERE destination = ? AND lane = ? AND sequence = ?", destination, Number(lane),
             sequence);
}

Result<StoredMessage> Books::LoadMessage(Lane lane, Sequence sequence) {
  const Result<Statement*> statement =
      Use("SELECT id, blob FROM segments WHERE id BETWEEN ? AND ? AND last_sequence >= ? ORDER BY id DESC LIMIT 1");
  if (!statement) {
    return statement.error();
  }
  Statement& row = (*statement)->Bind(SegmentKey(lane, 0), SegmentKey(lane, sequence), sequence);
  const Result<bool> found = row.Step();
  if (!found) {
    return found.error();
  }
  if (*found) {
    const Sequence first = SegmentFirst(row.Int(0));
    const Result<std::string> plain = OpenSegment(row.Blob(1));
    row.Reset();
    if (!plain) {
      return plain.error();
    }
    SegmentReader reader(*plain, first);
    while (!reader.AtEnd()) {
      const Result<SegmentReader::Head> head = reader.Next();
      if (!head) {
        return head.error();
      }
      if (head->sequence == sequence) {
        return StoredMessage{sequence, reader.Take()};
      }
    }
  }
  const Result<Statement*> dead = Use("SELECT message FROM dead WHERE lane = ? AND sequence = ? LIMIT 1");
  if (!dead) {
    return dead.error();
  }
  Statement& letter = (*dead)->Bind(Number(lane), sequence);
  const Result<bool> kept = letter.Step();
  if (!kept) {
    return kept.error();
  }
  if (!*kept) {
    return Error{ErrorCode::kNotFound, "message " + std::to_string(sequence) + " is no longer stored"};
  }
  Result<StoredMessage> message = DecodeMessage(letter.Blob(0), sequence);
  letter.Reset();
  return message;
}

Status Books::InsertDead(DestinationId destination, Lane lane, const DeadRecord& record, std::uint32_t total_records,
                         const FrozenBatch& batch, const StoredMessage& stored, WallTime now) {
  const std::string message = EncodeMessage(stored.sequence, stored.message);
  return Run(
      "INSERT INTO dead(destination, lane, sequence, record, total_records, stream, died_at, reason, detail,"
      " provider_request_id, http_status, batch_key, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT DO UPDATE SET died_at = excluded.died_at, reason = excluded.reason, detail = excluded.detail,"
      " provider_request_id = excluded.provider_request_id, http_status = excluded.http_status,"
      " batch_key = excluded.batch_key, replaying = 0",
      destination, Number(lane), record.sequence, record.record, total_records, stored.message.stream, Micros(now),
      std::string_view(record.reason), std::string_view(record.detail), std::string_view(record.provider_request_id),
      record.http_status, std::string_view(batch.idempotency_key), Statement::AsBlob(message));
}

Status Books::DeleteReplayed(DestinationId destination, Lane lane, Sequence sequence, std::uint32_t record) {
  return Run("DELETE FROM dead WHERE destination = ? AND lane = ? AND sequence = ? AND record = ? AND replaying = 1",
             destination, Number(lane), sequence, record);
}

Status Books::MarkReplaying(std::int64_t dead_id) {
  if (Status marked = Run("UPDATE dead SET replaying = 1 WHERE id = ? AND replaying = 0", dead_id); !marked) {
    return marked;
  }
  if (db_.changes() != 1) {
    return Error{ErrorCode::kNotFound,
                 "dead letter " + std::to_string(dead_id) + " does not exist or is being replayed"};
  }
  return {};
}

Result<std::int64_t> Books::CountDead(DestinationId destination, Lane lane, Sequence sequence) {
  const Result<Statement*> statement =
      Use("SELECT count(*) FROM dead WHERE destination = ? AND lane = ? AND sequence = ? AND replaying = 0");
  if (!statement) {
    return statement.error();
  }
  Statement& row = (*statement)->Bind(destination, Number(lane), sequence);
  const Result<bool> found = row.Step();
  if (!found) {
    return found.error();
  }
  const std::int64_t count = row.Int(0);
  row.Reset();
  return count;
}

Status Books::InsertQuarantine(Lane lane, const StoredMessage& stored, std::string_view reason, std::string_view detail,
                               WallTime now) {
  const std::string message = EncodeMessage(stored.sequence, stored.message);
  return Run("INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?)", Number(lane), stored.sequence,
             stored.message.stream, Micros(now), reason, detail, Statement::AsBlob(message));
}

Status Books::LogSettled(DestinationId destination, const Settlement& settlement, const FrozenBatch& batch,
                         WallTime now) {
  return Run(
      "INSERT INTO settled(idempotency_key, destination, lane, first_sequence, last_sequence, messages, records, dead,"
      " settled_at, http_status, provider_request_id, trace_id, attempts, possible_duplicate)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      std::string_view(batch.idempotency_key), destination, Number(batch.lane), batch.members.front().sequence,
      batch.members.back().sequence, batch.members.size(), batch.records, settlement.dead.size(), Micros(now),
      settlement.http_status, std::string_view(settlement.provider_request_id), std::string_view(batch.trace_id),
      settlement.attempts, settlement.possible_duplicate ? 1 : 0);
}

Result<Books::Trimmed> Books::Trim(Lane lane, Sequence low_water, std::int64_t limit) {
  // Segments do not overlap, so those before the low water are the first of the lane.
  const Result<Statement*> found =
      Use("SELECT id, messages, payload_bytes FROM segments WHERE id BETWEEN ? AND ? AND last_sequence < ?"
          " ORDER BY id LIMIT ?");
  if (!found) {
    return found.error();
  }
  const Sequence bound = low_water == 0 ? 0 : low_water - 1;
  Statement& row = (*found)->Bind(SegmentKey(lane, 0), SegmentKey(lane, bound), low_water, limit);
  Trimmed trimmed;
  std::int64_t last = 0;
  while (true) {
    const Result<bool> more = row.Step();
    if (!more) {
      return more.error();
    }
    if (!*more) {
      break;
    }
    last = row.Int(0);
    ++trimmed.segments;
    trimmed.messages += row.Int(1);
    trimmed.payload_bytes += row.Int(2);
  }
  row.Reset();
  if (trimmed.segments > 0) {
    if (Status gone = Run("DELETE FROM segments WHERE id BETWEEN ? AND ?", SegmentKey(lane, 0), last); !gone) {
      return gone.error();
    }
  }
  return trimmed;
}

Status Books::Bound(std::string_view table, std::uint32_t rows) {
  if (table == "settled") {
    return Run("DELETE FROM settled WHERE id <= (SELECT max(id) FROM settled) - ?", rows);
  }
  if (table == "dead") {
    return Run("DELETE FROM dead WHERE id <= (SELECT max(id) FROM dead) - ? AND replaying = 0", rows);
  }
  return Run("DELETE FROM quarantine WHERE rowid <= (SELECT max(rowid) FROM quarantine) - ?", rows);
}

}  // namespace packhorse::queue
