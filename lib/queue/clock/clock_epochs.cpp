#include "queue/clock/clock_epochs.h"

#include <algorithm>
#include <utility>

namespace packhorse::queue {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// Each costs a row and a little of every checkpoint. A machine that starts more often than this before anything is
// delivered no longer waits for its clock.
constexpr std::size_t kMaxBoots = 1'024;
// After this long a synchronised clock is believed to say how long the machine was switched off.
constexpr auto kClockProven = std::chrono::hours(1);
// Whoever stamps may notice so much later that the clock is right; its stamps are right then, and correcting them does
// not change them.
constexpr auto kNoticed = std::chrono::seconds(1);

microseconds Floored(std::chrono::nanoseconds time) { return std::chrono::floor<microseconds>(time); }

bool SameBoot(const ClockEpoch& boot, const ClockEpochs::Now& now) {
  // A machine whose boot-time clock went back was taken back to an earlier moment (a snapshot) or counts otherwise.
  return boot.boot_id == now.boot_id && now.boot_id != kUnknownBoot && now.boot >= boot.begun;
}

}  // namespace

void ClockEpochs::Begin(const Now& now, const std::array<Sequence, kLanes>& next, ClockEpochChanges& changes) {
  const ClockReading reading{now.boot, now.wall_at_boot, now.synchronized};
  record_ = ClockRecord();
  if (!clock_epochs_.empty() && SameBoot(clock_epochs_.back(), now)) {
    ClockEpoch& boot = clock_epochs_.back();
    boot.several = false;  // as an earlier release says of all its rows, though the last one is of one boot
    if (now.forgot && boot.state == ClockEpoch::State::kAwaited) {
      for (const Lane lane : kAllLanes) {
        boot.as_stamped[At(lane)] = next[At(lane)] - 1;
      }
    }
    Note(reading);
    changes[boot.number] = boot;
    return;
  }
  const std::int64_t number = clock_epochs_.empty() ? 1 : clock_epochs_.back().number + 1;
  if (!clock_epochs_.empty() && clock_epochs_.back().from == next) {
    // Nothing came during it. What came before is older by as much.
    const std::chrono::nanoseconds ran = clock_epochs_.back().ran;
    changes[clock_epochs_.back().number] = std::nullopt;
    clock_epochs_.pop_back();
    if (!clock_epochs_.empty()) {
      clock_epochs_.back().ran += ran;
    }
  }
  if (!clock_epochs_.empty()) {
    if (clock_epochs_.back().state == ClockEpoch::State::kAwaited) {
      clock_epochs_.back().state = ClockEpoch::State::kAsStamped;  // how wrong that clock was nobody will ever know
    }
    changes[clock_epochs_.back().number] = clock_epochs_.back();  // with how long it ran
  }
  if (clock_epochs_.size() >= kMaxBoots) {
    MergeOldest(changes);
  }
  const bool await = !now.synchronized && clock_epochs_.size() < kMaxBoots;
  ClockEpoch boot;
  boot.number = number;
  boot.boot_id = now.boot_id;
  boot.begun = now.boot;
  boot.wall_then = now.wall_at_boot;
  boot.from = next;
  boot.state = await ? ClockEpoch::State::kAwaited : ClockEpoch::State::kAsStamped;
  clock_epochs_.push_back(std::move(boot));
  Note(reading);
  changes[number] = clock_epochs_.back();
}

void ClockEpochs::MergeOldest(ClockEpochChanges& changes) {
  const auto as_stamped = [](const ClockEpoch& boot) { return boot.state == ClockEpoch::State::kAsStamped; };
  const auto first = std::adjacent_find(
      clock_epochs_.begin(), clock_epochs_.end(),
      [&](const ClockEpoch& one, const ClockEpoch& other) { return as_stamped(one) && as_stamped(other); });
  if (first == clock_epochs_.end()) {
    return;
  }
  const auto second = first + 1;
  first->several = true;
  first->ran += second->ran;
  changes[first->number] = *first;
  changes[second->number] = std::nullopt;
  clock_epochs_.erase(second);
}

void ClockEpochs::Note(const ClockReading& reading) {
  record_.Look(reading);
  if (clock_epochs_.empty()) {
    return;
  }
  ClockEpoch& boot = clock_epochs_.back();
  boot.ran = std::max(boot.ran, reading.boot);
  if (reading.synchronized) {
    boot.synchronized_wall = std::max(boot.synchronized_wall.value_or(reading.wall_at_boot), reading.wall_at_boot);
  }
}

Ages ClockEpochs::AgesAt(std::chrono::nanoseconds now, bool by_wall) const {
  std::vector<Ages::Stretch> stretches;
  stretches.reserve(clock_epochs_.size());
  // A boot cannot have begun before an earlier one ended: where the clocks say so, one of them was wrong.
  std::optional<WallTime> not_before;
  std::vector<std::optional<WallTime>> begun;
  for (const ClockEpoch& boot : clock_epochs_) {
    stretches.push_back(Ages::Stretch{boot.number, boot.from, boot.several, {}});
    std::optional<WallTime> at = boot.synchronized_wall;
    if (at && not_before) {
      at = std::max(*at, *not_before);
    }
    begun.push_back(at);
    not_before = at ? at : not_before;
    if (not_before) {
      *not_before += Floored(boot.ran);
    }
  }
  const std::optional<WallTime> wall_at_boot = by_wall ? record_.earliest() : std::nullopt;
  microseconds ago = Floored(now);
  for (std::size_t i = stretches.size(); i-- > 0;) {
    if (i + 1 < stretches.size()) {
      ago += Floored(clock_epochs_[i].ran);
      if (wall_at_boot && begun[i]) {
        ago = std::max(ago, *wall_at_boot + Floored(now) - *begun[i]);
      }
    }
    stretches[i].ago = ago;
  }
  return Ages(std::move(stretches));
}

