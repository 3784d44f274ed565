#pragma once

#include "base/result.h"
#include "queue/boots.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// The table `boots`. One thread at a time.

Result<Boots> ReadBoots(Database& db);
// Within the transaction that is open.
Status WriteBoots(Database& db, const BootChanges& changes);

}  // namespace packhorse::queue
