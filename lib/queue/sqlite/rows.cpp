#include "queue/sqlite/rows.h"

#include <vector>

#include "queue/message_codec.h"

namespace packhorse::queue {

const char* const kBatchColumns =
    "id, lane, idempotency_key, trace_id, contract, path, content_type, content_encoding, uncompressed_bytes, records,"
    " members, replayed, created_at, oldest_at, body, destination";

const char* const kReplayBatchColumns =
    "id, lane, idempotency_key, trace_id, contract, path, content_type, content_encoding, uncompressed_bytes, records,"
    " members, replay, created_at, oldest_at, body, destination";

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
  if (members->empty()) {
    return Error{ErrorCode::kCorrupt, "batch " + std::to_string(batch.id) + " has no members"};
  }
  batch.members = *std::move(members);
  batch.replayed = row.Int(11) != 0;
  batch.created_at = FromMicros(row.Int(12));
  batch.oldest_at = FromMicros(row.Int(13));
  batch.body = row.Blob(14);
  return batch;
}

}  // namespace packhorse::queue
