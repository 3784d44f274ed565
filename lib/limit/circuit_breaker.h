#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace packhorse::limit {

// May this destination send now, and if not, when and why? Backoff with full jitter, the wait that a server asked for,
// the breaker, hold and probe (the states are drawn in README.md). No I/O; time is an argument; one per destination;
// not thread-safe (loop).
//
// A request may only start when the breaker lets it, so a failure that is recorded while the breaker waits belongs to a
// request that started before the wait began. It is counted, but does not lengthen the wait: several requests that fail
// together are one failure of the other side.

struct CircuitBreakerOptions {
  // A wait is random in [10 %, 100 %] of a step that starts at backoff_initial and doubles up to backoff_max. The lower
  // end keeps a row of small random numbers from becoming a busy loop.
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
  // A wait that the other side asks for becomes longer by a random share of itself up to this one, and by at most
  // wait_spread_max: a fleet that was told the same must not come back in the same second. Never shorter.
  double wait_spread = 1.0;
  std::chrono::milliseconds wait_spread_max{60'000};
  // After an outage (longer than 10 s, or more than breaker_failures failures in a row) the rate starts at
  // this share of the limits and doubles every ramp_step.
  double ramp_start = 0.1;
  std::chrono::milliseconds ramp_step{2'000};
};

enum class CircuitState : std::uint8_t { kOk, kRetrying, kThrottled, kHeld, kPaused };
// "ok", "retrying", "throttled", "held", "paused".
std::string_view Name(CircuitState state);

// What a finished attempt means for the destination as a whole.
enum class Effect : std::uint8_t {
  kSuccess,      // also a reply that rejected single records: the other side works
  kTransient,    // 408, 425, 5xx, timeout, reset
  kUnreachable,  // DNS, connect, TLS: nothing was sent
  kThrottled,    // 429, 503 with Retry-After, exhausted rate headers
  kHold,         // 401, 403, 404, 405, ...: a person must mend something
};

class CircuitBreaker {
 public:
  CircuitBreaker(CircuitBreakerOptions options, std::uint64_t seed);

  // Whether a request may start now; otherwise the moment to ask again (none: only an event can open it).
  bool MaySend(MonoTime now) const;
  std::optional<MonoTime> NextSend(MonoTime now) const;
  // At most this many requests in flight: 1 while held or throttled and after breaker_failures consecutive failures.
  std::uint32_t MaxInFlight(std::uint32_t configured) const;

  // What a finished attempt meant. `retry_after`: the wait that the other side asked for; at least 1 s while throttled,
  // clamped to throttle_max; one that is not positive counts as none. With kSuccess a positive one says that the rate
  // limit is used up now: throttled until then.
  //  - While held only kSuccess releases: any other effect of a probe leads to the next, longer wait.
  //  - While a wait that was asked for is running only kHold changes the state.
  void Record(Effect effect, const std::string& reason, std::optional<std::chrono::milliseconds> retry_after,
              MonoTime now, WallTime wall);

  // reload, resume: somebody wants it tried at once. A held destination probes and starts again with hold_first, and a
  // backoff ends. So does a wait that the other side asked for, for one request: its reply may ask for the next wait.
  void Nudge(MonoTime now);
  // Goes on where the breaker of a destination stood that this one replaces: state, reason, waits, failures. Not its
  // pause.
  void TakeOver(const CircuitBreaker& old);
  // Orthogonal to the rest: replies still count, and the state beneath shows again when the pause ends. `wall` is what
  // since() answers while paused; without it since() stays that of the state beneath.
  void Pause(std::optional<MonoTime> until, std::optional<WallTime> wall = std::nullopt);
  // Ends a pause, and nudges.
  void Resume(MonoTime now);
  // Ends a pause whose time is over.
  void Tick(MonoTime now);

  CircuitState state() const { return paused_ ? CircuitState::kPaused : state_; }
  const std::string& reason() const { return paused_ ? paused_reason_ : reason_; }  // one line; empty when ok
  // When the present state began, not when it last failed; the epoch before anything happened.
  WallTime since() const { return paused_ && paused_since_ ? *paused_since_ : since_; }
  std::uint32_t consecutive_failures() const { return failures_; }
  // Share of the configured limits to use now, (0, 1]: lower while ramping up after an outage.
  double RampFactor(MonoTime now) const;

 private:
  void Enter(CircuitState state, std::string_view reason, WallTime wall);
  void RecordSuccess(std::optional<std::chrono::milliseconds> retry_after, MonoTime now, WallTime wall);
  void RecordFailure(Effect effect, const std::string& reason, std::chrono::milliseconds asked, MonoTime now,
                     WallTime wall);
  void RecordHold(const std::string& reason, std::chrono::milliseconds asked, MonoTime now, WallTime wall);
  void Throttle(std::string reason, std::optional<std::chrono::milliseconds> retry_after, double spread, MonoTime now,
                WallTime wall);
  void NextHoldProbe(std::chrono::milliseconds asked, MonoTime now);
  void BeginTrouble(MonoTime now);
  std::chrono::milliseconds Backoff(std::chrono::milliseconds cap);
  // The wait asked for, and a random share of it.
  std::chrono::milliseconds Spread(std::chrono::milliseconds asked, double share);
  bool Paused(MonoTime now) const;

  CircuitBreakerOptions options_;
  Random random_;
  CircuitState state_ = CircuitState::kOk;  // beneath a pause
  bool paused_ = false;
  std::optional<MonoTime> paused_until_;
  std::optional<WallTime> paused_since_;
  std::string paused_reason_;
  MonoTime not_before_{};
  std::uint32_t failures_ = 0;  // consecutive, throttling not counted
  std::uint32_t steps_ = 0;     // waits entered in the present state: chooses the length of the next one
  MonoTime trouble_from_{};     // when the state left ok
  bool ramp_again_ = false;     // the trouble began during a ramp
  std::optional<MonoTime> ramp_from_;
  std::string hold_reason_;
  std::string reason_;
  WallTime since_{};
};

// Retries at most a share of first attempts over the last ten minutes, with a floor per minute (at least 1) so that a
// quiet destination can still retry. Not thread-safe.
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
  Minute& At(MonoTime now);
  double share_;
  std::uint32_t floor_;
  Minute minutes_[kMinutes];
};

}  // namespace packhorse::limit
