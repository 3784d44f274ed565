#include "queue/tables/suspect_table.h"

#include <memory>
#include <string>
#include <utility>

#include "queue/segment/message_codec.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

constexpr const char* kSave =
    "INSERT INTO suspects(id, destination, lane, sequence, record, total_records, stream, received_hour, set_aside_at,"
    " reason, detail, provider_request_id, http_status, refusals, first_refused_at, last_refused_at, batch_key,"
    " retrying, batch, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(destination, lane, sequence, record) DO UPDATE SET set_aside_at = excluded.set_aside_at,"
    " reason = excluded.reason, detail = excluded.detail, provider_request_id = excluded.provider_request_id,"
    " http_status = excluded.http_status, refusals = excluded.refusals, first_refused_at = excluded.first_refused_at,"
    " last_refused_at = excluded.last_refused_at, batch_key = excluded.batch_key, retrying = excluded.retrying,"
    " batch = excluded.batch";
constexpr const char* kWhere = " WHERE destination = ? AND lane = ? AND sequence = ? AND record = ?";

Status Save(Database& db, const DeadKey& key, const SuspectRow& row) {
  Result<Statement> save = db.Prepare(kSave);
  RETURN_IF_ERROR(save);
  const SuspectContent& content = *row.content;
  const Suspicion& suspicion = content.new_suspect.what.suspicion;
  const std::string batch = content.kept ? EncodeBatch(*content.kept) : "";
  return save
      ->Bind(content.id, key.destination, Number(key.lane), key.sequence, key.record, content.new_suspect.total_records,
             content.new_suspect.stream, content.new_suspect.received_hour, Micros(content.at),
             std::string_view(suspicion.reason), std::string_view(suspicion.detail),
             std::string_view(suspicion.provider_request_id), suspicion.http_status, suspicion.refusals,
             Micros(suspicion.first_refused_at), Micros(suspicion.last_refused_at), std::string_view(content.batch_key),
             row.retrying ? 1 : 0, Statement::AsBlob(batch), Statement::AsBlob(content.new_suspect.message))
      .Run();
}

Status Change(Database& db, const DeadKey& key, const char* what) {
  Result<Statement> change = db.Prepare(what + std::string(kWhere));
  return change ? change->Bind(key.destination, Number(key.lane), key.sequence, key.record).Run()
                : Status(change.error());
}

Result<RawMessage> StampFromRow(const Statement& row, int column, Sequence sequence) {
  Result<StoredMessage> stored = DecodeMessage(row.Blob(column), sequence);
  if (!stored) {
    return stored.error().With("suspect of number " + std::to_string(sequence));
  }
  return Stamp(std::move(stored->message));
}

}  // namespace

Status LoadSuspects(Database& db, QueueState& state) {
  Result<Statement> rows = db.Prepare(
      "SELECT id, destination, lane, sequence, record, total_records, stream, received_hour, retrying, message"
      " FROM suspects");
  RETURN_IF_ERROR(rows);
  Status damage;
  Status read = rows->ForEach([&] {
    const DeadKey key{static_cast<Lane>(rows->Int(2)), static_cast<Sequence>(rows->Int(3)), rows->Int(1),
                      static_cast<std::uint32_t>(rows->Int(4))};
    Result<RawMessage> stamp = StampFromRow(*rows, 9, key.sequence);
    if (!stamp) {
      damage = stamp.error();
      return;
    }
    state.suspects().Put(
        key,
        Suspects::Entry{rows->Int(0), static_cast<StreamId>(rows->Int(6)), static_cast<std::uint32_t>(rows->Int(5)),
                        static_cast<std::int32_t>(rows->Int(7)), *std::move(stamp), rows->Int(8) != 0});
  });
  if (!read || !damage) {
    return read ? damage : read;
  }
  // A dead letter's id was given once, also when its row is gone.
  const Result<std::int64_t> last = db.QueryInt(
      "SELECT max((SELECT coalesce(max(id), 0) FROM dead), (SELECT coalesce(max(id), 0) FROM suspects),"
      " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'dead'), 0))");
  RETURN_IF_ERROR(last);
  state.SetNextLetter(*last + 1);
  return {};
}

