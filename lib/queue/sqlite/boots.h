#pragma once

#include <string>

#include "base/result.h"
#include "queue/boots.h"
#include "queue/fold.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// The table `boots`, and what each fold notes of the last one in `meta`, whose page it changes anyhow. One thread at a
// time.

Result<Boots> ReadBoots(Database& db);
// Within the transaction that is open.
Status WriteBoots(Database& db, const BootChanges& changes);
// The value of `boot` in `meta`.
std::string EncodeEnd(const BootEnd& end);

}  // namespace packhorse::queue
