#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// What the limits of a queue have cost. Plain values.

// The ledger's reasons for what a limit costs.
inline constexpr std::string_view kMaxAge = "max_age";
inline constexpr std::string_view kMaxBytes = "max_bytes";
inline constexpr std::string_view kMaxRecords = "max_records";

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

// Messages of a destination that reach max_age soon, or have: to be told before they are given up.
struct ExpireSoon {
  std::string destination;
  std::chrono::microseconds age{};  // of its oldest message, measured
  std::chrono::microseconds in{};   // until the first may go, at the earliest
  bool by_running_time = false;     // the clock is not synchronised: only the time that the machine ran counts
};

struct LimitReport {
  std::vector<GivenUp> given_up;        // since the last call
  std::vector<ExpireSoon> expire_soon;  // as of now
  std::optional<Error> problem;         // why not everything could be looked at; the next call tries again
};

}  // namespace packhorse::queue
