#pragma once

#include "base/result.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// Makes one row of hour 0 of the ledger's hours before the newest 840 (35 days): sums stay exact, the table stays
// bounded. Counted in hours in which something happened, so that no clock is needed for it. To be called now and then,
// within the transaction that is open: each call takes a bounded number of hours.
Status CompactLedger(Database& db);

}  // namespace packhorse::queue
