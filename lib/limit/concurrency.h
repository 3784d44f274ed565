#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace packhorse::limit {

// How many requests at once the other side bears: more by one at a time, less by a share (AIMD), between 1 and a
// maximum. No I/O; time is an argument and monotonic; not thread-safe (loop). Memory: one entry per request on its way,
// 33 counters, 64 latencies, one number per size of a body.
//
// It grows by one after as many accepted requests as may be on their way, where so many really were. It shrinks
//  - by 30 % where a request is refused for pace (429, 503) that was not alone. If fewer at once had been accepted and
//    so many had not yet, the number is taken for the reason: it is not tried again for a minute, then two, up to six
//    hours;
//  - by half where one that was not alone gets no reply in time;
//  - where latency rises clearly above what is usual, in two rounds of 16 accepted requests or more that were not
//  alone:
//    by as much as it rose, by half at most. A round is slow if its median, less two standard errors, is 20 % above
//    what is usual for bodies of its sizes (steps of half a power of two); at 10 % it grows no further. Below 10 ms
//    nothing counts as slow. What is usual sinks soon with faster rounds. What is slower raises it only where the
//    request was alone, or where half as many are on their way for a round to look: after each 64 rounds of crowding.
// One request alone is never too much: so an outage, where one at a time probes, teaches nothing. What was on its way
// at a decrease does not cause another one.
class Concurrency {
 public:
  // Of a request on its way.
  using Flight = std::uint64_t;

  // What a restart needs to know; 0: more were never refused.
  struct Kept {
    std::uint32_t refused_above = 0;

    bool operator==(const Kept&) const = default;
  };

  // At least 1, at most 32.
  explicit Concurrency(std::uint32_t most);

  // How many may be on their way now.
  std::uint32_t limit() const { return limit_; }
  std::uint32_t most() const { return most_; }
  // More were refused; 0: not yet, or it is forgotten.
  std::uint32_t refused_above() const { return cap_.value_or(0); }

  // A request starts; with it so many are on their way. One of the four below ends it.
  Flight Start(std::uint32_t in_flight);
  // It was accepted, `latency` after its start. `bytes`: of its body.
  void Passed(Flight flight, std::chrono::microseconds latency, std::uint64_t bytes, MonoTime now);
  // It was refused for pace. True: the number on the way explains it, and not their rate.
  bool Refused(Flight flight, MonoTime now);
  // No reply came in time.
  void TimedOut(Flight flight);
  // Its end says nothing of this.
  void Ended(Flight flight) { Take(flight); }

  // What was learnt, not what is on its way.
  void TakeOver(const Concurrency& old);
  Kept ToKeep() const { return {refused_above()}; }
  // `now` begins the time after which more are tried.
  void Restore(const Kept& kept, MonoTime now);

 private:
  struct Going {
    Flight id = 0;
    std::uint32_t peak = 0;     // most on their way at once so far
    std::uint64_t changes = 0;  // of the limit before it started, other than growth
  };
  struct Sample {
    std::uint32_t size = 0;
    double latency = 0;  // microseconds
    double ratio = 0;    // to what is usual
  };

  Going Take(Flight flight);
  bool Stale(const Going& going) const { return going.changes != changes_; }
  void Decrease(double to);
  void Grow(MonoTime now);
  double& Usual(std::uint32_t size, double latency);
  bool Crowded() const;
  void EndRound();

  std::uint32_t most_;
  std::uint32_t limit_;
  std::vector<Going> going_;
  Flight last_ = 0;
  std::uint64_t changes_ = 0;
  // Accepted since the last decrease, by the number that was on the way, or more.
  std::array<std::uint32_t, 33> passed_{};
  std::optional<std::uint32_t> cap_;  // more were refused
  MonoTime try_at_{};                 // when more are tried again
  std::chrono::minutes quiet_{};      // and how long that was put off last
  bool explained_ = false;            // the last decrease for a refusal
  // Latency.
  std::map<std::uint32_t, double> usual_;  // by size, microseconds
  std::vector<Sample> round_;
  std::uint32_t round_peak_ = 0;
  std::uint32_t rounds_ = 0;  // slower ones, since it looked what is usual
  bool slow_ = false;         // the last round
  bool looked_ = false;
  std::optional<std::uint32_t> restore_;  // it looks: the limit afterwards
};

}  // namespace packhorse::limit
