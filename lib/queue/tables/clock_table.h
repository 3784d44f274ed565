#pragma once

#include <string>

#include "base/result.h"
#include "queue/clock/clock_epochs.h"
#include "queue/sqlite/database.h"
#include "queue/state/checkpoint_work.h"

namespace packhorse::queue {

// The table `boots`, and what each checkpoint notes of the last one in `meta`, whose page it changes anyhow. One thread
// at a time.

Result<ClockEpochs> ReadClockEpochs(Database& db);
// Within the transaction that is open.
Status WriteClockEpochs(Database& db, const ClockEpochChanges& changes);
// The value of `boot` in `meta`.
std::string EncodeEnd(const ClockEpochEnd& end);

}  // namespace packhorse::queue
