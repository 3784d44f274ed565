#include "queue/tables/definition_table.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "queue/tables/all_tables.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

// A message may be on its way by the routes of before while the configuration changes: that many numbers behind the
// change may still have come under the definition of before.
constexpr Sequence kOnTheWay = 4'096;

// A topic holds every character but this one (MQTT 5 section 1.5.4).
constexpr char kSeparator = '\0';

std::string JoinTopics(const std::vector<std::string>& topics) {
  std::string text;
  for (const std::string& topic : topics) {
    text += topic;
    text += kSeparator;
  }
  return text;
}

std::vector<std::string> SplitTopics(std::string_view text) {
  std::vector<std::string> topics;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kSeparator), text.size());
    topics.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return topics;
}

struct Row {
  std::int64_t id = 0;
  KeptDefinition kept;
  std::array<Sequence, kLanes> from{};
};

Result<std::vector<Row>> ReadRows(Database& db) {
  Result<Statement> rows = db.Prepare(
      "SELECT id, stream, contract, topics, retained_is_state, current, from_urgent, from_normal, from_bulk,"
      " through_urgent, through_normal, through_bulk FROM stream_definitions ORDER BY stream, id DESC");
  RETURN_IF_ERROR(rows);
  std::vector<Row> found;
  Status read = rows->ForEach([&] {
    Row row;
    row.id = rows->Int(0);
    row.kept.stream = static_cast<StreamId>(rows->Int(1));
    row.kept.definition = StreamDefinition{rows->Text(2), SplitTopics(rows->Blob(3)), rows->Int(4) != 0};
    row.kept.current = rows->Int(5) != 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      row.from.at(lane) = static_cast<Sequence>(rows->Int(6 + static_cast<int>(lane)));
      row.kept.through.at(lane) = static_cast<Sequence>(rows->Int(9 + static_cast<int>(lane)));
    }
    found.push_back(std::move(row));
  });
  return read ? Result<std::vector<Row>>(std::move(found)) : read.error();
}

Status Delete(Database& db, std::int64_t id) {
  return db.Execute("DELETE FROM stream_definitions WHERE id = " + std::to_string(id));
}

// Whether a query of these parameters has a row that says so.
template <typename... Args>
Result<bool> Holds(Database& db, const std::string& sql, Args... args) {
  Result<Statement> rows = db.Prepare(sql);
  RETURN_IF_ERROR(rows);
  const Result<bool> row = rows->Bind(args...).Step();
  return row ? Result<bool>(*row && rows->Int(0) != 0) : row;
}

// Whether a message may be stored that came under the definition. A segment may hold messages of others only: then it
// stays a little longer.
Result<bool> IsNeeded(Database& db, const Row& row) {
  for (const Lane lane : kAllLanes) {
    const Sequence from = row.from.at(At(lane));
    const Sequence through = row.kept.through.at(At(lane));
    if (through < from) {
      continue;
    }
    const Result<bool> stored =
        Holds(db, "SELECT last_sequence >= ?3 FROM segments WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1",
              SegmentKey(lane, 0), SegmentKey(lane, std::min(through, kMaxSequence)), from);
    if (!stored || *stored) {
      return stored;
    }
    const std::string kept_there = "lane = ?1 AND sequence BETWEEN ?2 AND ?3 AND stream = ?4";
    const Result<bool> kept =
        Holds(db, SelectKeptMessages("1", kept_there) + " LIMIT 1", Number(lane), from, through, row.kept.stream);
    if (!kept || *kept) {
      return kept;
    }
  }
  return false;
}

Status End(Database& db, Row& row, const std::array<Sequence, kLanes>& last) {
  row.kept.current = false;
  std::transform(last.begin(), last.end(), row.kept.through.begin(), [](Sequence each) { return each + kOnTheWay; });
  const auto& [urgent, normal, bulk] = row.kept.through;
  Result<Statement> end = db.Prepare(
      "UPDATE stream_definitions SET current = 0, through_urgent = ?, through_normal = ?, through_bulk = ?"
      " WHERE id = ?");
  return end ? end->Bind(urgent, normal, bulk, row.id).Run() : Status(end.error());
}

