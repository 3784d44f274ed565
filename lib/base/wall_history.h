#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace packhorse {

// What the wall clock has shown since the machine started, so that a time that was taken before it was set is shown by
// the clock as it goes now: "since 1970" becomes when it really was. For what a process notes and shows of itself;
// never for what is stored or sent. Not thread-safe (loop).
class WallHistory {
 public:
  // To be called about once a second.
  void Look(const Clock& clock);
  // A wall time of this process, as the clock would have shown it had it always gone as it goes now. The epoch stays:
  // it means none.
  WallTime Corrected(WallTime time) const;
  std::optional<WallTime> Corrected(const std::optional<WallTime>& time) const {
    return time ? std::optional(Corrected(*time)) : std::nullopt;
  }

 private:
  // The clock was left alone: it showed `wall_at_boot` + boot time.
  struct Period {
    WallTime wall_at_boot{};
    std::chrono::nanoseconds from{};     // by the boot-time clock
    std::chrono::nanoseconds through{};  // of the last look
    bool Showed(WallTime time) const;
  };

  std::deque<Period> periods_;  // oldest first, the last is the present one
};

}  // namespace packhorse
