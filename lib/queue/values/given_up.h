#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// A stretch of a lane that was given up for a destination: expired, or dropped because of a limit. The queue keeps a
// bounded log of such stretches, so that `where` can say of a message that is gone what became of it.
struct GivenUpRange {
  std::string destination;  // only of those that are read back
  Sequence first = 0;
  Sequence last = 0;
  std::uint64_t messages = 0;
  Outcome outcome = Outcome::kDropped;  // or kExpired
  std::string reason;                   // as in the ledger: "max_bytes"
  WallTime from_at{};                   // when the first of them was given up
  WallTime until_at{};                  // and the last
  // Every number of it was given up.
  bool whole() const { return messages == last - first + 1; }
};

// What is given up one piece after the other is one stretch in the log, as long as it is of one hour.
inline constexpr auto kGivenUpSpan = std::chrono::hours(1);
bool Continues(const GivenUpRange& range, const GivenUpRange& next);
void Extend(GivenUpRange& range, const GivenUpRange& next);
// At the end of `log`, which is ascending in time.
void LogGivenUp(std::vector<GivenUpRange>& log, GivenUpRange next);

}  // namespace packhorse::queue
