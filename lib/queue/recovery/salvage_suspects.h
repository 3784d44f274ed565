#pragma once

#include "base/result.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// Brings the records that are set aside in line with the rest of a salvaged database: none is on its way, none waits in
// a pending range besides, and what is said of a message's settled records fits what is left of the others. Within the
// transaction that is open.
Status MendSuspects(Database& db);

}  // namespace packhorse::queue
