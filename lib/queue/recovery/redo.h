#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "queue/recovery/claimed_files.h"
#include "queue/recovery/identity.h"
#include "queue/recovery/open.h"

namespace packhorse::queue {

// What is known of the queue beside what its database says.
struct FoundFiles {
  ClaimedFiles& claimed;
  bool fresh = false;     // there was no database, or an empty one
  bool log_lost = false;  // its write-ahead log was missing or had no header
};

// From the state of the database to the present: what only the journal had is applied and checkpointed, under the id
// that the queue goes on with, and a journal is made for what follows. REQUIRES: the queue state holds the state of the
// database.
Status RedoJournal(Opened& opened, const Meta& meta, const FoundFiles& around, const Options& options,
                   const Clock& clock);

}  // namespace packhorse::queue