// One that was in use before begins where it began then: its row takes the newest place.
Status Begin(Database& db, StreamId stream, const StreamDefinition& definition, std::array<Sequence, kLanes> from,
             const std::optional<Row>& again) {
  if (again) {
    from = again->from;
    RETURN_IF_ERROR(Delete(db, again->id));
  }
  const std::string topics = JoinTopics(definition.topics);
  Result<Statement> add = db.Prepare(
      "INSERT INTO stream_definitions(id, stream, contract, topics, retained_is_state, current, from_urgent,"
      " from_normal, from_bulk, through_urgent, through_normal, through_bulk)"
      " SELECT coalesce(max(id), 0) + 1, ?, ?, ?, ?, 1, ?, ?, ?, 0, 0, 0 FROM stream_definitions");
  RETURN_IF_ERROR(add);
  return add
      ->Bind(stream, std::string_view(definition.contract), Statement::AsBlob(topics),
             definition.retained_is_state ? 1 : 0, from[0], from[1], from[2])
      .Run();
}

const StreamOptions* FindStream(const std::vector<StreamOptions>& streams, const std::string& name) {
  const auto found =
      std::find_if(streams.begin(), streams.end(), [&](const StreamOptions& stream) { return stream.name == name; });
  return found == streams.end() || found->definition.contract.empty() ? nullptr : &*found;
}

// The definitions of one stream; `wanted` is null when it is no longer configured.
Status KeepOne(Database& db, StreamId stream, const StreamDefinition* wanted, std::vector<Row> rows,
               const std::array<Sequence, kLanes>& last) {
  std::optional<Row> again;
  for (Row& row : rows) {
    if (wanted != nullptr && row.kept.definition == *wanted) {
      if (row.kept.current) {
        return {};
      }
      again = row;
    } else if (row.kept.current) {
      RETURN_IF_ERROR(End(db, row, last));
    }
  }
  if (wanted == nullptr) {
    return {};
  }
  // What is stored of a stream about which nothing is known came under what is known now.
  std::array<Sequence, kLanes> from{1, 1, 1};
  if (!rows.empty()) {
    std::transform(last.begin(), last.end(), from.begin(), [](Sequence each) { return each + 1; });
  }
  return Begin(db, stream, *wanted, from, again);
}

Status Trim(Database& db) {
  const Result<std::vector<Row>> rows = ReadRows(db);
  RETURN_IF_ERROR(rows);
  StreamId stream = 0;
  std::size_t kept = 0;
  for (const Row& row : *rows) {  // of each stream, the newest first
    kept = row.kept.stream == stream ? kept : 0;
    stream = row.kept.stream;
    Result<bool> needed = row.kept.current ? Result<bool>(true) : IsNeeded(db, row);
    RETURN_IF_ERROR(needed);
    if (*needed && kept < kMaxDefinitions) {
      ++kept;
    } else if (Status gone = Delete(db, row.id); !gone) {
      return gone;
    }
  }
  return {};
}

}  // namespace

Status KeepDefinitions(Database& db, const std::vector<StreamOptions>& streams,
                       const std::array<Sequence, kLanes>& last) {
  const Result<std::vector<Row>> rows = ReadRows(db);
  RETURN_IF_ERROR(rows);
  Result<Statement> names = db.Prepare("SELECT id, name FROM streams");
  RETURN_IF_ERROR(names);
  std::vector<std::pair<StreamId, std::string>> known;
  RETURN_IF_ERROR(names->ForEach([&] { known.emplace_back(static_cast<StreamId>(names->Int(0)), names->Text(1)); }));
  for (const auto& [id, name] : known) {
    std::vector<Row> of_stream;
    std::copy_if(rows->begin(), rows->end(), std::back_inserter(of_stream),
                 [stream = id](const Row& row) { return row.kept.stream == stream; });
    const StreamOptions* stream = FindStream(streams, name);
    RETURN_IF_ERROR(KeepOne(db, id, stream == nullptr ? nullptr : &stream->definition, std::move(of_stream), last));
  }
  return Trim(db);
}

Result<std::vector<KeptDefinition>> ReadDefinitions(Database& db) {
  Result<std::vector<Row>> rows = ReadRows(db);
  RETURN_IF_ERROR(rows);
  std::vector<KeptDefinition> definitions;
  std::transform(rows->begin(), rows->end(), std::back_inserter(definitions),
                 [](Row& row) { return std::move(row.kept); });
  return definitions;
}

}  // namespace packhorse::queue
