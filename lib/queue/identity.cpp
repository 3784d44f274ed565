#include "queue/identity.h"

#include <string_view>
#include <utility>
#include <vector>

#include "queue/open.h"
#include "queue/queue_ids.h"
#include "queue/sqlite/schema.h"

namespace packhorse::queue {

Result<QueueIds> LoadIds(Database& db) {
  Result<std::string> current = MetaText(db, "queue_id");
  if (!current) {
    return current.error();
  }
  Result<Statement> rows = db.Prepare("SELECT queue_id, urgent, normal, bulk FROM earlier_ids ORDER BY id");
  if (!rows) {
    return rows.error();
  }
  std::vector<QueueIds::Earlier> earlier;
  Status read = rows->ForEach([&] {
    earlier.push_back({rows->Text(0),
                       {static_cast<Sequence>(rows->Int(1)), static_cast<Sequence>(rows->Int(2)),
                        static_cast<Sequence>(rows->Int(3))}});
  });
  if (!read) {
    return read.error();
  }
  return QueueIds(*std::move(current), std::move(earlier));
}

Result<Renewal> DecideRenewal(Database& db, const Doubts& doubts) {
  const Result<std::string> bound = MetaText(db, "machine");
  if (!bound) {
    return bound.error();
  }
  if (!bound->empty() && !doubts.machine.empty() && *bound != doubts.machine) {
    return Renewal{NewQueueId(), "another machine wrote it: the card was copied or moved, or a backup restored"};
  }
  if (doubts.salvaged) {
    return Renewal{NewQueueId(), "the database was damaged: numbers that were given may be missing in it"};
  }
  if (doubts.log_missing) {
    return Renewal{NewQueueId(),
                   "its write-ahead log (queue.db-wal) is missing: numbers that were given may be "
                   "missing in the database"};
  }
  return Renewal{};
}

Status WriteIdentity(Database& db, const Renewal& renewal, const std::string& machine,
                     const std::array<Sequence, kLanes>& last) {
  if (!machine.empty()) {
    Result<Statement> bind = db.Prepare("UPDATE meta SET value = ? WHERE key = 'machine' AND value <> ?1");
    if (!bind) {
      return bind.error();
    }
    if (Status bound = bind->Bind(std::string_view(machine)).Run(); !bound) {
      return bound;
    }
  }
  if (renewal.id.empty()) {
    return {};
  }
  Result<Statement> keep = db.Prepare(
      "INSERT INTO earlier_ids(queue_id, urgent, normal, bulk) SELECT value, ?, ?, ? FROM meta WHERE key = 'queue_id'");
  if (!keep) {
    return keep.error();
  }
  if (Status kept = keep->Bind(last[0], last[1], last[2]).Run(); !kept) {
    return kept;
  }
  return db.Execute("UPDATE meta SET value = '" + renewal.id +
                    "' WHERE key = 'queue_id';"
                    "DELETE FROM earlier_ids WHERE id <= (SELECT max(id) FROM earlier_ids) - " +
                    std::to_string(QueueIds::kMaxEarlier));
}

}  // namespace packhorse::queue
