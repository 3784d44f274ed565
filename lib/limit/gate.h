#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/random.h"

namespace packhorse::limit {

// May this destination send now, and if not, when and why? Backoff with full jitter, the wait that a server asked for,
// the breaker, hold and probe (design.md "Outcome, holding and recovery"). No I/O; time is an argument; one per
// destination; not thread-safe (loop).

struct GateOptions {
  std::chrono::milliseconds backoff_initial{1'000};
  std::chrono::milliseconds backoff_max{60'000};
  std::chrono::milliseconds throttle_max{std::chrono::minutes(30)};  // a longer Retry-After is clamped, and said so
  std::uint32_t breaker_failures = 5;  // consecutive transient failures after which one request at a time probes
  // Waits between probes while held; the last one repeats. Jittered by +-10 %.
  std::chrono::milliseconds hold_first{std::chrono::minutes(1)};
  std::chrono::milliseconds hold_second{std::chrono::minutes(5)};
  std::chrono::milliseconds hold_third{std::chrono::minutes(15)};
  std::chrono::milliseconds hold_max{std::chrono::minutes(30)};
  // While the cloud cannot be reached at all, a probe at most this far apart notices its return.
  std::chrono::milliseconds unreachable_probe{5'000};
  // After an outage the rate starts at this share of the limits and doubles every ramp_step.
  double ramp_start = 0.1;
  std::chrono::milliseconds ramp_step{2'000};
};

enum class GateState : std::uint8_t { kOk, kRetrying, kThrottled, kHeld, kPaused };
// "ok", "retrying", "throttled", "held", "paused".
std::string_view Name(GateState state);

// What a finished attempt means for the destination as a whole.
enum class Effect : std::uint8_t {
  kSuccess,      // also a reply that rejected single records: the other side works
  kTransient,    // 408, 425, 5xx, timeout, reset
  kUnreachable,  // DNS, connect, TLS: nothing was sent
  kThrottled,    // 429, 503 with Retry-After, exhausted rate headers
  kHold,         // 401, 403, 404, 405, ...: a person must mend something
};

class Gate {
 public:
  Gate(GateOptions options, std::uint64_t seed);

  // Whether a request may start now; otherwise the moment to ask again (none: only an event can open it).
  bool MaySend(MonoTime now) const;
  std::optional<MonoTime> NextSend(MonoTime now) const;
  // At most this many requests in flight: 1 while anything is wrong.
  std::uint32_t MaxInFlight(std::uint32_t configured) const;

  void Record(Effect effect, std::string reason, std::optional<std::chrono::milliseconds> retry_after, MonoTime now,
              WallTime wall);

  // reload, resume, a changed secret: a held destination probes at once, a backoff ends.
  void Nudge(MonoTime now);
  void Pause(std::optional<MonoTime> until);
  void Resume(MonoTime now);
  // Ends a pause whose time is over.
  void Tick(MonoTime now);

  GateState state() const;
  const std::string& reason() const { return reason_; }  // empty when ok
  WallTime since() const { return since_; }              // when the present state began
  std::uint32_t consecutive_failures() const { return failures_; }
  // Share of the configured limits to use now, (0, 1]: lower while ramping up after an outage.
  double RampFactor(MonoTime now) const;

 private:
  void Enter(GateState state, std::string reason, WallTime wall);

  GateOptions options_;
  Random random_;
  GateState state_ = GateState::kOk;
  bool paused_ = false;
  std::optional<MonoTime> paused_until_;
  MonoTime not_before_{};
  std::uint32_t failures_ = 0;
  std::uint32_t probes_ = 0;
  std::optional<MonoTime> ramp_from_;
  std::string reason_;
  WallTime since_{};
};

// Retries at most a share of first attempts over the last ten minutes, with a floor so that a quiet destination can
// still retry. Not thread-safe.
class RetryBudget {
 public:
  RetryBudget(double share, std::uint32_t floor_per_minute);
  void CountFirst(MonoTime now);
  void CountRetry(MonoTime now);
  // When the next retry may go: `now` or later.
  MonoTime NextRetry(MonoTime now) const;

 private:
  struct Minute {
    std::int64_t index = 0;
    std::uint64_t first = 0;
    std::uint64_t retries = 0;
  };
  static constexpr std::size_t kMinutes = 10;
  double share_;
  std::uint32_t floor_;
  Minute minutes_[kMinutes];
};

}  // namespace packhorse::limit
