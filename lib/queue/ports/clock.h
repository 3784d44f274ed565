#pragma once

#include "base/result.h"
#include "queue/values/stats.h"

namespace packhorse::queue {

// What the queue makes of the machine's clock. Thread: the loop.
class ClockPort {
 public:
  virtual ~ClockPort() = default;

  virtual BootClock ClockOfBoot() const = 0;
  // Tells the queue that the clock is right for the first time since the machine started. Stamps that wait for it are
  // corrected by what it shows now, as soon as that is on the disk. kInvalidArgument when it is not right, or was
  // before.
  virtual Status LearnClock() = 0;
};

}  // namespace packhorse::queue
