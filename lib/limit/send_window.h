#pragma once

#include <chrono>
#include <vector>

#include "base/clock.h"

namespace packhorse::limit {

// Times of the day at which something may be sent, for links that are cheap at night. Pure functions of the wall clock;
// any thread.

struct DayWindow {
  std::chrono::minutes from{};  // since midnight, below 24 h
  std::chrono::minutes to{};    // likewise; not above `from`: of the next day. Equal to it: the whole day
  bool local = false;           // in the machine's zone, else UTC

  bool operator==(const DayWindow&) const = default;
};

// How long until one of the windows is open: zero while one is, and where there are none. `local_offset`: of the
// machine's zone, east of UTC, as it is at `now`. At most a day.
std::chrono::microseconds UntilOpen(const std::vector<DayWindow>& windows, WallTime now,
                                    std::chrono::seconds local_offset);

// The offset of the machine's zone (TZ, /etc/localtime) at this time.
std::chrono::seconds LocalOffset(WallTime at);

}  // namespace packhorse::limit