Status WriteSuspects(Database& db, const Changes& changes) {
  for (const auto& [key, row] : changes.suspects) {
    Status written =
        row.gone ? Change(db, key, "DELETE FROM suspects")
        : row.content
            ? Save(db, key, row)
            : Change(db, key, row.retrying ? "UPDATE suspects SET retrying = 1" : "UPDATE suspects SET retrying = 0");
    RETURN_IF_ERROR(written);
  }
  return {};
}

Result<SuspectContent> ReadSuspect(Database& db, const DeadKey& key) {
  Result<Statement> row = db.Prepare(
      "SELECT id, total_records, stream, received_hour, set_aside_at, reason, detail, provider_request_id, http_status,"
      " refusals, first_refused_at, last_refused_at, batch_key, batch, message FROM suspects" +
      std::string(kWhere));
  RETURN_IF_ERROR(row);
  const Result<bool> found = row->Bind(key.destination, Number(key.lane), key.sequence, key.record).Step();
  RETURN_IF_ERROR(found);
  if (!*found) {
    return Error{ErrorCode::kNotFound, "message " + std::to_string(key.sequence) + " is not set aside"};
  }
  SuspectContent content;
  content.id = row->Int(0);
  content.new_suspect.total_records = static_cast<std::uint32_t>(row->Int(1));
  content.new_suspect.stream = static_cast<StreamId>(row->Int(2));
  content.new_suspect.received_hour = static_cast<std::int32_t>(row->Int(3));
  content.at = FromMicros(row->Int(4));
  SetAsideRecord& what = content.new_suspect.what;
  what.sequence = key.sequence;
  what.record = key.record;
  what.suspicion = Suspicion{row->Text(5),
                             row->Text(6),
                             row->Text(7),
                             static_cast<int>(row->Int(8)),
                             static_cast<std::uint32_t>(row->Int(9)),
                             FromMicros(row->Int(10)),
                             FromMicros(row->Int(11))};
  content.batch_key = row->Text(12);
  content.new_suspect.message = row->Blob(14);
  if (const std::string_view batch = row->Blob(13); !batch.empty()) {
    Result<BatchPtr> kept = DecodeBatch(batch);
    if (!kept) {
      return kept.error().With("suspect of number " + std::to_string(key.sequence));
    }
    content.kept = *std::move(kept);
    what.keep_batch = true;
  }
  return content;
}

Result<Suspect> Describe(const DeadKey& key, SuspectContent content, bool retrying) {
  Result<StoredMessage> message = DecodeMessage(content.new_suspect.message, key.sequence);
  if (!message) {
    return message.error().With("suspect " + std::to_string(content.id));
  }
  Suspect suspect;
  suspect.id = content.id;
  suspect.lane = key.lane;
  suspect.sequence = key.sequence;
  suspect.record = key.record;
  suspect.total_records = content.new_suspect.total_records;
  suspect.stream = content.new_suspect.stream;
  suspect.received_hour = content.new_suspect.received_hour;
  suspect.set_aside_at = content.at;
  suspect.suspicion = std::move(content.new_suspect.what.suspicion);
  suspect.batch_key = std::move(content.batch_key);
  suspect.retrying = retrying;
  suspect.kept = std::move(content.kept);
  suspect.message = std::move(message->message);
  return suspect;
}

Result<std::vector<std::pair<DeadKey, Suspect>>> SuspectsAt(Database& db, Lane lane, Sequence sequence) {
  Result<Statement> rows = db.Prepare(
      "SELECT destination, record, retrying FROM suspects WHERE destination IN (SELECT id FROM destinations)"
      " AND lane = ? AND sequence = ?");
  RETURN_IF_ERROR(rows);
  rows->Bind(Number(lane), sequence);
  std::vector<std::pair<DeadKey, bool>> keys;
  Status read = rows->ForEach([&] {
    keys.emplace_back(DeadKey{lane, sequence, rows->Int(0), static_cast<std::uint32_t>(rows->Int(1))},
                      rows->Int(2) != 0);
  });
  RETURN_IF_ERROR(read);
  std::vector<std::pair<DeadKey, Suspect>> suspects;
  for (const auto& [key, retrying] : keys) {
    Result<SuspectContent> content = ReadSuspect(db, key);
    Result<Suspect> suspect = content ? Describe(key, *std::move(content), retrying) : Result<Suspect>(content.error());
    RETURN_IF_ERROR(suspect);
    suspects.emplace_back(key, *std::move(suspect));
  }
  return suspects;
}

}  // namespace packhorse::queue
