// What became of one message: everything that the database says about its number.

#include "queue/values/trace.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "queue/segment/message_codec.h"
#include "queue/sqlite/transaction.h"
#include "queue/tables/given_up_table.h"
#include "queue/tables/reader.h"
#include "queue/tables/rows.h"
#include "queue/tables/suspect_table.h"

namespace packhorse::queue {
namespace {

constexpr std::size_t kShownBatches = 10;  // of the log, per destination

SettledBatch SettledFromRow(const Statement& row) {
  return SettledBatch{row.Text(1),
                      row.Text(2),
                      static_cast<Sequence>(row.Int(3)),
                      static_cast<Sequence>(row.Int(4)),
                      static_cast<std::uint64_t>(row.Int(5)),
                      static_cast<std::uint64_t>(row.Int(6)),
                      static_cast<std::uint64_t>(row.Int(7)),
                      FromMicros(row.Int(8)),
                      static_cast<int>(row.Int(9)),
                      row.Text(10),
                      static_cast<std::uint32_t>(row.Int(11)),
                      row.Int(12) != 0,
                      row.Int(13)};
}

class Search {
 public:
  Search(Database& db, Reader& reader, std::optional<std::uint32_t> record, MessageTrace& found)
      : db_(db), reader_(reader), record_(record), found_(found) {}

  Status Run() {
    if (Status numbered = ReadNumber(); !numbered || !found_.given) {
      return numbered;
    }
    for (const auto step : {&Search::ReadLog, &Search::ReadMessage, &Search::ReadLetters, &Search::ReadSuspects,
                            &Search::ReadBatches, &Search::ReadSubscriptions, &Search::ReadWaiting,
                            &Search::ReadSettled, &Search::ReadGivenUp, &Search::ReadNames}) {
      RETURN_IF_ERROR((this->*step)());
    }
    for (auto& [id, place] : places_) {
      RETURN_IF_ERROR(Judge(id, place));
      found_.places.push_back(std::move(place));
    }
    std::sort(found_.places.begin(), found_.places.end(),
              [](const Place& a, const Place& b) { return a.destination < b.destination; });
    return {};
  }

 private:
  template <typename Visit, typename... Args>
  Status Each(const char* sql, Visit visit, Args... args) {
    Result<Statement> rows = db_.Prepare(sql);
    RETURN_IF_ERROR(rows);
    rows->Bind(args...);
    return rows->ForEach([&] { visit(*rows); });
  }

  int lane() const { return Number(found_.lane); }
  Sequence sequence() const { return found_.sequence; }

  Status ReadNumber() {
    Status read = Each(
        "SELECT next_sequence FROM lanes WHERE lane = ?",
        [&](const Statement& row) { found_.last = static_cast<Sequence>(row.Int(0)) - 1; }, lane());
    found_.given = sequence() > 0 && sequence() <= found_.last;
    return read;
  }

  Status ReadLog() {
    return Each("SELECT count(*), coalesce(min(settled_at), 0) FROM settled", [&](const Statement& row) {
      found_.logged_batches = static_cast<std::uint64_t>(row.Int(0));
      found_.logged_since = FromMicros(row.Int(1));
    });
  }

  Status ReadMessage() {
    const Result<StoredMessage> stored = reader_.Message(found_.lane, sequence());
    if (stored) {
      Keep(stored->message);
    } else if (stored.error().code != ErrorCode::kNotFound) {
      return stored.error();
    }
    Result<std::vector<QuarantinedMessage>> quarantined = reader_.QuarantinedAt(found_.lane, sequence());
    RETURN_IF_ERROR(quarantined);
    found_.quarantined = *std::move(quarantined);
    if (!found_.quarantined.empty()) {
      Keep(found_.quarantined.front().message);
    }
    return Each(
        "SELECT destination FROM quarantined_for WHERE lane = ? AND sequence = ? AND retrying = 0",
        [&](const Statement& row) { quarantined_for_.insert(row.Int(0)); }, lane(), sequence());
  }

  void Keep(const RawMessage& message) {
    stream_ = message.stream;
    found_.topic = message.topic;
    found_.received_at = message.received_at;
  }

  Status ReadLetters() {
    Result<std::vector<DeadLetter>> letters = reader_.DeadLettersAt(found_.lane, sequence());
    RETURN_IF_ERROR(letters);
    std::map<std::string, DestinationId> ids;
    Status named =
        Each("SELECT name, id FROM destinations", [&](const Statement& row) { ids[row.Text(0)] = row.Int(1); });
    for (DeadLetter& letter : *letters) {
      if (!record_ || letter.record == *record_) {
        places_[ids[letter.destination]].dead.push_back(std::move(letter));
      }
    }
    return named;
  }

