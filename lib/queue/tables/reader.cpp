#include "queue/tables/reader.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "queue/segment/message_codec.h"
#include "queue/tables/all_tables.h"
#include "queue/tables/rows.h"
#include "queue/tables/suspect_table.h"

namespace packhorse::queue {
namespace {

constexpr const char* kDeadColumns =
    "SELECT dead.id, destinations.name, lane, sequence, record, total_records, coalesce(streams.name, ''), died_at, "
    "reason,"
    " detail, provider_request_id, http_status, batch_key, message FROM dead"
    " LEFT JOIN destinations ON destinations.id = dead.destination LEFT JOIN streams ON streams.id = dead.stream";

Result<DeadLetter> LetterFromRow(const Statement& row) {
  DeadLetter letter;
  letter.id = row.Int(0);
  letter.destination = row.Text(1);
  letter.lane = static_cast<Lane>(row.Int(2));
  letter.sequence = static_cast<Sequence>(row.Int(3));
  letter.record = static_cast<std::uint32_t>(row.Int(4));
  letter.total_records = static_cast<std::uint32_t>(row.Int(5));
  letter.stream = row.Text(6);
  letter.died_at = FromMicros(row.Int(7));
  letter.reason = row.Text(8);
  letter.detail = row.Text(9);
  letter.provider_request_id = row.Text(10);
  letter.http_status = static_cast<int>(row.Int(11));
  letter.batch_key = row.Text(12);
  Result<StoredMessage> stored = DecodeMessage(row.Blob(13), letter.sequence);
  RETURN_IF_ERROR(stored);
  letter.message = std::move(stored->message);
  return letter;
}

constexpr const char* kQuarantineColumns =
    "SELECT lane, sequence, coalesce(streams.name, ''), at, reason, detail, message FROM quarantine"
    " LEFT JOIN streams ON streams.id = quarantine.stream";

Result<QuarantinedMessage> QuarantinedFromRow(const Statement& row) {
  QuarantinedMessage message;
  message.lane = static_cast<Lane>(row.Int(0));
  message.sequence = static_cast<Sequence>(row.Int(1));
  message.stream = row.Text(2);
  message.at = FromMicros(row.Int(3));
  message.reason = row.Text(4);
  message.detail = row.Text(5);
  Result<StoredMessage> stored = DecodeMessage(row.Blob(6), message.sequence);
  RETURN_IF_ERROR(stored);
  message.message = std::move(stored->message);
  return message;
}

// Reads all rows of a prepared, bound statement through `convert`.
template <typename T, typename Convert>
Result<std::vector<T>> Collect(Statement& statement, Convert convert) {
  std::vector<T> rows;
  while (true) {
    const Result<bool> more = statement.Step();
    RETURN_IF_ERROR(more);
    if (!*more) {
      return rows;
    }
    Result<T> row = convert(statement);
    RETURN_IF_ERROR(row);
    rows.push_back(*std::move(row));
  }
}

}  // namespace

Result<Reader> Reader::Open(const std::string& path) {
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  RETURN_IF_ERROR(db);
  RETURN_IF_ERROR(db->Execute("PRAGMA cache_size = -1000; PRAGMA query_only = 1"));
  return Reader(*std::move(db));
}

Result<const std::string*> Reader::Open(std::int64_t key, std::string_view blob) {
  if (key != opened_) {
    opened_ = -1;
    Result<std::string> plain = OpenSegment(blob);
    RETURN_IF_ERROR(plain);
    plain_ = *std::move(plain);
    mark_ = {};
    opened_ = key;
  }
  return &plain_;
}

Status Reader::VisitSegments(Lane lane, Sequence from, const Visit& visit) {
  // The segment that holds `from` may start before it.
  Result<Statement> rows = db_.Prepare(
      "SELECT id, last_sequence, blob FROM segments WHERE id BETWEEN"
      " coalesce((SELECT max(id) FROM segments WHERE id BETWEEN ?1 AND ?2), ?2) AND ?3 AND last_sequence >= ?4"
      " ORDER BY id");
  RETURN_IF_ERROR(rows);
  rows->Bind(SegmentKey(lane, 0), SegmentKey(lane, from), SegmentKey(lane, kMaxSequence), from);
  while (true) {
    const Result<bool> more = rows->Step();
    RETURN_IF_ERROR(more);
    if (!*more) {
      return {};
    }
    const Sequence first = SegmentFirst(rows->Int(0));
    const Result<const std::string*> plain = Open(rows->Int(0), rows->Blob(2));
    if (!plain) {
      return plain.error().With("segment " + std::to_string(first) + " of lane " + std::string(Name(lane)));
    }
    const Result<bool> go_on = visit(first, static_cast<Sequence>(rows->Int(1)), **plain);
    RETURN_IF_ERROR(go_on);
    if (!*go_on) {
      return {};
    }
  }
}

Result<std::vector<Reader::SegmentSize>> Reader::Segments(Lane lane, Sequence from, std::size_t limit) {
  Result<Statement> rows = db_.Prepare(
      "SELECT id, last_sequence, length(blob) FROM segments WHERE id BETWEEN"
      " coalesce((SELECT max(id) FROM segments WHERE id BETWEEN ?1 AND ?2), ?2) AND ?3 AND last_sequence >= ?4"
      " ORDER BY id LIMIT ?5");
  RETURN_IF_ERROR(rows);
  rows->Bind(SegmentKey(lane, 0), SegmentKey(lane, from), SegmentKey(lane, kMaxSequence), from, limit);
  return Collect<SegmentSize>(*rows, [](const Statement& row) -> Result<SegmentSize> {
    return SegmentSize{SegmentFirst(row.Int(0)), static_cast<Sequence>(row.Int(1)),
                       static_cast<std::uint64_t>(row.Int(2))};
  });
}

Result<std::uint64_t> Reader::BytesInUse() {
  const Result<std::int64_t> pages = db_.QueryInt("PRAGMA page_count");
  const Result<std::int64_t> unused = db_.QueryInt("PRAGMA freelist_count");
  const Result<std::int64_t> page_bytes = db_.QueryInt("PRAGMA page_size");
  for (const auto* number : {&pages, &unused, &page_bytes}) {
    if (!*number) {
      return number->error();
    }
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(*pages - *unused, 0) * *page_bytes);
}

Result<StoredMessage> Reader::Message(Lane lane, Sequence sequence) {
  std::optional<StoredMessage> found;
  Status visited =
      VisitSegments(lane, sequence, [&](Sequence first, Sequence, const std::string& plain) -> Result<bool> {
        SegmentReader reader(plain, first);
        while (!reader.AtEnd()) {
          const Result<SegmentReader::Head> head = reader.Next();
          RETURN_IF_ERROR(head);
          if (head->sequence == sequence) {
            found = StoredMessage{sequence, reader.Take()};
          }
        }
        return false;
      });
  RETURN_IF_ERROR(visited);
  if (found) {
    return *std::move(found);
  }
  Result<Statement> kept = db_.Prepare(SelectKeptMessages("message", "lane = ?1 AND sequence = ?2") + " LIMIT 1");
  RETURN_IF_ERROR(kept);
  const Result<bool> row = kept->Bind(static_cast<int>(lane), sequence).Step();
  RETURN_IF_ERROR(row);
  if (!*row) {
    return Error{ErrorCode::kNotFound, "message " + std::to_string(sequence) + " is no longer stored"};
  }
  return DecodeMessage(kept->Blob(0), sequence);
}

Result<SuspectContent> Reader::Suspect(const DeadKey& key) { return ReadSuspect(db_, key); }

Result<Sequence> Reader::LastSegment(Lane lane, Sequence through) {
  Result<Statement> last = db_.Prepare("SELECT max(id) FROM segments WHERE id BETWEEN ? AND ?");
  RETURN_IF_ERROR(last);
  const Result<bool> row = last->Bind(SegmentKey(lane, 0), SegmentKey(lane, through)).Step();
  RETURN_IF_ERROR(row);
  return last->IsNull(0) ? Sequence{0} : SegmentFirst(last->Int(0));
}

Result<SegmentTotals> Reader::Retained(const std::vector<NeededSpan>& needed) {
  Result<Statement> rows = db_.Prepare(
      "SELECT id, last_sequence, messages, length(blob) FROM segments WHERE id IN (SELECT id FROM retained)");
  RETURN_IF_ERROR(rows);
  SegmentTotals held;
  Status read = rows->ForEach([&] {
    const auto lane = SegmentLane(rows->Int(0));
    const bool is_needed = std::any_of(needed.begin(), needed.end(), [&](const NeededSpan& span) {
      return span.Overlaps(lane, SegmentFirst(rows->Int(0)), static_cast<Sequence>(rows->Int(1)));
    });
    held.segments += is_needed ? 0 : 1;
    held.messages += is_needed ? 0 : rows->Int(2);
    held.payload_bytes += is_needed ? 0 : rows->Int(3);
  });
  return read ? Result<SegmentTotals>(held) : read.error();
}

Result<std::set<Sequence>> Reader::Ended(DestinationId destination, Lane lane, Sequence from, Sequence through) {
  Result<Statement> rows = db_.Prepare(
      "SELECT sequence FROM dead WHERE destination = ?1 AND lane = ?2 AND sequence BETWEEN ?3 AND ?4"
      " UNION ALL SELECT sequence FROM quarantined_for WHERE lane = ?2 AND sequence BETWEEN ?3 AND ?4"
      " AND destination = ?1");
  RETURN_IF_ERROR(rows);
  rows->Bind(destination, Number(lane), from, through);
  std::set<Sequence> ended;
  Status read = rows->ForEach([&] { ended.insert(static_cast<Sequence>(rows->Int(0))); });
  return read ? Result<std::set<Sequence>>(std::move(ended)) : read.error();
}

Result<std::vector<std::uint32_t>> Reader::DeadRecords(DestinationId destination, Lane lane, Sequence sequence) {
  Result<Statement> rows =
      db_.Prepare("SELECT record FROM dead WHERE destination = ? AND lane = ? AND sequence = ? AND replaying = 0");
  RETURN_IF_ERROR(rows);
  rows->Bind(destination, static_cast<int>(lane), sequence);
  std::vector<std::uint32_t> records;
  RETURN_IF_ERROR(rows->ForEach([&] { records.push_back(static_cast<std::uint32_t>(rows->Int(0))); }));
  return records;
}

Result<DeadKey> Reader::FindDeadKey(std::int64_t id) {
  Result<Statement> rows =
      db_.Prepare("SELECT lane, sequence, destination, record FROM dead WHERE id = ? AND replaying = 0");
  RETURN_IF_ERROR(rows);
  const Result<bool> row = rows->Bind(id).Step();
  RETURN_IF_ERROR(row);
  if (!*row) {
    return Error{ErrorCode::kNotFound, "dead letter " + std::to_string(id) + " does not exist or is being replayed"};
  }
  return DeadKey{static_cast<Lane>(rows->Int(0)), static_cast<Sequence>(rows->Int(1)), rows->Int(2),
                 static_cast<std::uint32_t>(rows->Int(3))};
}

Result<std::vector<DeadLetter>> Reader::DeadLetters(std::size_t limit, std::int64_t after_id) {
  Result<Statement> rows =
      db_.Prepare(std::string(kDeadColumns) + " WHERE dead.id > ? AND replaying = 0 ORDER BY dead.id LIMIT ?");
  RETURN_IF_ERROR(rows);
  rows->Bind(after_id, limit);
  return Collect<DeadLetter>(*rows, LetterFromRow);
}

Result<DeadLetter> Reader::FindDeadLetter(std::int64_t id) {
  Result<Statement> rows = db_.Prepare(std::string(kDeadColumns) + " WHERE dead.id = ?");
  RETURN_IF_ERROR(rows);
  rows->Bind(id);
  Result<std::vector<DeadLetter>> letters = Collect<DeadLetter>(*rows, LetterFromRow);
  RETURN_IF_ERROR(letters);
  if (letters->empty()) {
    return Error{ErrorCode::kNotFound, "no dead letter " + std::to_string(id)};
  }
  return std::move(letters->front());
}

Result<std::vector<DeadLetter>> Reader::DeadLettersAt(Lane lane, Sequence sequence) {
  // Naming the destinations lets SQLite use the key, which begins with them.
  Result<Statement> rows =
      db_.Prepare(std::string(kDeadColumns) +
                  " WHERE dead.destination IN (SELECT id FROM destinations) AND lane = ? AND sequence = ?"
                  " AND replaying = 0 ORDER BY dead.id");
  RETURN_IF_ERROR(rows);
  rows->Bind(Number(lane), sequence);
  return Collect<DeadLetter>(*rows, LetterFromRow);
}

Result<std::vector<QuarantinedMessage>> Reader::Quarantined(std::size_t limit, Sequence after) {
  Result<Statement> rows =
      db_.Prepare(std::string(kQuarantineColumns) + " WHERE sequence > ? ORDER BY sequence, lane LIMIT ?");
  RETURN_IF_ERROR(rows);
  rows->Bind(after, limit);
  return Collect<QuarantinedMessage>(*rows, QuarantinedFromRow);
}

Result<std::vector<QuarantinedMessage>> Reader::QuarantinedAt(Lane lane, Sequence sequence) {
  Result<Statement> rows = db_.Prepare(std::string(kQuarantineColumns) + " WHERE lane = ? AND sequence = ?");
  RETURN_IF_ERROR(rows);
  rows->Bind(Number(lane), sequence);
  return Collect<QuarantinedMessage>(*rows, QuarantinedFromRow);
}

Result<std::vector<QuarantinedMessage>> Reader::QuarantinedFor(DestinationId destination, bool waiting, Slot after,
                                                               std::size_t limit) {
  Result<Statement> rows = db_.Prepare(
      "SELECT f.lane, f.sequence, coalesce(streams.name, ''), at, f.reason, detail, message FROM quarantined_for AS f"
      " JOIN quarantine AS q ON q.lane = f.lane AND q.sequence = f.sequence"
      " LEFT JOIN streams ON streams.id = q.stream"
      " WHERE f.destination = ?1 AND (f.lane, f.sequence) > (?2, ?3) AND f.retrying = 0"
      " AND (?4 = 0 OR f.reason IN (?5, ?6)) ORDER BY f.lane, f.sequence LIMIT ?7");
  RETURN_IF_ERROR(rows);
  rows->Bind(destination, Number(after.lane), after.sequence, waiting ? 1 : 0, kUnknownStream, kUnknownContract, limit);
  return Collect<QuarantinedMessage>(*rows, QuarantinedFromRow);
}

Result<std::optional<std::string>> Reader::QuarantineReason(DestinationId destination, Lane lane, Sequence sequence) {
  Result<Statement> rows = db_.Prepare(
      "SELECT reason FROM quarantined_for WHERE lane = ? AND sequence = ? AND destination = ? AND retrying = 0");
  RETURN_IF_ERROR(rows);
  const Result<bool> row = rows->Bind(Number(lane), sequence, destination).Step();
  RETURN_IF_ERROR(row);
  return *row ? std::optional(rows->Text(0)) : std::nullopt;
}

}  // namespace packhorse::queue
