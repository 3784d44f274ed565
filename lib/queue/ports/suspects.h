#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "queue/values/suspect.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// The suspects of the queue: records that their destination refuses while it takes others.
//
// Thread: the loop. Callbacks run in Queue::Poll().
class SuspectPort {
 public:
  virtual ~SuspectPort() = default;

  // Returns the suspects of a destination, oldest first; those of all where it is empty.
  virtual Result<std::vector<Suspect>> Suspects(const std::string& destination, std::size_t limit,
                                                std::int64_t after_id) = 0;
  // kNotFound: no suspect has this id.
  virtual Result<Suspect> FindSuspect(std::int64_t id) = 0;
  // Counts the suspects of a destination, with those that are in a batch now. Cheap.
  virtual std::uint64_t SuspectCount(const std::string& destination) = 0;
  // Sends a suspect again as `batch`, rendered by the caller from it alone; where the suspect has kept a batch, as that
  // one byte for byte (null). It stays a suspect until that batch settles: then it goes, becomes a dead letter, or is
  // set aside again. kNotFound: no suspect has this id, or it is in a batch already.
  virtual void RetrySuspect(std::int64_t id, std::unique_ptr<PreparedBatch> batch,
                            std::function<void(Result<BatchId>)> done) = 0;
  // Gives a suspect up on request: it ends as rejected and does not become a dead letter. kNotFound as above.
  virtual void DropSuspect(std::int64_t id, std::function<void(const Status&)> done) = 0;
};

}  // namespace packhorse::queue