  Status ReadSuspects() {
    Result<std::vector<std::pair<DeadKey, Suspect>>> suspects = SuspectsAt(db_, found_.lane, sequence());
    RETURN_IF_ERROR(suspects);
    for (auto& [key, suspect] : *suspects) {
      if (!record_ || key.record == *record_) {
        stream_ = suspect.stream;
        places_[key.destination].set_aside.push_back(std::move(suspect));
      }
    }
    return {};
  }

  Status ReadBatches() {
    Status damage;
    Status read = Each(
        "SELECT destination, idempotency_key, trace_id, created_at, records, replayed, members FROM batches"
        " WHERE lane = ? AND first_sequence <= ? ORDER BY id",
        [&](const Statement& row) {
          const Result<std::vector<Member>> members = DecodeMembers(row.Blob(6));
          if (!members) {
            damage = members.error();
            return;
          }
          const auto member = std::find_if(members->begin(), members->end(), [&](const Member& each) {
            return each.sequence == sequence() &&
                   (!record_ || (*record_ >= each.first_record && *record_ < each.first_record + each.records));
          });
          if (member != members->end()) {
            stream_ = member->stream;
            places_[row.Int(0)].batches.push_back(CarryingBatch{row.Text(1), row.Text(2), FromMicros(row.Int(3)),
                                                                static_cast<std::uint32_t>(row.Int(4)),
                                                                row.Int(5) == 1});
          }
        },
        lane(), sequence());
    return read ? damage : read;
  }

  // Where its stream is known, the destinations that were to get it are known too.
  Status ReadSubscriptions() {
    if (!stream_) {
      return {};
    }
    return Each(
        "SELECT destination FROM subscriptions WHERE stream = ? AND lane = ? AND from_sequence <= ?3"
        " AND (through_sequence IS NULL OR through_sequence >= ?3)",
        [&](const Statement& row) {
          subscribed_.insert(row.Int(0));
          places_[row.Int(0)];
        },
        *stream_, lane(), sequence());
  }

  Status ReadWaiting() {
    return Each(
        "SELECT destination FROM pending WHERE lane = ? AND from_sequence <= ?2"
        " AND (through_sequence IS NULL OR through_sequence >= ?2)",
        [&](const Statement& row) {
          if (subscribed_.contains(row.Int(0))) {
            waiting_.insert(row.Int(0));
          }
        },
        lane(), sequence());
  }

  Status ReadSettled() {
    return Each(
        "SELECT destination, idempotency_key, trace_id, first_sequence, last_sequence, messages, records, dead,"
        " settled_at, http_status, provider_request_id, attempts, possible_duplicate, replay FROM settled"
        " WHERE lane = ? AND first_sequence <= ?2 AND last_sequence >= ?2 ORDER BY id DESC",
        [&](const Statement& row) {
          const DestinationId id = row.Int(0);
          if (waiting_.contains(id) || quarantined_for_.contains(id) || (stream_ && !places_.contains(id))) {
            return;  // such a batch only passed by
          }
          Place& place = places_[id];
          const SettledBatch batch = SettledFromRow(row);
          const bool known = !place.batches.empty() || !place.dead.empty() || !place.set_aside.empty();
          std::vector<SettledBatch>& log = batch.replay != 0 ? place.replayed : place.settled;
          if (log.size() < kShownBatches && (batch.whole() || !known)) {
            log.push_back(batch);
          }
        },
        lane(), sequence());
  }

  // The newest decides; a number is given up once only.
  Status ReadGivenUp() {
    const std::string sql = "SELECT " + std::string(kGivenUpColumns) +
                            " FROM given_up WHERE lane = ? AND first_sequence <= ?2 AND last_sequence >= ?2"
                            " ORDER BY id DESC";
    return Each(
        sql.c_str(),
        [&](const Statement& row) {
          const DestinationId id = row.Int(0);
          if (waiting_.contains(id) || !found_.quarantined.empty() || (stream_ && !places_.contains(id))) {
            return;
          }
          if (Place& place = places_[id]; !place.given_up) {
            place.given_up = GivenUpFromRow(row);
          }
        },
        lane(), sequence());
  }

