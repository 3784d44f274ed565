#include "limit/circuit_breaker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/units.h"

namespace packhorse::limit {
namespace {

using std::chrono::milliseconds;

// A shorter Retry-After (also 0) would turn throttling into polling.
constexpr milliseconds kShortestThrottle{1'000};
// Shorter trouble does not build up a backlog that could stampede.
constexpr milliseconds kOutageWorthARamp{10'000};
// Of the time until a rate limit has room again, which comes with every reply: a whole share would halve the rate.
constexpr double kSpreadOfReset = 0.25;
constexpr std::size_t kMaxReasonBytes = 1'024;
constexpr std::uint32_t kMaxSteps = 32;

// What the other side asked for, within what we are ready to wait.
milliseconds Clamp(std::optional<milliseconds> asked, milliseconds most) {
  return asked ? std::clamp(*asked, milliseconds::zero(), std::max(most, milliseconds::zero())) : milliseconds::zero();
}

}  // namespace

std::string_view Name(CircuitState state) {
  switch (state) {
    case CircuitState::kOk:
      return "ok";
    case CircuitState::kRetrying:
      return "retrying";
    case CircuitState::kThrottled:
      return "throttled";
    case CircuitState::kHeld:
      return "held";
    case CircuitState::kPaused:
      return "paused";
  }
  return "unknown";
}

CircuitBreaker::CircuitBreaker(CircuitBreakerOptions options, std::uint64_t seed) : options_(options), random_(seed) {}

bool CircuitBreaker::Paused(MonoTime now) const { return paused_ && !(paused_until_ && *paused_until_ <= now); }

bool CircuitBreaker::MaySend(MonoTime now) const { return !Paused(now) && not_before_ <= now; }

std::optional<MonoTime> CircuitBreaker::NextSend(MonoTime now) const {
  MonoTime next = std::max(now, not_before_);
  if (Paused(now)) {
    if (!paused_until_) {
      return std::nullopt;
    }
    next = std::max(next, *paused_until_);
  }
  return next;
}

std::uint32_t CircuitBreaker::MaxInFlight(std::uint32_t configured) const {
  const bool wary = state_ == CircuitState::kHeld || state_ == CircuitState::kThrottled ||
                    (state_ == CircuitState::kRetrying && failures_ >= options_.breaker_failures);
  return wary ? std::min<std::uint32_t>(configured, 1) : configured;
}

void CircuitBreaker::Record(Effect effect, const std::string& reason, std::optional<milliseconds> retry_after,
                            MonoTime now, WallTime wall) {
  if (since_ == WallTime{}) {
    since_ = wall;
  }
  if (effect == Effect::kSuccess) {
    RecordSuccess(retry_after, now, wall);
    return;
  }
  BeginTrouble(now);
  const milliseconds asked = Clamp(retry_after, options_.throttle_max);
  if (effect == Effect::kHold) {
    RecordHold(reason, asked, now, wall);
  } else if (effect == Effect::kThrottled && state_ != CircuitState::kHeld) {
    Throttle(reason, retry_after, options_.wait_spread, now, wall);
  } else {
    RecordFailure(effect, reason, asked, now, wall);
  }
}

void CircuitBreaker::RecordSuccess(std::optional<milliseconds> retry_after, MonoTime now, WallTime wall) {
  const bool still_told_to_wait = state_ == CircuitState::kThrottled && now < not_before_;
  if (state_ != CircuitState::kOk && !still_told_to_wait) {
    if (now - trouble_from_ > kOutageWorthARamp || failures_ > options_.breaker_failures || ramp_again_) {
      ramp_from_ = now;
    }
    not_before_ = now;
    steps_ = 0;
    Enter(CircuitState::kOk, "", wall);
  }
  failures_ = 0;
  if (retry_after && *retry_after > milliseconds::zero()) {
    BeginTrouble(now);
    Throttle("the rate limit of the other side is used up", retry_after, std::min(options_.wait_spread, kSpreadOfReset),
             now, wall);
  }
}

void CircuitBreaker::RecordFailure(Effect effect, const std::string& reason, milliseconds asked, MonoTime now,
                                   WallTime wall) {
  if (effect != Effect::kThrottled) {
    ++failures_;
  }
  const bool from_before = now < not_before_;
  if (state_ == CircuitState::kHeld) {
    if (!from_before) {
      Enter(CircuitState::kHeld, hold_reason_ + " (last probe: " + reason + ")", wall);
      NextHoldProbe(asked, now);
    }
    return;
  }
  if (from_before) {
    return;
  }
  if (state_ != CircuitState::kRetrying) {
    steps_ = 0;
  }
  const milliseconds cap = effect == Effect::kUnreachable ? std::min(options_.backoff_max, options_.unreachable_probe)
                                                          : options_.backoff_max;
  not_before_ = now + std::max(Backoff(cap), Spread(asked, options_.wait_spread));
  Enter(CircuitState::kRetrying, reason, wall);
}

void CircuitBreaker::RecordHold(const std::string& reason, milliseconds asked, MonoTime now, WallTime wall) {
  ++failures_;
  const bool from_before = state_ == CircuitState::kHeld && now < not_before_;
  if (state_ != CircuitState::kHeld) {
    steps_ = 0;
  }
  hold_reason_ = Shorten(reason, kMaxReasonBytes / 2);
  Enter(CircuitState::kHeld, reason, wall);
  if (!from_before) {
    NextHoldProbe(asked, now);
  }
}

void CircuitBreaker::NextHoldProbe(milliseconds asked, MonoTime now) {
  const std::array<milliseconds, 4> waits = {options_.hold_first, options_.hold_second, options_.hold_third,
                                             options_.hold_max};
  const milliseconds wait = waits[std::min<std::size_t>(steps_, waits.size() - 1)];
  steps_ = std::min(steps_ + 1, kMaxSteps);
  const auto spread = static_cast<std::uint64_t>(std::max<std::int64_t>(wait.count() / 5, 0));
  const milliseconds jittered = wait - wait / 10 + milliseconds(static_cast<std::int64_t>(random_.UpTo(spread)));
  not_before_ = std::max(not_before_, now + std::max(jittered, Spread(asked, options_.wait_spread)));
}

milliseconds CircuitBreaker::Spread(milliseconds asked, double share) {
  const auto most = std::min(static_cast<std::int64_t>(static_cast<double>(asked.count()) * share),
                             static_cast<std::int64_t>(options_.wait_spread_max.count()));
  return most > 0 ? asked + milliseconds(static_cast<std::int64_t>(random_.UpTo(static_cast<std::uint64_t>(most))))
                  : asked;
}

void CircuitBreaker::Throttle(std::string reason, std::optional<milliseconds> retry_after, double spread, MonoTime now,
                              WallTime wall) {
  const bool from_before = state_ == CircuitState::kThrottled && now < not_before_;
  if (state_ != CircuitState::kThrottled) {
    steps_ = 0;
  }
  milliseconds wait{};
  // "0", or a date in the past, is no time to wait for: whoever says so again and again would be polled.
  if (retry_after && *retry_after > milliseconds::zero()) {
    wait = Clamp(retry_after, options_.throttle_max);
    if (*retry_after > wait && wait == options_.throttle_max) {
      reason = Shorten(reason, kMaxReasonBytes / 2) + " (waiting " + FormatDuration(wait) + " instead of the " +
               FormatDuration(*retry_after) + " it asked for)";
    }
    wait = Spread(std::max(wait, kShortestThrottle), spread);
  } else if (!from_before) {
    wait = Backoff(options_.backoff_max);
  }
  not_before_ = std::max(not_before_, now + std::max(wait, kShortestThrottle));
  Enter(CircuitState::kThrottled, reason, wall);
}

// Full jitter: thousands of gateways that failed together must not come back together.
milliseconds CircuitBreaker::Backoff(milliseconds cap) {
  milliseconds step = std::max(options_.backoff_initial, milliseconds(1));
  for (std::uint32_t i = 0; i < steps_ && step < cap; ++i) {
    step *= 2;
  }
  if (step < cap) {  // a step beyond the cap is not counted: a later failure of another kind starts from here
    steps_ = std::min(steps_ + 1, kMaxSteps);
  }
  step = std::max(std::min(step, cap), milliseconds(1));
  const milliseconds floor = std::max(step / 10, milliseconds(1));
  return floor +
         milliseconds(static_cast<std::int64_t>(random_.UpTo(static_cast<std::uint64_t>((step - floor).count()))));
}

void CircuitBreaker::BeginTrouble(MonoTime now) {
  if (state_ == CircuitState::kOk) {
    trouble_from_ = now;
    ramp_again_ = RampFactor(now) < 1.0;
  }
}

void CircuitBreaker::Enter(CircuitState state, std::string_view reason, WallTime wall) {
  if (state != state_) {
    since_ = wall;
  }
  state_ = state;
  reason_ = Shorten(reason, kMaxReasonBytes);
}

void CircuitBreaker::Nudge(MonoTime now) {
  not_before_ = std::min(not_before_, now);
  steps_ = 0;
}

void CircuitBreaker::TakeOver(const CircuitBreaker& old) {
  state_ = old.state_;
  not_before_ = old.not_before_;
  failures_ = old.failures_;
  steps_ = old.steps_;
  trouble_from_ = old.trouble_from_;
  ramp_again_ = old.ramp_again_;
  ramp_from_ = old.ramp_from_;
  hold_reason_ = old.hold_reason_;
  reason_ = old.reason_;
  since_ = old.since_;
}

void CircuitBreaker::Pause(std::optional<MonoTime> until, std::optional<WallTime> wall) {
  if (!paused_) {
    paused_since_ = wall;
  }
  paused_ = true;
  paused_until_ = until;
  paused_reason_ = until ? "paused by command, for a limited time" : "paused by command, until resumed";
}

void CircuitBreaker::Resume(MonoTime now) {
  paused_ = false;
  paused_until_.reset();
  paused_since_.reset();
  Nudge(now);
}

void CircuitBreaker::Tick(MonoTime now) {
  if (paused_ && !Paused(now)) {
    paused_ = false;
    paused_until_.reset();
    paused_since_.reset();
  }
}

double CircuitBreaker::RampFactor(MonoTime now) const {
  if (!ramp_from_ || options_.ramp_step <= milliseconds::zero()) {
    return 1.0;
  }
  const double start = std::clamp(options_.ramp_start, 0.01, 1.0);
  const std::int64_t steps = std::clamp<std::int64_t>((now - *ramp_from_) / options_.ramp_step, 0, 16);
  return std::min(1.0, std::ldexp(start, static_cast<int>(steps)));
}

}  // namespace packhorse::limit
