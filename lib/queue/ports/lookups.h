#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "queue/values/ledger.h"
#include "queue/values/trace.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// What people look up: what was refused or quarantined, and what became of a message. Thread: the loop.
class LookupPort {
 public:
  virtual ~LookupPort() = default;

  // kUpToDate waits until what has happened so far is in the database, which takes a synced write: not for a thread
  // that must not wait. kAsStored reads what is there: after Queue::Checkpoint(), all that happened before it.
  enum class Reading : std::uint8_t { kUpToDate, kAsStored };
  // Returns dead letters in the order of their ids.
  virtual Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id, Reading reading) = 0;
  Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id) {
    return DeadLetters(limit, after_id, Reading::kUpToDate);
  }
  // kNotFound: no dead letter has this id.
  virtual Result<DeadLetter> FindDeadLetter(std::int64_t id) = 0;
  virtual Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after, Reading reading) = 0;
  Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after) {
    return Quarantined(limit, after, Reading::kUpToDate);
  }
  // Returns what is quarantined for one destination, behind `after`; with `waiting`, only what waits for a definition
  // that decodes it (WaitsForDefinition).
  virtual Result<std::vector<QuarantinedMessage>> QuarantinedFor(const std::string& destination, bool waiting,
                                                                 Slot after, std::size_t limit) = 0;
  // Returns what a destination has taken, by stream and hour of [first, end), as it is in the database: after
  // Queue::Checkpoint(), all that was settled before it. kLimitExceeded: more than `limit` hours of streams.
  virtual Result<DeliveredHours> DeliveredByHour(const std::string& destination, std::int32_t first, std::int32_t end,
                                                 std::size_t limit) = 0;
  // Returns the streams and hours of which records are in prepared batches for the destination: it may have them.
  virtual std::set<StreamHour> HoursInBatches(const std::string& destination) = 0;
  // Returns what became of a message, per destination; of one of its records where `record` says which.
  virtual Result<MessageTrace> Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record,
                                     Reading reading) = 0;
  Result<MessageTrace> Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record) {
    return Trace(lane, sequence, record, Reading::kUpToDate);
  }
};

}  // namespace packhorse::queue
