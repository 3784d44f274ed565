#include "queue/tables/replay_table.h"

#include <memory>
#include <utility>

#include "queue/segment/batch_layout.h"
#include "queue/segment/message_codec.h"
#include "queue/segment/trim.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

constexpr const char* kReplayColumns =
    "id, stream, destination, from_at, to_at, rate, state, asked_at, ended_at, lane, next_sequence, first_urgent,"
    " first_normal, first_bulk, through_urgent, through_normal, through_bulk, messages, skipped, records, delivered,"
    " refused";

Replay ReplayFromRow(const Statement& row) {
  const auto count = [&](int column) { return static_cast<std::uint64_t>(row.Int(column)); };
  Replay replay;
  replay.id = row.Int(0);
  replay.stream = static_cast<StreamId>(row.Int(1));
  replay.destination = row.Int(2);
  replay.what.from = FromMicros(row.Int(3));
  replay.what.to = FromMicros(row.Int(4));
  replay.what.rate = static_cast<std::uint32_t>(row.Int(5));
  replay.state = static_cast<Replay::State>(row.Int(6));
  replay.asked_at = FromMicros(row.Int(7));
  replay.ended_at = FromMicros(row.Int(8));
  replay.lane = static_cast<Lane>(row.Int(9));
  replay.next = count(10);
  replay.first = {count(11), count(12), count(13)};
  replay.through = {count(14), count(15), count(16)};
  replay.messages = count(17);
  replay.skipped = count(18);
  replay.records = count(19);
  replay.delivered = count(20);
  replay.refused = count(21);
  return replay;
}

Status LoadBatches(Database& db, QueueState& state) {
  return ForEachBatch(db, BatchTable::kReplayBatches, [&](PreparedBatch batch, DestinationId destination) {
    batch.destination = state.DestinationName(destination);
    state.replays().AddBatch(destination, std::make_shared<const PreparedBatch>(std::move(batch)));
  });
}

Status LoadRetained(Database& db, QueueState& state) {
  for (const Lane lane : kAllLanes) {
    const Result<Sequence> from = RetainedFrom(db, lane);
    RETURN_IF_ERROR(from);
    state.retained().SetFrom(lane, *from);
  }
  return {};
}

Status Save(Database& db, const Replay& replay) {
  Result<Statement> save = db.Prepare(
      "INSERT INTO replays(" + std::string(kReplayColumns) +
      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
      " state = excluded.state, ended_at = excluded.ended_at, lane = excluded.lane,"
      " next_sequence = excluded.next_sequence, messages = excluded.messages, skipped = excluded.skipped,"
      " records = excluded.records, delivered = excluded.delivered, refused = excluded.refused");
  RETURN_IF_ERROR(save);
  return save
      ->Bind(replay.id, replay.stream, replay.destination, Micros(replay.what.from), Micros(replay.what.to),
             replay.what.rate, static_cast<int>(replay.state), Micros(replay.asked_at), Micros(replay.ended_at),
             Number(replay.lane), replay.next, replay.first[0], replay.first[1], replay.first[2], replay.through[0],
             replay.through[1], replay.through[2], replay.messages, replay.skipped, replay.records, replay.delivered,
             replay.refused)
      .Run();
}

}  // namespace

Status LoadReplays(Database& db, QueueState& state) {
  Result<Statement> rows = db.Prepare("SELECT " + std::string(kReplayColumns) + " FROM replays");
  RETURN_IF_ERROR(rows);
  Status read = rows->ForEach([&] { state.replays().Add(ReplayFromRow(*rows)); });
  if (read) {
    read = LoadBatches(db, state);
  }
  return read ? LoadRetained(db, state) : read;
}

Status WriteReplays(Database& db, const Changes& changes) {
  for (const auto& [id, replay] : changes.replays) {
    Status written = replay ? Save(db, *replay) : db.Execute("DELETE FROM replays WHERE id = " + std::to_string(id));
    RETURN_IF_ERROR(written);
  }
  return {};
}

Status InsertReplayBatch(Database& db, DestinationId destination, const PreparedBatch& batch) {
  Result<Statement> insert = db.Prepare(
      "INSERT INTO replay_batches(id, destination, lane, idempotency_key, trace_id, contract, path, content_type,"
      " content_encoding, uncompressed_bytes, records, members, replay, created_at, oldest_at, body, layout)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  RETURN_IF_ERROR(insert);
  const std::string members = EncodeMembers(batch.members);
  const std::string layout = EncodeLayout(batch);
  const auto text = [](const std::string& value) { return std::string_view(value); };
  return insert
      ->Bind(batch.id, destination, Number(batch.lane), text(batch.idempotency_key), text(batch.trace_id),
             text(batch.contract), text(batch.path), text(batch.content_type), text(batch.content_encoding),
             batch.uncompressed_bytes, batch.records, Statement::AsBlob(members), batch.replay,
             Micros(batch.created_at), Micros(batch.oldest_at), Statement::AsBlob(batch.body),
             Statement::AsBlob(layout))
      .Run();
}

Status DeleteReplayBatch(Database& db, BatchId id) {
  return db.Execute("DELETE FROM replay_batches WHERE id = " + std::to_string(id));
}

}  // namespace packhorse::queue
