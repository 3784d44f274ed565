#pragma once

#include <cstdint>

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/state/checkpoint_work.h"
#include "queue/values/given_up.h"

namespace packhorse::queue {

// The table `given_up`. One thread at a time.

// From columns in the order of kGivenUpColumns.
extern const char* const kGivenUpColumns;
GivenUpRange GivenUpFromRow(const Statement& row);
// Within the transaction that is open.
Status WriteGivenUp(Database& db, const Changes& changes);
// Keeps the newest `rows`.
Status BoundGivenUp(Database& db, std::uint32_t rows);

}  // namespace packhorse::queue
