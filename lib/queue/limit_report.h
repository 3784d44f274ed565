#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "queue/values.h"

namespace packhorse::queue {

// What the limits of a queue have cost. Plain values.

// Messages that ended because of a limit.
struct GivenUp {
  Outcome outcome = Outcome::kDropped;  // or kExpired
  std::string reason;                   // as in the ledger: "max_age", "max_bytes" or "max_records"
  std::string destination;
  Lane lane = Lane::kNormal;
  Sequence first = 0;  // 0: they ended on arrival and have no numbers
  Sequence last = 0;
  std::uint64_t messages = 0;
};

struct LimitReport {
  std::vector<GivenUp> given_up;  // since the last call
  std::optional<Error> problem;   // why not everything could be looked at; the next call tries again
};

}  // namespace packhorse::queue
