#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

#include "base/result.h"
#include "queue/ledger/ledger.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// What of the ledger can be compared with what a destination says that it has.

// Of the hours of [first, end). kLimitExceeded: more than `limit` rows. One statement each: not of one commit.
Result<DeliveredHours> ReadDeliveredHours(Database& db, DestinationId destination, std::int32_t first, std::int32_t end,
                                          std::size_t limit);

// Adds to the sums of delivered records, within a transaction. A sum without room stays as it is.
Status AddDeliveredSums(Database& db, const std::map<SumKey, DeliveredSum>& sums);

// Notes that counts may be missing of what came since the last message that the ledger knows, up to the hour `now`.
// The newest notes stay.
Status NoteForgotten(Database& db, std::int32_t now);

}  // namespace packhorse::queue
