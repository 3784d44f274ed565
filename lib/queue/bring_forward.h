#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "queue/identity.h"
#include "queue/open.h"
#include "queue/outside.h"

namespace packhorse::queue {

// What is known of the queue beside what its database says.
struct FoundAround {
  Outside& outside;
  bool fresh = false;     // there was no database, or an empty one
  bool log_lost = false;  // its write-ahead log was missing or had no header
};

// From the state of the database to the present: what only the journal had is applied and folded, under the id that the
// queue goes on with, and a journal is made for what follows. REQUIRES: the index holds the state of the database.
Status BringForward(Opened& opened, const Meta& meta, const FoundAround& around, const Options& options,
                    const Clock& clock);

}  // namespace packhorse::queue
