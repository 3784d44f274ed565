#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "health/metrics.h"
#include "queue/ports/clock.h"

namespace packhorse::delivery {

// Watches the machine's clock: lets the queue learn the time at the boot's first sync, and tells of that, of a clock
// that is not steered and of one that was set. Loop thread, about once a second; all references outlive it.
class ClockWatch {
 public:
  ClockWatch(queue::ClockPort& queue, health::Events& events, const Clock& clock)
      : queue_(queue), events_(events), clock_(clock) {}

  void Look();

 private:
  void Learn();
  void CheckSteered(bool synchronized);
  void CheckStep(WallTime wall_at_boot);
  // A moment, not a state: told once, and closed at once.
  void Tell(health::EventName name, std::string message);

  queue::ClockPort& queue_;
  health::Events& events_;
  const Clock& clock_;
  std::optional<WallTime> wall_at_boot_;  // at the last look
  bool unsteered_ = false;                // told
};

}  // namespace packhorse::delivery
