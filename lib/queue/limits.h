#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "queue/operation/operation.h"
#include "queue/state/queue_state.h"
#include "queue/values/limit_report.h"
#include "queue/values/options.h"

namespace packhorse::queue {

// What the limits of a queue mean, without a disk and without a lock. Plain values and functions; any thread.

// What there is of what is limited.
struct Fill {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;  // that wait for the destination for which most wait
};

// How many bytes have to go: none up to max_bytes, above it down to 95 % of it.
std::uint64_t ExcessBytes(const Limits& limits, std::uint64_t bytes);
// How many messages of one destination have to go.
std::uint64_t ExcessMessages(const Limits& limits, std::uint64_t messages);
// Whether what came first makes room in that lane.
bool DropsOldest(const Limits& limits, Lane lane);
// Which limit turns arrivals away: "max_bytes", "max_records", or none (empty). That begins over the limit and ends
// below 95 % of it.
std::string_view Full(const Limits& limits, const Fill& fill, bool full_before);

// What one call may do, so that the loop goes on: segments, and time. One segment is always allowed.
class Budget {
 public:
  Budget(const Clock& clock, MonoTime now);
  bool Take();
  std::size_t segments_left() const { return segments_; }
  bool spent() const;

 private:
  const Clock& clock_;
  MonoTime end_;
  std::size_t segments_;
  bool begun_ = false;
};

// Finds what of a pending range is to be given up: its beginning, as far as messages are that old, or as many as are
// asked for.
class GiveUpWalk {
 public:
  struct Bounds {
    Sequence from = 0;
    Sequence through = 0;
    std::function<bool(Sequence sequence, std::chrono::nanoseconds boot_time)> goes;  // none: all of it
    std::uint64_t messages = std::numeric_limits<std::uint64_t>::max();
  };
  // A message, as much of it as its age needs.
  struct Arrival {
    Sequence sequence = 0;
    std::chrono::nanoseconds boot_time{};
  };
  GiveUpWalk(std::vector<Subscription> wanted, Bounds bounds, Budget& budget);
  // Takes one segment; false: no more is needed. Segments may overlap: what was seen is not seen again.
  Result<bool> Add(std::string_view plain, Sequence first);

  std::uint64_t messages() const { return messages_; }
  Sequence first() const { return first_; }      // of the messages that go
  Sequence through() const { return through_; }  // end of what goes
  std::vector<GiveUpOp::Count> counts() const;
  // The budget ended before the range and before a message that stays.
  bool cut_short() const { return cut_short_; }
  // The first message that stays, where it is known.
  const std::optional<Arrival>& stays() const { return stays_; }

 private:
  using Counts = std::map<std::pair<StreamId, std::int32_t>, std::uint64_t>;
  void Take(Sequence sequence, StreamId stream, std::int32_t hour);

  const std::vector<Subscription> wanted_;
  const Bounds bounds_;
  Budget& budget_;
  Sequence next_;  // not seen yet
  Counts counts_;
  std::uint64_t messages_ = 0;
  Sequence first_ = 0;
  Sequence through_ = 0;
  bool cut_short_ = false;
  std::optional<Arrival> stays_;
};

}  // namespace packhorse::queue
