#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "queue/sqlite/books.h"

namespace packhorse::queue {

// The moves of FORMAT.md "Life of a message" as changes within one transaction. Each either holds or fails as a whole
// (Books::Attempt); a failure with kInvalidArgument means that the caller's request contradicts what is stored.

struct RangeMove {
  std::int64_t range_id = 0;
  Sequence from = 0;       // new start
  bool exhausted = false;  // nothing is left of the range
};

Status ApplyFreeze(Books& books, DestinationId destination, const FreezeRequest& request, const RangeMove& move,
                   WallTime now);
Status ApplySettle(Books& books, const Settlement& settlement, WallTime now);
Status ApplyReplay(Books& books, DestinationId destination, const std::vector<std::int64_t>& ids,
                   const FrozenBatch& batch);

}  // namespace packhorse::queue
