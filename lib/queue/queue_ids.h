#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "queue/values.h"

namespace packhorse::queue {

// Under which queue id a message has its record ids: the one of the time when it arrived. The id is renewed when two
// queues might give the same numbers (FORMAT.md, "Identity"); what was stored before keeps the id it may already have
// been sent under. Immutable; any thread.
class QueueIds {
 public:
  struct Earlier {
    std::string id;
    std::array<Sequence, kLanes> last{};  // number given under it, or under one before it, per lane
  };
  static constexpr std::size_t kMaxEarlier = 16;  // that are remembered

  QueueIds() = default;
  // `earlier`: oldest first.
  QueueIds(std::string current, std::vector<Earlier> earlier)
      : current_(std::move(current)), earlier_(std::move(earlier)) {}

  // Of what arrives from now on.
  const std::string& current() const { return current_; }
  const std::string& Of(Lane lane, Sequence sequence) const {
    for (const Earlier& each : earlier_) {
      if (sequence <= each.last.at(At(lane))) {
        return each.id;
      }
    }
    return current_;
  }

 private:
  std::string current_;
  std::vector<Earlier> earlier_;
};

}  // namespace packhorse::queue
