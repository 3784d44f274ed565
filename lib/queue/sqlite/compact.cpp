#include "queue/sqlite/compact.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace packhorse::queue {
namespace {

constexpr std::int64_t kHours = std::int64_t{35} * 24;
// It is worth the writing once so many more are there.
constexpr std::int64_t kSlack = 24;
// A ledger of years is made short in pieces.
constexpr std::int64_t kHoursAtATime = std::int64_t{7} * 24;

// The hour at that place of all that the ledger has; 0: it has not as many.
Result<std::int64_t> HourAt(Database& db, const char* order, std::int64_t place) {
  Result<Statement> hours = db.Prepare(std::string("SELECT DISTINCT hour FROM ledger WHERE hour > 0 ORDER BY hour ") +
                                       order + " LIMIT 1 OFFSET ?");
  RETURN_IF_ERROR(hours);
  const Result<bool> row = hours->Bind(place).Step();
  RETURN_IF_ERROR(row);
  return *row ? hours->Int(0) : std::int64_t{0};
}

Status Run(Database& db, const char* sql, std::int64_t through) {
  Result<Statement> statement = db.Prepare(sql);
  return statement ? statement->Bind(through).Run() : Status(statement.error());
}

}  // namespace

Status CompactLedger(Database& db) {
  const Result<std::int64_t> over = HourAt(db, "DESC", kHours + kSlack);
  if (!over || *over == 0) {
    return over ? Status() : Status(over.error());
  }
  const Result<std::int64_t> last = HourAt(db, "DESC", kHours);
  const Result<std::int64_t> last_now = HourAt(db, "ASC", kHoursAtATime - 1);
  if (!last || !last_now) {
    return last ? last_now.error() : last.error();
  }
  const std::int64_t through = std::min(*last, *last_now);
  Status summed =
      Run(db,
          "INSERT INTO ledger(hour, stream, destination, outcome, reason, messages, records)"
          " SELECT 0, stream, destination, outcome, reason, sum(messages), sum(records) FROM ledger"
          " WHERE hour BETWEEN 1 AND ? GROUP BY stream, destination, outcome, reason"
          " ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + excluded.records",
          through);
  RETURN_IF_ERROR(summed);
  RETURN_IF_ERROR(Run(db, "DELETE FROM delivered_sums WHERE hour <= ?", through));
  return Run(db, "DELETE FROM ledger WHERE hour BETWEEN 1 AND ?", through);
}

}  // namespace packhorse::queue
