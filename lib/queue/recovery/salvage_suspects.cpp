#include "queue/recovery/salvage_suspects.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "queue/segment/message_codec.h"
#include "queue/state/checkpoint_work.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

struct SalvagedSuspect {
  std::int64_t id = 0;
  PartialKey message;
  StreamId stream = 0;
};

Result<std::vector<SalvagedSuspect>> ReadSalvagedSuspects(Database& db) {
  Result<Statement> rows = db.Prepare("SELECT id, destination, lane, sequence, stream FROM suspects");
  RETURN_IF_ERROR(rows);
  std::vector<SalvagedSuspect> suspects;
  Status read = rows->ForEach([&] {
    suspects.push_back({rows->Int(0),
                        PartialKey{rows->Int(1), static_cast<Lane>(rows->Int(2)), static_cast<Sequence>(rows->Int(3))},
                        static_cast<StreamId>(rows->Int(4))});
  });
  return read ? Result<std::vector<SalvagedSuspect>>(std::move(suspects))
              : Result<std::vector<SalvagedSuspect>>(read.error());
}

Result<bool> InRange(Database& db, const SalvagedSuspect& suspect) {
  Result<Statement> rows = db.Prepare(
      "SELECT 1 FROM pending AS p JOIN subscriptions AS s ON s.destination = p.destination AND s.lane = p.lane"
      " WHERE p.destination = ?1 AND p.lane = ?2 AND p.from_sequence <= ?3"
      " AND (p.through_sequence IS NULL OR p.through_sequence >= ?3) AND s.stream = ?4 AND s.from_sequence <= ?3"
      " AND (s.through_sequence IS NULL OR s.through_sequence >= ?3)");
  return rows ? rows->Bind(suspect.message.destination, Number(suspect.message.lane), suspect.message.sequence,
                           suspect.stream)
                    .Step()
              : Result<bool>(rows.error());
}

Result<bool> InSegment(Database& db, Lane lane, Sequence sequence) {
  Result<Statement> rows = db.Prepare(
      "SELECT id, blob FROM segments WHERE id BETWEEN ? AND ? AND last_sequence >= ? ORDER BY id DESC LIMIT 1");
  RETURN_IF_ERROR(rows);
  const Result<bool> row = rows->Bind(SegmentKey(lane, 0), SegmentKey(lane, sequence), sequence).Step();
  if (!row || !*row) {
    return row;
  }
  const Result<std::string> plain = OpenSegment(rows->Blob(1));
  RETURN_IF_ERROR(plain);
  bool found = false;
  const auto look = [&](const SegmentReader&, const SegmentReader::Head& head) {
    found = head.sequence == sequence;
    return !found;
  };
  const Result<bool> walked = WalkSegment(*plain, SegmentFirst(rows->Int(0)), sequence - 1, sequence, look);
  return walked ? Result<bool>(found) : walked;
}

// What is pending again as a whole is not set aside besides.
Status ForgetWaiting(Database& db, const std::vector<SalvagedSuspect>& suspects) {
  for (const SalvagedSuspect& suspect : suspects) {
    const Result<bool> in_range = InRange(db, suspect);
    const Result<bool> stored =
        in_range && *in_range ? InSegment(db, suspect.message.lane, suspect.message.sequence) : in_range;
    RETURN_IF_ERROR(stored);
    if (*stored) {
      RETURN_IF_ERROR(db.Execute("DELETE FROM suspects WHERE id = " + std::to_string(suspect.id)));
    }
  }
  return {};
}

// Of a message of which nothing is left to send, no settled records are told of; of one of which only suspects are
// left, all others are settled.
Status MendPartials(Database& db) {
  std::set<PartialKey> live;
  Status read = ForEachBatch(db, BatchTable::kBatches, [&](const PreparedBatch& batch, DestinationId destination) {
    for (const Member& member : batch.members) {
      live.insert({destination, batch.lane, member.sequence});
    }
  });
  RETURN_IF_ERROR(read);
  Result<Statement> rows = db.Prepare(
      "SELECT destination, lane, sequence, total_records - count(*) FROM suspects"
      " GROUP BY destination, lane, sequence");
  Result<Statement> mend = db.Prepare(
      "INSERT OR REPLACE INTO partials(destination, lane, sequence, settled, worst) VALUES (?1, ?2, ?3, ?4,"
      " coalesce((SELECT worst FROM partials WHERE destination = ?1 AND lane = ?2 AND sequence = ?3), 0))");
  if (!rows || !mend) {
    return rows ? mend.error() : rows.error();
  }
  Status mended;
  read = rows->ForEach([&] {
    const PartialKey key{rows->Int(0), static_cast<Lane>(rows->Int(1)), static_cast<Sequence>(rows->Int(2))};
    if (live.insert(key).second && rows->Int(3) > 0 && mended) {
      mended = mend->Bind(key.destination, Number(key.lane), key.sequence, rows->Int(3)).Run();
    }
  });
  Result<Statement> partials = db.Prepare("SELECT destination, lane, sequence FROM partials");
  if (!read || !mended || !partials) {
    return !read ? read : !mended ? mended : Status(partials.error());
  }
  std::vector<PartialKey> dangling;
  read = partials->ForEach([&] {
    const PartialKey key{partials->Int(0), static_cast<Lane>(partials->Int(1)),
                         static_cast<Sequence>(partials->Int(2))};
    if (!live.contains(key)) {
      dangling.push_back(key);
    }
  });
  for (const PartialKey& key : dangling) {
    Status gone = db.Execute("DELETE FROM partials WHERE destination = " + std::to_string(key.destination) +
                             " AND lane = " + std::to_string(Number(key.lane)) +
                             " AND sequence = " + std::to_string(key.sequence));
    read = read ? gone : read;
  }
  return read;
}

}  // namespace

Status MendSuspects(Database& db) {
  // Whether a row or its batch is the newer one is not known: it goes again under a key of its own.
  Status idle = db.Execute("DELETE FROM batches WHERE replayed = " + std::to_string(kMadeOfSuspect) +
                           "; UPDATE suspects SET retrying = 0");
  RETURN_IF_ERROR(idle);
  const Result<std::vector<SalvagedSuspect>> suspects = ReadSalvagedSuspects(db);
  RETURN_IF_ERROR(suspects);
  RETURN_IF_ERROR(ForgetWaiting(db, *suspects));
  return MendPartials(db);
}

}  // namespace packhorse::queue
