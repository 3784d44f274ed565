#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "queue/recovery/witness.h"
#include "queue/sqlite/database.h"
#include "queue/state/queue_state.h"
#include "queue/values/queue_ids.h"
#include "queue/values/start_report.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// Whether a queue goes on under its id, and what its witnesses say is gone (FORMAT.md, "Identity" and "Witness"). For
// the time of opening.

// What the database says of itself.
struct Meta {
  QueueIds ids;
  bool clean = false;
  LogPosition position = 0;
  std::uint64_t epoch = 0;
  std::uint64_t checkpoint = 0;
  std::string accepted;  // queue id of the witness on the disk that this database went on from
};
Result<QueueIds> LoadIds(Database& db);
Result<Meta> LoadMeta(Database& db);

// What is known outside the database.
struct Witnesses {
  std::optional<Witness> runtime;  // as the runtime folder had it
  std::optional<Witness> disk;     // as it lay beside the database
  bool reserve_file = false;       // there was a queue here, whatever became of it
};

// What was found of the queue itself.
struct Findings {
  std::string boot_id;  // of this boot
  bool fresh = false;   // there was no database, or an empty one
  bool salvaged = false;
  bool log_lost = false;  // the database was in use, and its write-ahead log is gone or has no header
  Progress now;           // with everything that the journal had
  std::size_t destinations = 1;
  std::chrono::seconds unwitnessed{0};  // what came so shortly before the end the witness on the disk may not know
};

struct Continuity {
  bool proven = false;    // the queue keeps its id
  std::string because;    // if it does not: for the operator
  bool accepted = false;  // the database is, or goes on from, the one that the witness on the disk tells of
  std::optional<Loss> loss;
};
Continuity Judge(const Meta& meta, const Witnesses& witnesses, const Findings& findings);

// Inside the transaction of the first checkpoint, once all rows are written. `id`: the new one, empty while it stays;
// then all numbers up to `last` belong to the id before. Ids that no stored message bears are forgotten.
struct NewIdentity {
  std::string id;
  std::string accepted;  // what Meta::accepted becomes
};
Status WriteIdentity(Database& db, const NewIdentity& identity, const std::array<Sequence, kLanes>& last,
                     const QueueState& state);

}  // namespace packhorse::queue
