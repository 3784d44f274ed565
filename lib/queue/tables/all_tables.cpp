#include "queue/tables/all_tables.h"

#include "base/fixed_point.h"
#include "queue/segment/message_codec.h"
#include "queue/segment/segment_key.h"

namespace packhorse::queue {
namespace {

bool SegmentHolds(const Statement& row) {
  const Result<std::string> plain = OpenSegment(row.Blob(4));
  if (!plain) {
    return false;
  }
  SegmentReader messages(*plain, SegmentFirst(row.Int(0)));
  while (!messages.AtEnd()) {
    if (!messages.Next()) {
      return false;
    }
  }
  return true;
}

template <int kColumn>
bool MessageHolds(const Statement& row) {
  return static_cast<bool>(DecodeMessage(row.Blob(kColumn), 1));
}

template <int kColumn>
bool MembersHold(const Statement& row) {
  return static_cast<bool>(DecodeMembers(row.Blob(kColumn)));
}

bool SumHolds(const Statement& row) { return FixedPoint::Of(row.Int(5), row.Int(6)).has_value(); }

constexpr QueueTable kTables[] = {
    {.name = "meta"},
    {.name = "lanes"},
    {.name = "streams"},
    {.name = "destinations"},
    {.name = "subscriptions"},
    {.name = "segments", .holds = SegmentHolds, .last_number = "last_sequence", .lane = "id >> 60"},
    {.name = "pending", .last_number = "from_sequence - 1"},
    {.name = "partials"},
    {.name = "batches", .holds = MembersHold<13>},
    {.name = "dead",
     .holds = MessageHolds<14>,
     .keeps_messages = true,
     .by_destination = true,
     .last_number = "sequence"},
    {.name = "quarantine", .holds = MessageHolds<6>, .keeps_messages = true, .last_number = "sequence"},
    {.name = "ledger"},
    {.name = "delivered_sums", .holds = SumHolds, .newer = true},
    {.name = "settled", .last_number = "last_sequence"},
    {.name = "retained", .newer = true},
    {.name = "replays", .newer = true},
    {.name = "replay_batches", .holds = MembersHold<12>, .newer = true},
    {.name = "boots", .newer = true},
    {.name = "earlier_ids", .newer = true},
    {.name = "stream_definitions", .newer = true},
    {.name = "given_up", .newer = true, .last_number = "last_sequence"},
    {.name = "suspects",
     .holds = MessageHolds<19>,
     .newer = true,
     .keeps_messages = true,
     .by_destination = true,
     .last_number = "sequence"},
    {.name = "quarantined_for", .newer = true}};

std::string SelectOf(const QueueTable& table, std::string_view columns, std::string_view condition) {
  std::string sql = "SELECT " + std::string(columns) + " FROM " + table.name;
  if (!condition.empty()) {
    // Naming the destinations lets SQLite use the keys that begin with them.
    sql += table.by_destination ? " WHERE destination IN (SELECT id FROM destinations) AND " : " WHERE ";
    sql += condition;
  }
  return sql;
}

}  // namespace

std::span<const QueueTable> AllTables() { return kTables; }

std::string SelectKeptMessages(std::string_view columns, std::string_view condition) {
  std::string sql;
  for (const QueueTable& table : kTables) {
    if (table.keeps_messages) {
      sql += (sql.empty() ? "" : " UNION ALL ") + SelectOf(table, columns, condition);
    }
  }
  return sql;
}

}  // namespace packhorse::queue
