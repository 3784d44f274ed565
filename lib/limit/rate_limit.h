#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace packhorse::limit {

// Client-side limits of one endpoint: never more than N requests, records or bytes in ANY interval of the given length,
// several at once (sustained and burst). Not a bucket: a bucket lets 2N through at a window's edge. No I/O; time is an
// argument and only ever monotonic. Not thread-safe (loop). Memory: bounded by grouping admissions into at most 64
// slots per window (128 in one shorter than ten seconds), rounded to the safe side: a slot counts until its last
// admission has left the window. That costs at most 1/60 of the rate. An interval includes both of its ends.

struct Window {
  enum class Unit { kRequests, kRecords, kBytes };
  Unit unit = Unit::kRequests;
  std::uint64_t count = 0;          // 0 is read as 1: a limit that admits nothing would stop the destination for ever
  std::chrono::milliseconds per{};  // not positive: no limit; at most 366 days

  bool operator==(const Window&) const = default;
};
// "requests", "records", "bytes".
std::string_view Name(Window::Unit unit);

struct Cost {
  std::uint64_t requests = 1;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};
std::uint64_t AmountOf(const Cost& cost, Window::Unit unit);

class RateLimit {
 public:
  explicit RateLimit(std::vector<Window> windows);

  // When a request of this cost may go: `now` or later. A cost larger than a whole window is admitted when that window
  // is empty, else it would wait for ever.
  MonoTime NextAdmission(const Cost& cost, MonoTime now) const;
  // Counts it. REQUIRES: NextAdmission(cost, now) <= now.
  void Admit(const Cost& cost, MonoTime now);
  // What was admitted at `admitted` reached the other side at `now` at the latest, from where on the other side counts
  // it: requests take unequally long. Lengthens its window, by a fortieth or 250 ms at most, whichever is more.
  void Arrived(MonoTime admitted, MonoTime now);
  // It never reached the other side: it does not count there, and so not here.
  void NeverArrived(const Cost& cost, MonoTime admitted);
  // What the first window has admitted and still counts; 0 where there is none.
  std::uint64_t Used(MonoTime now) const;
  // Scales every window by `factor` in (0, 1], but never below one request, record or byte: learnt from 429s and rate
  // headers, and during the ramp after an outage. Holds from now on, also for what was admitted before.
  void SetFactor(double factor);
  double factor() const { return factor_; }
  // Counts what an earlier limit of the same endpoint has admitted, as far as it remembers: each window takes over the
  // one of the same unit that covers it, else the longest one.
  void TakeOver(const RateLimit& old);
  // Memory in use.
  std::size_t slot_count() const;

 private:
  struct Slot {
    MonoTime start{};
    MonoTime last{};
    std::uint64_t used = 0;
  };
  struct State {
    Window window;
    std::deque<Slot> slots;
  };

  static MonoTime Expiry(const Window& window, const Slot& slot);
  MonoTime NextIn(const State& state, std::uint64_t amount, MonoTime now) const;

  std::vector<State> states_;
  double factor_ = 1.0;
};

}  // namespace packhorse::limit
