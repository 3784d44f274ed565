#include "queue/tables/given_up_table.h"

#include <string>
#include <string_view>

#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

// As a row of its own, or as the end of the newest one where that goes on.
Status Add(Database& db, DestinationId destination, Lane lane, const GivenUpRange& range) {
  Result<Statement> newest =
      db.Prepare("SELECT " + std::string(kGivenUpColumns) +
                 ", id FROM given_up WHERE destination = ? AND lane = ? ORDER BY id DESC LIMIT 1");
  RETURN_IF_ERROR(newest);
  std::int64_t id = 0;
  GivenUpRange before;
  newest->Bind(destination, Number(lane));
  Status read = newest->ForEach([&] {
    before = GivenUpFromRow(*newest);
    id = newest->Int(8);
  });
  RETURN_IF_ERROR(read);
  const bool continues = id > 0 && Continues(before, range);
  Result<Statement> write =
      db.Prepare(continues ? "UPDATE given_up SET last_sequence = ?, messages = ?, until_at = ? WHERE id = ?"
                           : "INSERT INTO given_up(destination, lane, first_sequence, last_sequence, messages, outcome,"
                             " reason, from_at, until_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  RETURN_IF_ERROR(write);
  if (continues) {
    Extend(before, range);
    return write->Bind(before.last, before.messages, Micros(before.until_at), id).Run();
  }
  return write
      ->Bind(destination, Number(lane), range.first, range.last, range.messages, static_cast<int>(range.outcome),
             std::string_view(range.reason), Micros(range.from_at), Micros(range.until_at))
      .Run();
}

}  // namespace

const char* const kGivenUpColumns =
    "destination, first_sequence, last_sequence, messages, outcome, reason, from_at, until_at";

GivenUpRange GivenUpFromRow(const Statement& row) {
  GivenUpRange range;
  range.first = static_cast<Sequence>(row.Int(1));
  range.last = static_cast<Sequence>(row.Int(2));
  range.messages = static_cast<std::uint64_t>(row.Int(3));
  range.outcome = static_cast<Outcome>(row.Int(4));
  range.reason = row.Text(5);
  range.from_at = FromMicros(row.Int(6));
  range.until_at = FromMicros(row.Int(7));
  return range;
}

Status WriteGivenUp(Database& db, const Changes& changes) {
  for (const auto& [key, ranges] : changes.given_up) {
    for (const GivenUpRange& range : ranges) {
      RETURN_IF_ERROR(Add(db, key.first, key.second, range));
    }
  }
  return {};
}

Status BoundGivenUp(Database& db, std::uint32_t rows) {
  Result<Statement> bounded = db.Prepare("DELETE FROM given_up WHERE id <= (SELECT max(id) FROM given_up) - ?");
  return bounded ? bounded->Bind(rows).Run() : Status(bounded.error());
}

}  // namespace packhorse::queue
