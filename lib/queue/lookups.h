#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "queue/values.h"
#include "queue/where.h"

namespace packhorse::queue {

// The part of a queue that looks things up for people: what was refused, set aside or quarantined, and what became of a
// message. Loop thread.
class Lookups {
 public:
  virtual ~Lookups() = default;

  // kUpToDate waits until what has happened so far is in the database, which takes a synced write: not for a thread
  // that must not wait. kAsStored reads what is there: after Fold(), all that happened before it.
  enum class Reading : std::uint8_t { kUpToDate, kAsStored };
  virtual Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id, Reading reading) = 0;
  Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id) {
    return DeadLetters(limit, after_id, Reading::kUpToDate);
  }
  virtual Result<DeadLetter> FindDeadLetter(std::int64_t id) = 0;
  // Records that are set aside for a destination, oldest first; all of them where it is empty.
  virtual Result<std::vector<Suspect>> Suspects(const std::string& destination, std::size_t limit,
                                                std::int64_t after_id) = 0;
  // kNotFound: none has this id.
  virtual Result<Suspect> FindSuspect(std::int64_t id) = 0;
  // How many there are, with those that are in a batch now; cheap.
  virtual std::uint64_t SuspectCount(const std::string& destination) = 0;
  virtual Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after, Reading reading) = 0;
  Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after) {
    return Quarantined(limit, after, Reading::kUpToDate);
  }
  // Of one destination, behind `after`; `waiting`: only those that wait for what decodes them (WaitsForDefinition).
  virtual Result<std::vector<QuarantinedMessage>> QuarantinedFor(const std::string& destination, bool waiting,
                                                                 Slot after, std::size_t limit) = 0;
  // What became of a message, per destination; of one of its records where `record` says which.
  virtual Result<Whereabouts> Where(Lane lane, Sequence sequence, std::optional<std::uint32_t> record,
                                    Reading reading) = 0;
  Result<Whereabouts> Where(Lane lane, Sequence sequence, std::optional<std::uint32_t> record) {
    return Where(lane, sequence, record, Reading::kUpToDate);
  }
};

}  // namespace packhorse::queue
