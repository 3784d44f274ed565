#include "queue/tables/delivered_hours.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace packhorse::queue {
namespace {

constexpr std::size_t kMaxForgotten = 16;
constexpr std::string_view kForgotten = "forgotten";

std::int32_t NumberFrom(std::string_view text) {
  std::int32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// "495999-496000 496012-496012": hours, oldest first.
std::vector<ForgottenHours> ParseForgotten(std::string_view text) {
  std::vector<ForgottenHours> all;
  while (!text.empty() && all.size() < kMaxForgotten) {
    const std::string_view one = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    if (const std::size_t dash = one.find('-', 1); dash != std::string_view::npos) {
      all.push_back({NumberFrom(one.substr(0, dash)), NumberFrom(one.substr(dash + 1))});
    }
  }
  return all;
}

Result<std::vector<ForgottenHours>> ReadForgotten(Database& db) {
  Result<Statement> query = db.Prepare("SELECT value FROM meta WHERE key = ?");
  RETURN_IF_ERROR(query);
  const Result<bool> row = query->Bind(kForgotten).Step();
  RETURN_IF_ERROR(row);
  return *row ? ParseForgotten(query->Text(0)) : std::vector<ForgottenHours>{};
}

// Calls `visit` with each row of a query about the hours of a destination.
template <typename Visit>
Status ForEachHour(Database& db, std::string_view sql, DestinationId destination, std::int32_t first, std::int32_t end,
                   Visit visit) {
  Result<Statement> rows = db.Prepare(sql);
  RETURN_IF_ERROR(rows);
  rows->Bind(destination, first, end);
  return rows->ForEach([&] { visit(*rows); });
}

DeliveredSum SumFrom(const Statement& row, int records, int whole, int trillionths) {
  const std::optional<FixedPoint> sum = FixedPoint::Of(row.Int(whole), row.Int(trillionths));
  return sum ? DeliveredSum{static_cast<std::uint64_t>(row.Int(records)), *sum} : DeliveredSum{};
}

// Of hours that something is known of.
Status ReadSums(Database& db, DestinationId destination, std::int32_t first, std::int32_t end,
                std::map<StreamHour, DeliveredHour>& hours) {
  return ForEachHour(db,
                     "SELECT s.name, d.hour, d.name, d.records, d.whole, d.trillionths FROM delivered_sums AS d"
                     " JOIN streams AS s ON s.id = d.stream WHERE d.destination = ? AND d.hour >= ? AND d.hour < ?",
                     destination, first, end, [&](const Statement& row) {
                       const auto hour = hours.find({row.Text(0), static_cast<std::int32_t>(row.Int(1))});
                       if (hour != hours.end()) {
                         hour->second.sums.emplace(row.Text(2), SumFrom(row, 3, 4, 5));
                       }
                     });
}

}  // namespace

Status AddDeliveredSums(Database& db, const std::map<SumKey, DeliveredSum>& sums) {
  if (sums.empty()) {
    return {};
  }
  Result<Statement> read = db.Prepare(
      "SELECT records, whole, trillionths FROM delivered_sums"
      " WHERE destination = ? AND hour = ? AND stream = ? AND name = ?");
  RETURN_IF_ERROR(read);
  // Added up here: SQLite makes a floating point number of a sum without room.
  Result<Statement> write = db.Prepare(
      "INSERT INTO delivered_sums(destination, hour, stream, name, records, whole, trillionths)"
      " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET records = excluded.records, whole = excluded.whole,"
      " trillionths = excluded.trillionths");
  RETURN_IF_ERROR(write);
  for (const auto& [key, more] : sums) {
    const Result<bool> row = read->Bind(key.destination, key.hour, key.stream, std::string_view(key.name)).Step();
    RETURN_IF_ERROR(row);
    DeliveredSum sum = *row ? SumFrom(*read, 0, 1, 2) : DeliveredSum{};
    read->Reset();
    AddDelivered(sum, more);
    RETURN_IF_ERROR(write
                        ->Bind(key.destination, key.hour, key.stream, std::string_view(key.name),
                               static_cast<std::int64_t>(sum.records), sum.sum.whole(), sum.sum.trillionths())
                        .Run());
  }
  return {};
}

Result<DeliveredHours> ReadDeliveredHours(Database& db, DestinationId destination, std::int32_t first, std::int32_t end,
                                          std::size_t limit) {
  std::map<StreamHour, DeliveredHour> hours;
  const auto at = [&](const Statement& row) -> DeliveredHour& {
    return hours[StreamHour{row.Text(0), static_cast<std::int32_t>(row.Int(1))}];
  };
  const auto count = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  RETURN_IF_ERROR(ForEachHour(
      db,
      "SELECT s.name, l.hour, l.outcome, l.records, l.hashed, l.id_hash_high, l.id_hash_low FROM ledger AS l"
      " JOIN streams AS s ON s.id = l.stream WHERE l.destination = ? AND l.hour >= ? AND l.hour < ?"
      " AND l.outcome IN (" +
          std::to_string(kLedgerReplayed) + ", " + std::to_string(LedgerCode(Outcome::kDelivered)) + ", " +
          std::to_string(LedgerCode(Outcome::kRejected)) + ")",
      destination, first, end, [&](const Statement& row) {
        if (hours.size() > limit) {
          return;
        }
        DeliveredHour& hour = at(row);
        const auto outcome = static_cast<int>(row.Int(2));
        if (outcome == LedgerCode(Outcome::kDelivered)) {
          hour.records += count(row.Int(3));
          hour.hashed += count(row.Int(4));
          hour.id_hash += (count(row.Int(5)) << 32U) + count(row.Int(6));
        } else {
          (outcome == kLedgerReplayed ? hour.replayed : hour.refused) += count(row.Int(3));
        }
      }));
  if (hours.size() > limit) {
    return Error{ErrorCode::kLimitExceeded,
                 "more than " + std::to_string(limit) + " hours and streams: ask for a shorter time"};
  }
  RETURN_IF_ERROR(ForEachHour(
      db,
      "SELECT s.name, x.received_hour, count(*) FROM suspects AS x JOIN streams AS s ON s.id = x.stream"
      " WHERE x.destination = ? AND x.received_hour >= ? AND x.received_hour < ? GROUP BY x.stream, x.received_hour",
      destination, first, end, [&](const Statement& row) { at(row).set_aside += count(row.Int(2)); }));
  RETURN_IF_ERROR(ReadSums(db, destination, first, end, hours));
  DeliveredHours found;
  for (auto& [of, hour] : hours) {
    hour.of = of;
    found.hours.push_back(std::move(hour));
  }
  RETURN_IF_ERROR(
      ForEachHour(db, "SELECT min(hour) FROM ledger WHERE destination = ? AND hour > ? AND hour < ? AND outcome = 0",
                  destination, 0, INT32_MAX, [&](const Statement& row) {
                    if (!row.IsNull(0)) {
                      found.first_hour = static_cast<std::int32_t>(row.Int(0));
                    }
                  }));
  Result<std::vector<ForgottenHours>> forgotten = ReadForgotten(db);
  RETURN_IF_ERROR(forgotten);
  found.forgotten = *std::move(forgotten);
  return found;
}

Status NoteForgotten(Database& db, std::int32_t now) {
  Result<std::vector<ForgottenHours>> all = ReadForgotten(db);
  const Result<std::int64_t> newest = db.QueryInt("SELECT coalesce(max(hour), 0) FROM ledger WHERE outcome = 0");
  RETURN_IF_ERROR(all);
  RETURN_IF_ERROR(newest);
  // A clock that was wrong may have counted later hours.
  const auto first = std::min(static_cast<std::int32_t>(*newest), now);
  all->push_back({first, std::max(static_cast<std::int32_t>(*newest), now)});
  if (all->size() > kMaxForgotten) {
    all->erase(all->begin());
  }
  std::string text;
  for (const ForgottenHours& each : *all) {
    text += (text.empty() ? "" : " ") + std::to_string(each.first) + "-" + std::to_string(each.last);
  }
  Result<Statement> write = db.Prepare("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)");
  RETURN_IF_ERROR(write);
  return write->Bind(kForgotten, std::string_view(text)).Run();
}

}  // namespace packhorse::queue
