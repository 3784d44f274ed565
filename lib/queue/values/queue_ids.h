#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "queue/values/values.h"

namespace packhorse::queue {

// Under which queue id a message has its record ids: the one of the time when it arrived. The id is renewed at each
// start at which it is not proven that the queue goes on where it was (FORMAT.md, "Identity"); what was stored before
// keeps the id it may already have been sent under. Immutable; any thread.
class QueueIds {
 public:
  struct Earlier {
    std::string id;
    std::array<Sequence, kLanes> last{};  // number given under it, or under one before it, per lane
  };

  QueueIds() = default;
  // `earlier`: oldest first. There is one for each start of the machine since the oldest message that is still there.
  QueueIds(std::string current, std::vector<Earlier> earlier)
      : current_(std::move(current)), earlier_(std::move(earlier)) {}

  // Of what arrives from now on.
  const std::string& current() const { return current_; }
  const std::string& Of(Lane lane, Sequence sequence) const {
    const auto found = std::partition_point(earlier_.begin(), earlier_.end(),
                                            [&](const Earlier& each) { return each.last.at(At(lane)) < sequence; });
    return found == earlier_.end() ? current_ : found->id;
  }

 private:
  std::string current_;
  std::vector<Earlier> earlier_;
};

}  // namespace packhorse::queue