Status ClockEpochs::Check(const ClockOp& op) const {
  if (clock_epochs_.empty() || clock_epochs_.back().number != op.boot ||
      clock_epochs_.back().state != ClockEpoch::State::kAwaited) {
    return Error{ErrorCode::kCorrupt, "this boot's clock is decided"};
  }
  return {};
}

void ClockEpochs::Apply(const ClockOp& op, ClockEpochChanges& changes) {
  if (!Check(op)) {
    return;
  }
  ClockEpoch& boot = clock_epochs_.back();
  Sequence& as_stamped = boot.as_stamped[At(op.lane)];
  as_stamped = std::max(as_stamped, op.as_stamped);
  if (op.learnt) {
    boot.state = ClockEpoch::State::kLearnt;
    boot.wall_at_boot = op.learnt->wall_at_boot;
    boot.learnt = op.learnt->at;
    released_ = false;
  }
  changes[boot.number] = boot;
}

Ages ClockEpochs::ProvenAges() const { return AgesAt(End().ran, record_.synchronized() >= kClockProven); }

ClockEpochEnd ClockEpochs::End() const {
  return clock_epochs_.empty() ? ClockEpochEnd()
                               : ClockEpochEnd{clock_epochs_.back().number, clock_epochs_.back().ran,
                                               clock_epochs_.back().synchronized_wall};
}

void ClockEpochs::Forget(const std::array<Sequence, kLanes>& low_water, ClockEpochChanges& changes) {
  std::size_t gone = 0;
  while (gone + 1 < clock_epochs_.size()) {
    const ClockEpoch& boot = clock_epochs_[gone];
    const ClockEpoch& next = clock_epochs_[gone + 1];
    const bool needed = std::any_of(kAllLanes.begin(), kAllLanes.end(), [&](Lane lane) {
      return next.from[At(lane)] > std::max(low_water[At(lane)], boot.from[At(lane)]);
    });
    if (needed) {
      break;
    }
    changes[boot.number] = std::nullopt;
    ++gone;
  }
  clock_epochs_.erase(clock_epochs_.begin(), clock_epochs_.begin() + static_cast<std::ptrdiff_t>(gone));
}

std::optional<Sequence> ClockEpochs::OpenFrom(Lane lane) const {
  if (clock_epochs_.empty()) {
    return std::nullopt;
  }
  const ClockEpoch& boot = clock_epochs_.back();
  const bool open =
      boot.state == ClockEpoch::State::kAwaited || (boot.state == ClockEpoch::State::kLearnt && !released_);
  return open ? std::optional(std::max(boot.from[At(lane)], boot.as_stamped[At(lane)] + 1)) : std::nullopt;
}

const ClockEpoch* ClockEpochs::Find(Lane lane, Sequence sequence) const {
  const auto found = std::find_if(clock_epochs_.rbegin(), clock_epochs_.rend(),
                                  [&](const ClockEpoch& boot) { return boot.from[At(lane)] <= sequence; });
  return found == clock_epochs_.rend() ? nullptr : &*found;
}

void ClockEpochs::Correct(Lane lane, Sequence sequence, RawMessage& message) const {
  if (message.clock != ClockState::kUnsynchronized) {
    return;
  }
  const ClockEpoch* boot = Find(lane, sequence);
  if (boot == nullptr || boot->state != ClockEpoch::State::kLearnt || sequence <= boot->as_stamped[At(lane)] ||
      message.boot_time > boot->learnt + kNoticed) {
    return;  // a clock that is no longer steered later on is still near the truth
  }
  message.received_at_raw = message.received_at;
  message.received_at = boot->wall_at_boot + Floored(message.boot_time);
  message.clock = ClockState::kRecovered;
}

WallTime ClockEpochs::Arrived(Lane lane, Sequence sequence, const RawMessage& message, const Clock& clock) const {
  const ClockEpoch* boot = Find(lane, sequence);
  if (boot != nullptr && boot == current()) {
    const WallTime by_boot_time = clock.Wall() - Floored(clock.Boot() - message.boot_time);
    return std::chrono::abs(by_boot_time - message.received_at) < ClockRecord::kStep ? message.received_at
                                                                                     : by_boot_time;
  }
  if (!clock.Synchronized()) {
    return message.received_at;
  }
  const WallTime at_the_latest = clock.Wall() - AgesAt(clock.Boot(), true).Of(lane, sequence, message.boot_time);
  return message.clock == ClockState::kUnsynchronized ? at_the_latest : std::min(message.received_at, at_the_latest);
}

WallTime ClockEpochs::Shown(Lane lane, Sequence sequence, WallTime stamp, const Clock& clock) const {
  const ClockEpoch* boot = Find(lane, sequence);
  if (boot == nullptr || !clock.Synchronized()) {
    return stamp;
  }
  // A stamp of before the clock was set is boot time counted from `wall_then`.
  const bool right_from_the_start =
      boot->synchronized_wall && std::chrono::abs(*boot->synchronized_wall - boot->wall_then) < ClockRecord::kStep;
  const microseconds boot_time = stamp - boot->wall_then;
  const nanoseconds ran = boot == current() ? clock.Boot() : boot->ran;
  const bool of_the_past = boot != current() && right_from_the_start;
  if (of_the_past || boot_time < microseconds(0) || boot_time > Floored(ran)) {
    return stamp;
  }
  const WallTime by_boot_time = clock.Wall() - AgesAt(clock.Boot(), true).Of(lane, sequence, boot_time);
  return std::chrono::abs(by_boot_time - stamp) < ClockRecord::kStep ? stamp : by_boot_time;
}

}  // namespace packhorse::queue
