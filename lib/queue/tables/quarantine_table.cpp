#include "queue/tables/quarantine_table.h"

#include "queue/tables/rows.h"
#include "queue/values/definition.h"

namespace packhorse::queue {
namespace {

template <typename... Args>
Status Run(Database& db, const char* sql, Args... args) {
  Result<Statement> statement = db.Prepare(sql);
  return statement ? statement->Bind(args...).Run() : Status(statement.error());
}

Status WriteFor(Database& db, const PartialKey& key, const QuarantinedFor& row, CheckpointResult& result) {
  const int lane = Number(key.lane);
  if (row.state == QuarantinedFor::State::kHeld) {
    return Run(db,
               "INSERT OR REPLACE INTO quarantined_for(lane, sequence, destination, reason, retrying)"
               " VALUES (?, ?, ?, ?, 0)",
               lane, key.sequence, key.destination, std::string_view(row.reason));
  }
  if (row.state == QuarantinedFor::State::kRetrying) {
    return Run(db, "UPDATE quarantined_for SET retrying = 1 WHERE lane = ? AND sequence = ? AND destination = ?", lane,
               key.sequence, key.destination);
  }
  RETURN_IF_ERROR(Run(db, "DELETE FROM quarantined_for WHERE lane = ? AND sequence = ? AND destination = ?", lane,
                      key.sequence, key.destination));
  // The message goes with the last destination for which it was there.
  Status gone = Run(db,
                    "DELETE FROM quarantine WHERE lane = ?1 AND sequence = ?2"
                    " AND NOT EXISTS (SELECT 1 FROM quarantined_for WHERE lane = ?1 AND sequence = ?2)",
                    lane, key.sequence);
  result.quarantine_removed += db.changes();
  return gone;
}

}  // namespace

Status WriteQuarantine(Database& db, const Changes& changes, CheckpointResult& result) {
  for (const auto& [key, row] : changes.quarantine) {
    Status kept = Run(db,
                      "INSERT OR IGNORE INTO quarantine(lane, sequence, stream, at, reason, detail, message)"
                      " VALUES (?, ?, ?, ?, ?, ?, ?)",
                      Number(key.first), key.second, row.stream, Micros(row.at), std::string_view(row.reason),
                      std::string_view(row.detail), Statement::AsBlob(row.message));
    RETURN_IF_ERROR(kept);
    result.quarantine_removed += db.changes() == 0 ? 1 : 0;  // another destination had put it there
  }
  for (const auto& [key, row] : changes.quarantined_for) {
    RETURN_IF_ERROR(WriteFor(db, key, row, result));
  }
  return {};
}

Status BoundQuarantine(Database& db, std::uint32_t most, CheckpointResult& result) {
  Status bounded = Run(db,
                       "DELETE FROM quarantine WHERE rowid <= (SELECT max(rowid) FROM quarantine) - ?1"
                       " AND reason NOT IN (?2, ?3) AND NOT EXISTS (SELECT 1 FROM quarantined_for AS f"
                       " WHERE f.lane = quarantine.lane AND f.sequence = quarantine.sequence AND f.retrying = 1)",
                       most, kUnknownStream, kUnknownContract);
  const std::int64_t removed = bounded ? db.changes() : 0;
  result.quarantine_removed += removed;
  if (removed == 0) {
    return bounded;
  }
  return Run(db,
             "DELETE FROM quarantined_for WHERE NOT EXISTS (SELECT 1 FROM quarantine AS q"
             " WHERE q.lane = quarantined_for.lane AND q.sequence = quarantined_for.sequence)");
}

Status LoadRetrying(Database& db, QueueState& state) {
  Result<Statement> rows = db.Prepare("SELECT destination, lane, sequence FROM quarantined_for WHERE retrying = 1");
  RETURN_IF_ERROR(rows);
  return rows->ForEach([&] {
    state.AddRetrying(PartialKey{rows->Int(0), static_cast<Lane>(rows->Int(1)), static_cast<Sequence>(rows->Int(2))});
  });
}

}  // namespace packhorse::queue
