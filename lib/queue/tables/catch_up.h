#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>

#include "base/result.h"
#include "queue/ledger/ledger.h"
#include "queue/sqlite/database.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// What the segments of the database hold, counted piece by piece: of each stream in each lane the first message, and
// how many by hour of arrival. Right as long as no segment goes; those that come meanwhile have higher numbers and are
// counted in their turn. Memory: streams times hours, never what is stored. Not thread-safe.
class StoredCount {
 public:
  struct OfStream {
    Sequence first = 0;
    std::int64_t messages = 0;
    std::map<std::int32_t, std::int64_t> by_hour;
    // The hour that was counted last, so that a message costs no look-up.
    std::int32_t hour = 0;
    std::int64_t* of_hour = nullptr;
  };

  StoredCount() = default;
  StoredCount(StoredCount&&) = default;
  StoredCount& operator=(StoredCount&&) = default;
  StoredCount(const StoredCount&) = delete;
  StoredCount& operator=(const StoredCount&) = delete;
  ~StoredCount() = default;

  // Goes on behind what is counted with about `bytes` of stored data; true: there is no more at the moment. What an
  // error leaves is worth nothing.
  Result<bool> Step(Database& db, std::uint64_t bytes);
  // Null: nothing of it is stored.
  const OfStream* Find(Lane lane, StreamId stream) const;

 private:
  struct PerLane {
    Sequence next = 0;  // first numbers below it are counted
    std::map<StreamId, OfStream> streams;
  };
  static Status CountSegment(Sequence first, std::string_view plain, PerLane& lane);

  std::array<PerLane, kLanes> lanes_;
};

// Lets destinations that are already subscribed begin at the oldest message that is stored of their streams, up to the
// number `last` in each lane: their subscriptions reach back to it, and what is stored waits for them in a range of its
// own before the open one. Answers with what that comes to in the ledger: each message received and pending. Reads
// every segment that `count` does not have yet; none for no destinations. Within a transaction.
Result<LedgerChanges> CatchUp(Database& db, const std::set<DestinationId>& destinations,
                              const std::array<Sequence, kLanes>& last, StoredCount& count);

}  // namespace packhorse::queue
