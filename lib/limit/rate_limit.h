#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.h"

namespace packhorse::limit {

// Client-side limits of one endpoint: never more than N requests, records or bytes in ANY interval of the given length,
// several at once (sustained and burst). Not a bucket: a bucket lets 2N through at a window's edge. No I/O; time is an
// argument. Not thread-safe (loop). Memory: bounded by grouping admissions into at most 64 slots per window, rounded to
// the safe side.

struct Window {
  enum class Unit { kRequests, kRecords, kBytes };
  Unit unit = Unit::kRequests;
  std::uint64_t count = 0;
  std::chrono::milliseconds per{};
};

struct Cost {
  std::uint64_t requests = 1;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

class RateLimit {
 public:
  explicit RateLimit(std::vector<Window> windows);

  // When a request of this cost may go: `now` or later. A cost larger than a whole window is admitted when that window is
  // empty, else it would wait for ever.
  MonoTime NextAdmission(const Cost& cost, MonoTime now) const;
  // Counts it. REQUIRES: NextAdmission(cost, now) <= now.
  void Admit(const Cost& cost, MonoTime now);
  // Scales every window by `factor` in (0, 1]: learnt from 429s and rate headers, and during the ramp after an outage.
  void SetFactor(double factor);
  double factor() const { return factor_; }

 private:
  struct Slot {
    MonoTime start{};
    std::uint64_t used = 0;
  };
  struct State {
    Window window;
    std::deque<Slot> slots;
  };
  std::vector<State> states_;
  double factor_ = 1.0;
};

}  // namespace packhorse::limit
