#include "limit/gate.h"

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

std::string_view Name(GateState state) {
  switch (state) {
    case GateState::kOk:
      return "ok";
    case GateState::kRetrying:
      return "retrying";
    case GateState::kThrottled:
      return "throttled";
    case GateState::kHeld:
      return "held";
    case GateState::kPaused:
      return "paused";
  }
  return "unknown";
}

Gate::Gate(GateOptions options, std::uint64_t seed) : options_(options), random_(seed) {}

bool Gate::Paused(MonoTime now) const { return paused_ && !(paused_until_ && *paused_until_ <= now); }

bool Gate::MaySend(MonoTime now) const { return !Paused(now) && not_before_ <= now; }

std::optional<MonoTime> Gate::NextSend(MonoTime now) const {
  MonoTime next = std::max(now, not_before_);
  if (Paused(now)) {
    if (!paused_until_) {
      return std::nullopt;
    }
    next = std::max(next, *paused_until_);
  }
  return next;
}

std::uint32_t Gate::MaxInFlight(std::uint32_t configured) const {
  const bool wary = state_ == GateState::kHeld || state_ == GateState::kThrottled ||
                    (state_ == GateState::kRetrying && failures_ >= options_.breaker_failures);
  return wary ? std::min<std::uint32_t>(configured, 1) : configured;
}

void Gate::Record(Effect effect, const std::string& reason, std::optional<milliseconds> retry_after, MonoTime now,
                  WallTime wall) {
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
  } else if (effect == Effect::kThrottled && state_ != GateState::kHeld) {
    Throttle(reason, retry_after, options_.wait_spread, now, wall);
  } else {
    RecordFailure(effect, reason, asked, now, wall);
  }
}

void Gate::RecordSuccess(std::optional<milliseconds> retry_after, MonoTime now, WallTime wall) {
  const bool still_told_to_wait = state_ == GateState::kThrottled && now < not_before_;
  if (state_ != GateState::kOk && !still_told_to_wait) {
    if (now - trouble_from_ > kOutageWorthARamp || failures_ > options_.breaker_failures || ramp_again_) {
      ramp_from_ = now;
    }
    not_before_ = now;
    steps_ = 0;
    Enter(GateState::kOk, "", wall);
  }
  failures_ = 0;
  if (retry_after && *retry_after > milliseconds::zero()) {
    BeginTrouble(now);
    Throttle("the rate limit of the other side is used up", retry_after, std::min(options_.wait_spread, kSpreadOfReset),
             now, wall);
  }
}

void Gate::RecordFailure(Effect effect, const std::string& reason, milliseconds asked, MonoTime now, WallTime wall) {
  if (effect != Effect::kThrottled) {
    ++failures_;
  }
  const bool from_before = now < not_before_;
  if (state_ == GateState::kHeld) {
    if (!from_before) {
      Enter(GateState::kHeld, hold_reason_ + " (last probe: " + reason + ")", wall);
      NextHoldProbe(asked, now);
    }
    return;
  }
  if (from_before) {
    return;
  }
  if (state_ != GateState::kRetrying) {
    steps_ = 0;
  }
  const milliseconds cap = effect == Effect::kUnreachable ? std::min(options_.backoff_max, options_.unreachable_probe)
                                                          : options_.backoff_max;
  not_before_ = now + std::max(Backoff(cap), Spread(asked, options_.wait_spread));
  Enter(GateState::kRetrying, reason, wall);
}

void Gate::RecordHold(const std::string& reason, milliseconds asked, MonoTime now, WallTime wall) {
  ++failures_;
  const bool from_before = state_ == GateState::kHeld && now < not_before_;
  if (state_ != GateState::kHeld) {
    steps_ = 0;
  }
  hold_reason_ = Shorten(reason, kMaxReasonBytes / 2);
  Enter(GateState::kHeld, reason, wall);
  if (!from_before) {
    NextHoldProbe(asked, now);
  }
}

void Gate::NextHoldProbe(milliseconds asked, MonoTime now) {
  const std::array<milliseconds, 4> waits = {options_.hold_first, options_.hold_second, options_.hold_third,
                                             options_.hold_max};
  const milliseconds wait = waits[std::min<std::size_t>(steps_, waits.size() - 1)];
  steps_ = std::min(steps_ + 1, kMaxSteps);
  const auto spread = static_cast<std::uint64_t>(std::max<std::int64_t>(wait.count() / 5, 0));
  const milliseconds jittered = wait - wait / 10 + milliseconds(static_cast<std::int64_t>(random_.UpTo(spread)));
  not_before_ = std::max(not_before_, now + std::max(jittered, Spread(asked, options_.wait_spread)));
}

milliseconds Gate::Spread(milliseconds asked, double share) {
  const auto most = std::min(static_cast<std::int64_t>(static_cast<double>(asked.count()) * share),
                             static_cast<std::int64_t>(options_.wait_spread_max.count()));
  return most > 0 ? asked + milliseconds(static_cast<std::int64_t>(random_.UpTo(static_cast<std::uint64_t>(most))))
                  : asked;
}

void Gate::Throttle(std::string reason, std::optional<milliseconds> retry_after, double spread, MonoTime now,
                    WallTime wall) {
  const bool from_before = state_ == GateState::kThrottled && now < not_before_;
  if (state_ != GateState::kThrottled) {
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
  Enter(GateState::kThrottled, reason, wall);
}

// Full jitter: thousands of gateways that failed together must not come back together.
milliseconds Gate::Backoff(milliseconds cap) {
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

void Gate::BeginTrouble(MonoTime now) {
  if (state_ == GateState::kOk) {
    trouble_from_ = now;
    ramp_again_ = RampFactor(now) < 1.0;
  }
}

void Gate::Enter(GateState state, std::string_view reason, WallTime wall) {
  if (state != state_) {
    since_ = wall;
  }
  state_ = state;
  reason_ = Shorten(reason, kMaxReasonBytes);
}

void Gate::Nudge(MonoTime now) {
  not_before_ = std::min(not_before_, now);
  steps_ = 0;
}

void Gate::TakeOver(const Gate& old) {
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

void Gate::Pause(std::optional<MonoTime> until, std::optional<WallTime> wall) {
  if (!paused_) {
    paused_since_ = wall;
  }
  paused_ = true;
  paused_until_ = until;
  paused_reason_ = until ? "paused by command, for a limited time" : "paused by command, until resumed";
}

void Gate::Resume(MonoTime now) {
  paused_ = false;
  paused_until_.reset();
  paused_since_.reset();
  Nudge(now);
}

void Gate::Tick(MonoTime now) {
  if (paused_ && !Paused(now)) {
    paused_ = false;
    paused_until_.reset();
    paused_since_.reset();
  }
}

double Gate::RampFactor(MonoTime now) const {
  if (!ramp_from_ || options_.ramp_step <= milliseconds::zero()) {
    return 1.0;
  }
  const double start = std::clamp(options_.ramp_start, 0.01, 1.0);
  const std::int64_t steps = std::clamp<std::int64_t>((now - *ramp_from_) / options_.ramp_step, 0, 16);
  return std::min(1.0, std::ldexp(start, static_cast<int>(steps)));
}

}  // namespace packhorse::limit
