#include "queue/tables/rows.h"

#include <string>
#include <utility>
#include <vector>

#include "queue/segment/batch_layout.h"
#include "queue/segment/message_codec.h"

namespace packhorse::queue {

const char* const kBatchColumns =
    "id, lane, idempotency_key, trace_id, contract, path, content_type, content_encoding, uncompressed_bytes, records,"
    " members, replayed, created_at, oldest_at, body, destination, layout";

namespace {

constexpr const char* kReplayBatchColumns =
    "id, lane, idempotency_key, trace_id, contract, path, content_type, content_encoding, uncompressed_bytes, records,"
    " members, replay, created_at, oldest_at, body, destination, layout";

}  // namespace

Result<PreparedBatch> BatchFromRow(const Statement& row) {
  PreparedBatch batch;
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
  RETURN_IF_ERROR(members);
  if (members->empty()) {
    return Error{ErrorCode::kCorrupt, "batch " + std::to_string(batch.id) + " has no members"};
  }
  batch.members = *std::move(members);
  const bool of_replay = batch.id < 0;
  batch.replayed = !of_replay && row.Int(11) == 1;
  batch.suspect = !of_replay && row.Int(11) == kMadeOfSuspect;
  batch.replay = of_replay ? row.Int(11) : 0;
  batch.created_at = FromMicros(row.Int(12));
  batch.oldest_at = FromMicros(row.Int(13));
  batch.body = row.Blob(14);
  RETURN_IF_ERROR(DecodeLayout(row.Blob(16), batch));
  return batch;
}

Status ForEachBatch(Database& db, BatchTable table, const std::function<void(PreparedBatch, std::int64_t)>& visit) {
  Result<Statement> rows =
      db.Prepare(table == BatchTable::kBatches ? "SELECT " + std::string(kBatchColumns) + " FROM batches"
                                               : "SELECT " + std::string(kReplayBatchColumns) + " FROM replay_batches");
  RETURN_IF_ERROR(rows);
  Status damage;
  Status read = rows->ForEach([&] {
    Result<PreparedBatch> batch = BatchFromRow(*rows);
    if (!batch) {
      damage = batch.error();
      return;
    }
    visit(*std::move(batch), rows->Int(15));
  });
  return read ? damage : read;
}

}  // namespace packhorse::queue
