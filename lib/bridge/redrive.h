#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bridge/destinations.h"

namespace packhorse::bridge {

// Which dead letters to take back: these, or all of one destination, or all there are.
struct RedriveSelection {
  std::vector<std::int64_t> ids;
  std::string destination;
  bool all = false;
  // Of one dead letter alone, instead of its own. It goes out under the same record id; if it is refused again, the
  // dead letter is there again with the payload that came from the device.
  std::optional<std::string> payload;
};

struct RedriveReport {
  std::uint64_t letters = 0;          // taken back into delivery
  std::vector<std::string> failures;  // one line each, bounded
  bool remaining = false;             // more than one call takes; ask again
};

// Takes dead letters back into delivery, piece by piece, so that the loop goes on in between; at most 10,000 in one
// call. `done` runs on the loop, perhaps before this returns. Loop thread.
void RedriveDeadLetters(queue::Queue& queue, Destinations& destinations, const RedriveSelection& selection,
                        std::function<void(Result<RedriveReport>)> done);

}  // namespace packhorse::bridge
