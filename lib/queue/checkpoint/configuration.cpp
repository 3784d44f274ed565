#include "queue/checkpoint/configuration.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

namespace packhorse::queue {
namespace {

Result<std::int64_t> NameId(Database& db, const char* table, const std::string& name) {
  Result<Statement> insert = db.Prepare("INSERT OR IGNORE INTO " + std::string(table) + "(name) VALUES (?)");
  RETURN_IF_ERROR(insert);
  RETURN_IF_ERROR(insert->Bind(std::string_view(name)).Run());
  Result<Statement> query = db.Prepare("SELECT id FROM " + std::string(table) + " WHERE name = ?");
  RETURN_IF_ERROR(query);
  const Result<bool> row = query->Bind(std::string_view(name)).Step();
  RETURN_IF_ERROR(row);
  return query->Int(0);
}

// Whether the destination never had a stream. That it is known by name is not enough: a change that was refused may
// have left the name.
Result<bool> IsNew(Database& db, DestinationId destination) {
  Result<Statement> row = db.Prepare("SELECT 1 FROM subscriptions WHERE destination = ? LIMIT 1");
  RETURN_IF_ERROR(row);
  const Result<bool> found = row->Bind(destination).Step();
  RETURN_IF_ERROR(found);
  return !*found;
}

using Key = std::tuple<std::int64_t, std::int64_t, int>;  // destination, stream, lane

Result<std::set<Key>> OpenSubscriptions(Database& db) {
  Result<Statement> rows =
      db.Prepare("SELECT destination, stream, lane FROM subscriptions WHERE through_sequence IS NULL");
  RETURN_IF_ERROR(rows);
  std::set<Key> open;
  Status read = rows->ForEach([&] { open.emplace(rows->Int(0), rows->Int(1), static_cast<int>(rows->Int(2))); });
  RETURN_IF_ERROR(read);
  return open;
}

Status UpdateSubscriptions(Database& db, const std::set<Key>& wanted, const std::array<Sequence, kLanes>& last) {
  const Result<std::set<Key>> open = OpenSubscriptions(db);
  RETURN_IF_ERROR(open);
  for (const auto& [destination, stream, lane] : *open) {
    if (wanted.contains({destination, stream, lane})) {
      continue;
    }
    Result<Statement> close = db.Prepare(
        "UPDATE subscriptions SET through_sequence = ? WHERE destination = ? AND stream = ? AND lane = ?"
        " AND through_sequence IS NULL");
    RETURN_IF_ERROR(close);
    RETURN_IF_ERROR(close->Bind(last.at(static_cast<std::size_t>(lane)), destination, stream, lane).Run());
  }
  for (const auto& [destination, stream, lane] : wanted) {
    if (open->contains({destination, stream, lane})) {
      continue;
    }
    // One that was closed and opened again without a message between continues.
    Result<Statement> add = db.Prepare(
        "INSERT INTO subscriptions(destination, stream, lane, from_sequence, through_sequence) VALUES"
        " (?, ?, ?, ?, NULL) ON CONFLICT DO UPDATE SET through_sequence = NULL");
    RETURN_IF_ERROR(add);
    RETURN_IF_ERROR(add->Bind(destination, stream, lane, last.at(static_cast<std::size_t>(lane)) + 1).Run());
  }
  return {};
}

Status UpdateRanges(Database& db, const std::set<std::int64_t>& wanted, const std::array<Sequence, kLanes>& last) {
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    Result<Statement> rows =
        db.Prepare("SELECT id, destination, from_sequence FROM pending WHERE lane = ? AND through_sequence IS NULL");
    RETURN_IF_ERROR(rows);
    rows->Bind(lane);
    std::set<std::int64_t> open;
    std::string sql;
    while (true) {
      const Result<bool> more = rows->Step();
      RETURN_IF_ERROR(more);
      if (!*more) {
        break;
      }
      if (wanted.contains(rows->Int(1))) {
        open.insert(rows->Int(1));
      } else if (static_cast<Sequence>(rows->Int(2)) > last.at(lane)) {
        sql += "DELETE FROM pending WHERE id = " + std::to_string(rows->Int(0)) + ";";
      } else {
        sql += "UPDATE pending SET through_sequence = " + std::to_string(last.at(lane)) +
               " WHERE id = " + std::to_string(rows->Int(0)) + ";";
      }
    }
    rows->Reset();
    for (const std::int64_t destination : wanted) {
      if (!open.contains(destination)) {
        sql += "INSERT INTO pending(destination, lane, from_sequence, waiting) VALUES (" + std::to_string(destination) +
               ", " + std::to_string(lane) + ", " + std::to_string(last.at(lane) + 1) + ", 0);";
      }
    }
    RETURN_IF_ERROR(db.Execute(sql));
  }
  return {};
}

template <typename Id>
Status ReadNames(Database& db, const char* sql, std::vector<std::pair<Id, std::string>>& names) {
  Result<Statement> rows = db.Prepare(sql);
  RETURN_IF_ERROR(rows);
  return rows->ForEach([&] { names.emplace_back(static_cast<Id>(rows->Int(0)), rows->Text(1)); });
}

std::optional<Sequence> Through(const Statement& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional(static_cast<Sequence>(row.Int(column)));
}

}  // namespace

