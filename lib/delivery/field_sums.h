#pragma once

#include <string>
#include <vector>

#include "delivery/batch_builder.h"
#include "queue/values/values.h"

namespace packhorse::delivery {

// What measurements of delivered records add up to, for the ledger of a destination whose cloud is asked for such sums
// (contracts.md, `reconcile`). Loop thread.

// Of the records of the batch that this settlement says are delivered, by stream, hour and measurement. The messages
// are decoded again for it. A record without that measurement, or with one that is no number, adds nothing and counts;
// one with a number of 10^18 or more, or of a message that cannot be decoded as it was, does not count: the sum of its
// hour is not compared then. So it is with dead letters that are sent again: their payload may have been mended.
std::vector<queue::FieldSum> FieldSumsOf(const queue::PreparedBatch& batch, const queue::Settlement& settlement,
                                         const std::vector<std::string>& measurements, const BatchBuilder& builder);

}  // namespace packhorse::delivery
