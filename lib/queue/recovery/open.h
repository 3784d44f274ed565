#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "queue/checkpoint/checkpoint_writer.h"
#include "queue/journal/journal.h"
#include "queue/recovery/lock_file.h"
#include "queue/recovery/reserve_file.h"
#include "queue/recovery/witness.h"
#include "queue/state/queue_state.h"
#include "queue/tables/reader.h"
#include "queue/values/options.h"
#include "queue/values/queue_ids.h"
#include "queue/values/start_report.h"

namespace packhorse::queue {

// Everything that a queue is made of, as found on the disk and in the journal.
struct Opened {
  std::optional<LockFile> lock;
  std::optional<LockFile> runtime_lock;
  std::unique_ptr<WitnessKeeper> witness;
  QueueIds ids;
  std::unique_ptr<QueueState> state;
  Reader reader;
  CheckpointWriter writer;
  std::optional<Journal> journal;
  LogPosition position = 0;
  std::uint64_t epoch = 0;  // of the journal from here on
  StartReport report;
  std::optional<ReserveFile> reserve_file;
};

// What the database says of itself under this key; kCorrupt when it has none.
Result<std::string> MetaText(Database& db, const char* key);
Result<std::uint64_t> MetaNumber(Database& db, const char* key);
// Fills an empty queue state with the state that the database is at. Reads only.
Status LoadQueueState(Database& db, Reader& reader, QueueState& state);

// A damaged database is salvaged first (sqlite/salvage.h): kCorrupt only if that did not help.
Result<Opened> OpenQueue(const Options& options, const Clock& clock);

}  // namespace packhorse::queue