  // Whether the destination got every stream of the lane at this number: then everything in a range was its own.
  Result<bool> WantedAll(DestinationId id) {
    std::int64_t others = 0;
    Status counted = Each(
        "SELECT count(*) FROM (SELECT stream FROM subscriptions WHERE lane = ?1 AND from_sequence <= ?2"
        " AND (through_sequence IS NULL OR through_sequence >= ?2) EXCEPT SELECT stream FROM subscriptions"
        " WHERE lane = ?1 AND from_sequence <= ?2 AND (through_sequence IS NULL OR through_sequence >= ?2)"
        " AND destination = ?3)",
        [&](const Statement& row) { others = row.Int(0); }, lane(), sequence(), id);
    return counted ? Result<bool>(others == 0) : Result<bool>(counted.error());
  }

  Status ReadNames() {
    if (stream_) {
      Status named = Each(
          "SELECT name FROM streams WHERE id = ?", [&](const Statement& row) { found_.stream = row.Text(0); },
          *stream_);
      RETURN_IF_ERROR(named);
    }
    return Each("SELECT id, name FROM destinations", [&](const Statement& row) {
      const auto place = places_.find(row.Int(0));
      if (place != places_.end()) {
        place->second.destination = row.Text(1);
      }
    });
  }

  Status Judge(DestinationId id, Place& place) {
    if (!place.set_aside.empty()) {
      place.state = PlaceState::kSetAside;
    } else if (waiting_.contains(id)) {
      place.state = PlaceState::kWaiting;
    } else if (!place.batches.empty()) {
      place.state = PlaceState::kInBatch;
    } else if (!place.dead.empty()) {
      place.state = PlaceState::kRejected;
    } else if (quarantined_for_.contains(id)) {
      place.state = PlaceState::kQuarantined;
    } else if (place.given_up && (place.settled.empty() || !place.settled.front().whole())) {
      return JudgeByGivenUp(id, place);
    } else if (!place.settled.empty()) {
      return JudgeByLog(place);
    }
    return {};
  }

  Status JudgeByGivenUp(DestinationId id, Place& place) {
    place.state = place.given_up->outcome == Outcome::kExpired ? PlaceState::kExpired : PlaceState::kDropped;
    if (place.given_up->whole() || subscribed_.contains(id)) {
      return {};
    }
    const Result<bool> all = WantedAll(id);
    RETURN_IF_ERROR(all);
    place.certain = *all;
    return {};
  }

  // The newest batch of the log decides: what it refused is a dead letter, as long as letters are kept.
  Status JudgeByLog(Place& place) {
    const SettledBatch& newest = place.settled.front();
    place.certain = newest.whole();
    std::uint64_t letters = 0;
    Status counted = newest.dead == 0
                         ? Status()
                         : Each(
                               "SELECT count(*) FROM dead WHERE batch_key = ?",
                               [&](const Statement& row) { letters = static_cast<std::uint64_t>(row.Int(0)); },
                               std::string_view(newest.idempotency_key));
    if (letters == newest.dead) {
      place.state = PlaceState::kDelivered;  // its own letter would have been found
    } else if (newest.dead == newest.records) {
      place.state = PlaceState::kRejected;
    }
    return counted;
  }

  Database& db_;
  Reader& reader_;
  const std::optional<std::uint32_t> record_;
  MessageTrace& found_;
  std::optional<StreamId> stream_;
  std::map<DestinationId, Place> places_;
  std::set<DestinationId> subscribed_;
  std::set<DestinationId> waiting_;
  std::set<DestinationId> quarantined_for_;
};

}  // namespace

std::string_view Name(PlaceState state) {
  switch (state) {
    case PlaceState::kWaiting:
      return "waiting";
    case PlaceState::kInBatch:
      return "in_batch";
    case PlaceState::kSetAside:
      return "set_aside";
    case PlaceState::kRejected:
      return "rejected";
    case PlaceState::kQuarantined:
      return "quarantined";
    case PlaceState::kDelivered:
      return "delivered";
    case PlaceState::kExpired:
      return "expired";
    case PlaceState::kDropped:
      return "dropped";
    case PlaceState::kEnded:
      break;
  }
  return "ended";
}

Result<MessageTrace> Reader::Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record) {
  // Everything below sees the same commit.
  Result<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kRead);
  RETURN_IF_ERROR(transaction);
  MessageTrace found;
  found.lane = lane;
  found.sequence = sequence;
  RETURN_IF_ERROR(Search(db_, *this, record, found).Run());
  RETURN_IF_ERROR(transaction->Commit());
  return found;
}

}  // namespace packhorse::queue
