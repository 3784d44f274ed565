// The rows of the ids that a queue had: which of them some stored message still bears.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/recovery/identity.h"
#include "queue/tables/all_tables.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

struct EarlierRow {
  std::int64_t id = 0;
  std::array<Sequence, kLanes> last{};
  bool borne = false;
};

// Everything that may still be sent or shown under the record id that it has: lane, first and last number. Messages in
// batches are told by the queue state.
std::string Bearers() {
  return "SELECT id >> 60, id & 1152921504606846975, last_sequence FROM segments UNION ALL " +
         SelectKeptMessages("lane, sequence, sequence", "");
}

class Ids {
 public:
  explicit Ids(std::vector<EarlierRow> rows) : rows_(std::move(rows)) {}

  void Bear(Lane lane, Sequence first, Sequence last) {
    auto row = std::partition_point(rows_.begin(), rows_.end(),
                                    [&](const EarlierRow& each) { return each.last.at(At(lane)) < first; });
    for (; row != rows_.end(); ++row) {
      const bool begins_behind = row != rows_.begin() && std::prev(row)->last.at(At(lane)) >= last;
      if (begins_behind) {
        return;
      }
      row->borne = true;
    }
  }
  const std::vector<EarlierRow>& rows() const { return rows_; }

 private:
  std::vector<EarlierRow> rows_;  // ascending
};

Result<std::vector<EarlierRow>> ReadRows(Database& db) {
  Result<Statement> query = db.Prepare("SELECT id, urgent, normal, bulk FROM earlier_ids ORDER BY id");
  RETURN_IF_ERROR(query);
  std::vector<EarlierRow> rows;
  Status read = query->ForEach([&] {
    rows.push_back(EarlierRow{query->Int(0),
                              {static_cast<Sequence>(query->Int(1)), static_cast<Sequence>(query->Int(2)),
                               static_cast<Sequence>(query->Int(3))},
                              false});
  });
  return read ? Result<std::vector<EarlierRow>>(std::move(rows)) : Result<std::vector<EarlierRow>>(read.error());
}

Status ForgetUnborne(Database& db, std::vector<EarlierRow> rows, const QueueState& state) {
  Ids ids(std::move(rows));
  Result<Statement> bearers = db.Prepare(Bearers());
  RETURN_IF_ERROR(bearers);
  Status read = bearers->ForEach([&] {
    ids.Bear(static_cast<Lane>(bearers->Int(0)), static_cast<Sequence>(bearers->Int(1)),
             static_cast<Sequence>(bearers->Int(2)));
  });
  RETURN_IF_ERROR(read);
  for (const auto* batches : {&state.unsettled(), &state.replays().batches()}) {
    for (const auto& [id, unsettled] : *batches) {
      for (const Member& member : unsettled.batch->members) {
        ids.Bear(unsettled.batch->lane, member.sequence, member.sequence);
      }
    }
  }
  Result<Statement> forget = db.Prepare("DELETE FROM earlier_ids WHERE id = ?");
  RETURN_IF_ERROR(forget);
  for (const EarlierRow& row : ids.rows()) {
    Status forgotten = row.borne ? Status() : forget->Bind(row.id).Run();
    RETURN_IF_ERROR(forgotten);
  }
  return {};
}

Status SetMeta(Database& db, std::string_view key, const std::string& value) {
  Result<Statement> set = db.Prepare("UPDATE meta SET value = ?2 WHERE key = ?1 AND value <> ?2");
  return set ? set->Bind(key, std::string_view(value)).Run() : Status(set.error());
}

}  // namespace

Status WriteIdentity(Database& db, const NewIdentity& identity, const std::array<Sequence, kLanes>& last,
                     const QueueState& state) {
  RETURN_IF_ERROR(SetMeta(db, "accepted", identity.accepted));
  Result<std::vector<EarlierRow>> rows = ReadRows(db);
  RETURN_IF_ERROR(rows);
  const std::array<Sequence, kLanes> before = rows->empty() ? std::array<Sequence, kLanes>{} : rows->back().last;
  if (!identity.id.empty() && before != last) {  // else nothing was numbered under the id that goes
    Result<Statement> keep = db.Prepare(
        "INSERT INTO earlier_ids(id, queue_id, urgent, normal, bulk) SELECT ?, value, ?, ?, ? FROM meta"
        " WHERE key = 'queue_id'");
    RETURN_IF_ERROR(keep);
    const std::int64_t id = rows->empty() ? 1 : rows->back().id + 1;
    RETURN_IF_ERROR(keep->Bind(id, last[0], last[1], last[2]).Run());
    rows->push_back(EarlierRow{id, last, false});
  }
  if (!identity.id.empty()) {
    RETURN_IF_ERROR(SetMeta(db, "queue_id", identity.id));
  }
  return rows->empty() ? Status() : ForgetUnborne(db, *std::move(rows), state);
}

}  // namespace packhorse::queue
