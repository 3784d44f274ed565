#pragma once

#include <chrono>
#include <string>

#include "support/manual_clock.h"

namespace packhorse::simulation {

using std::chrono::microseconds;

// Time as the simulation has it: microseconds since it began. It runs on while the machine is off.
using Instant = microseconds;

inline constexpr Instant kMinute = std::chrono::minutes(1);
inline constexpr Instant kHour = std::chrono::hours(1);
inline constexpr Instant kDay = std::chrono::days(1);
inline constexpr Instant kYear = 365 * kDay;

// The gateway's hardware: a clock that may be wrong, and boots. Single-threaded; other threads may look at clock().
class Machine {
 public:
  const test::ManualClock& clock() const { return clock_; }
  Instant now() const { return now_; }
  MonoTime Mono() const { return clock_.Mono(); }
  // What a right clock shows.
  WallTime True() const { return began_ + now_; }
  microseconds error() const { return error_; }

  void AdvanceTo(Instant instant) {
    if (instant > now_) {
      clock_.Advance(instant - now_);
      now_ = instant;
    }
  }
  // Somebody sets the clock wrong by so much; the kernel may still take it for right.
  void SetError(microseconds error) {
    error_ = error;
    clock_.SetWall(True() + error);
  }
  void SetSynchronized(bool synchronized) {
    clock_.SetSynchronized(synchronized);
    if (synchronized) {
      SetError(microseconds(0));
    }
  }
  // Off for so long, then on again with a clock that shows `error` too much and that nobody knows to be right.
  void PowerCycle(microseconds off, microseconds error) {
    AdvanceTo(now_ + off);
    error_ = error;
    clock_.Reboot("boot-" + std::to_string(++clock_epochs_), True() + error);
  }

 private:
  test::ManualClock clock_;
  const WallTime began_ = clock_.Wall();
  Instant now_{0};
  microseconds error_{0};
  int clock_epochs_ = 1;
};

}  // namespace packhorse::simulation
