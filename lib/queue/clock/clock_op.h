#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// What this boot's stamps are worth is decided, for some of its messages or for all that are left (boots.h).
struct ClockOp {
  struct Learnt {
    WallTime wall_at_boot{};        // what the clock, now right, would have shown when the machine started
    std::chrono::nanoseconds at{};  // boot-time clock: stamps taken until then are corrected
  };
  std::int64_t boot = 0;
  Lane lane = Lane::kNormal;
  Sequence as_stamped = 0;  // the lane's messages up to here keep their stamps; 0: none
  std::optional<Learnt> learnt;
};

}  // namespace packhorse::queue