Result<LedgerChanges> ApplyConfiguration(Database& db, const std::vector<StreamOptions>& streams,
                                         const std::vector<DestinationOptions>& destinations,
                                         const std::array<Sequence, kLanes>& last, StoredCount& count) {
  std::set<std::int64_t> destination_ids;
  std::set<DestinationId> from_oldest;
  for (const DestinationOptions& destination : destinations) {
    const Result<std::int64_t> id = NameId(db, "destinations", destination.name);
    RETURN_IF_ERROR(id);
    destination_ids.insert(*id);
    const Result<bool> fresh = IsNew(db, *id);
    RETURN_IF_ERROR(fresh);
    if (*fresh && destination.start == StartAt::kOldest) {
      from_oldest.insert(*id);
    }
  }
  std::set<Key> wanted;
  for (const StreamOptions& stream : streams) {
    const Result<std::int64_t> stream_id = NameId(db, "streams", stream.name);
    RETURN_IF_ERROR(stream_id);
    for (const std::string& destination : stream.destinations) {
      const Result<std::int64_t> id = NameId(db, "destinations", destination);
      RETURN_IF_ERROR(id);
      destination_ids.insert(*id);
      wanted.emplace(*id, *stream_id, static_cast<int>(stream.lane));
      if (stream.moves_to_bulk) {
        wanted.emplace(*id, *stream_id, static_cast<int>(Lane::kBulk));
      }
    }
  }
  RETURN_IF_ERROR(UpdateSubscriptions(db, wanted, last));
  RETURN_IF_ERROR(UpdateRanges(db, destination_ids, last));
  // One that gets no stream yet stays new.
  std::erase_if(from_oldest, [&](DestinationId id) {
    return std::none_of(wanted.begin(), wanted.end(), [&](const Key& key) { return std::get<0>(key) == id; });
  });
  return CatchUp(db, from_oldest, last, count);
}

void SetRetention(const std::vector<StreamOptions>& streams, QueueState& state) {
  for (const StreamOptions& stream : streams) {
    if (const std::optional<StreamId> id = state.FindStream(stream.name)) {
      state.retained().Set(*id, stream.retain_delivered);
    }
  }
}

Result<StoredConfiguration> ReadConfiguration(Database& db) {
  StoredConfiguration stored;
  RETURN_IF_ERROR(ReadNames(db, "SELECT id, name FROM streams", stored.streams));
  RETURN_IF_ERROR(ReadNames(db, "SELECT id, name FROM destinations", stored.destinations));
  Result<Statement> subscriptions =
      db.Prepare("SELECT destination, stream, lane, from_sequence, through_sequence FROM subscriptions");
  RETURN_IF_ERROR(subscriptions);
  const Status subscribed = subscriptions->ForEach([&] {
    stored.subscriptions.push_back(Subscription{
        subscriptions->Int(0), static_cast<StreamId>(subscriptions->Int(1)), static_cast<Lane>(subscriptions->Int(2)),
        static_cast<Sequence>(subscriptions->Int(3)), Through(*subscriptions, 4)});
  });
  RETURN_IF_ERROR(subscribed);
  Result<Statement> ranges = db.Prepare(
      "SELECT id, destination, lane, from_sequence, through_sequence, coalesce(waiting, 0) FROM pending"
      " ORDER BY from_sequence");
  RETURN_IF_ERROR(ranges);
  const Status ranged = ranges->ForEach([&] {
    stored.ranges.push_back({ranges->Int(1), static_cast<Lane>(ranges->Int(2)),
                             PendingRange{ranges->Int(0), static_cast<Sequence>(ranges->Int(3)), Through(*ranges, 4),
                                          static_cast<std::uint64_t>(ranges->Int(5))}});
  });
  RETURN_IF_ERROR(ranged);
  return stored;
}

void Install(const StoredConfiguration& stored, const std::vector<StreamOptions>& streams, QueueState& state) {
  state.ClearConfiguration();
  for (const auto& [id, name] : stored.streams) {
    state.AddStream(id, name);
  }
  for (const auto& [id, name] : stored.destinations) {
    state.AddDestination(id, name);
  }
  for (const StreamOptions& stream : streams) {
    if (const std::optional<StreamId> id = state.FindStream(stream.name)) {
      state.SetLane(*id, stream.lane);
    }
  }
  SetRetention(streams, state);
  for (const Subscription& subscription : stored.subscriptions) {
    state.AddSubscription(subscription);
  }
  for (const RangeOfDestination& range : stored.ranges) {
    state.AddRange(range.destination, range.lane, range.range);
  }
}

}  // namespace packhorse::queue
