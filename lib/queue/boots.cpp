#include "queue/boots.h"

#include <algorithm>
#include <utility>

namespace packhorse::queue {
namespace {

using std::chrono::microseconds;

// Each costs a row and a little of every fold. A machine that starts more often than this before anything is delivered
// no longer waits for its clock.
constexpr std::size_t kMaxBoots = 1'024;
// Below this the wall clock was steered and not set: its stamps say when something was.
constexpr auto kStep = std::chrono::seconds(1);
// Whoever stamps may notice so much later that the clock is right; its stamps are right then, and correcting them does
// not change them.
constexpr auto kNoticed = std::chrono::seconds(1);

microseconds Floored(std::chrono::nanoseconds time) { return std::chrono::floor<microseconds>(time); }

bool SameBoot(const Boot& boot, const Boots::Now& now) {
  // A machine whose boot-time clock went back was taken back to an earlier moment (a snapshot) or counts otherwise.
  return boot.boot_id == now.boot_id && now.boot_id != kUnknownBoot && now.boot >= boot.begun;
}

}  // namespace

void Boots::Begin(const Now& now, const std::array<Sequence, kLanes>& next, BootChanges& changes) {
  if (!boots_.empty() && SameBoot(boots_.back(), now)) {
    if (now.forgot && boots_.back().state == Boot::State::kAwaited) {
      for (const Lane lane : kAllLanes) {
        boots_.back().as_stamped[At(lane)] = next[At(lane)] - 1;
      }
      changes[boots_.back().number] = boots_.back();
    }
    return;
  }
  const auto drop_last = [&] {
    changes[boots_.back().number] = std::nullopt;
    boots_.pop_back();
  };
  const std::int64_t number = boots_.empty() ? 1 : boots_.back().number + 1;
  if (!boots_.empty() && boots_.back().from == next) {
    drop_last();  // nothing came during it
  }
  if (!boots_.empty() && boots_.back().state == Boot::State::kAwaited) {
    boots_.back().state = Boot::State::kAsStamped;  // how wrong that clock was nobody will ever know
    changes[boots_.back().number] = boots_.back();
  }
  if (boots_.size() > 1 && boots_.back().state == Boot::State::kAsStamped &&
      boots_[boots_.size() - 2].state == Boot::State::kAsStamped) {
    drop_last();  // the one before says the same of its messages
  }
  const bool await = !now.synchronized && boots_.size() < kMaxBoots;
  Boot boot{number, now.boot_id, now.boot, now.wall_at_boot, next, {}, {}, {}, {}};
  boot.state = await ? Boot::State::kAwaited : Boot::State::kAsStamped;
  changes[number] = boot;
  boots_.push_back(std::move(boot));
}

Status Boots::Check(const ClockOp& op) const {
  if (boots_.empty() || boots_.back().number != op.boot || boots_.back().state != Boot::State::kAwaited) {
    return Error{ErrorCode::kCorrupt, "this boot's clock is decided"};
  }
  return {};
}

void Boots::Apply(const ClockOp& op, BootChanges& changes) {
  if (!Check(op)) {
    return;
  }
  Boot& boot = boots_.back();
  Sequence& as_stamped = boot.as_stamped[At(op.lane)];
  as_stamped = std::max(as_stamped, op.as_stamped);
  if (op.learnt) {
    boot.state = Boot::State::kLearnt;
    boot.wall_at_boot = op.learnt->wall_at_boot;
    boot.learnt = op.learnt->at;
    released_ = false;
  }
  changes[boot.number] = boot;
}

void Boots::Forget(const std::array<Sequence, kLanes>& low_water, BootChanges& changes) {
  std::size_t gone = 0;
  while (gone + 1 < boots_.size()) {
    const Boot& boot = boots_[gone];
    const Boot& next = boots_[gone + 1];
    const bool needed = std::any_of(kAllLanes.begin(), kAllLanes.end(), [&](Lane lane) {
      return next.from[At(lane)] > std::max(low_water[At(lane)], boot.from[At(lane)]);
    });
    if (needed) {
      break;
    }
    changes[boot.number] = std::nullopt;
    ++gone;
  }
  boots_.erase(boots_.begin(), boots_.begin() + static_cast<std::ptrdiff_t>(gone));
}

std::optional<Sequence> Boots::OpenFrom(Lane lane) const {
  if (boots_.empty()) {
    return std::nullopt;
  }
  const Boot& boot = boots_.back();
  const bool open = boot.state == Boot::State::kAwaited || (boot.state == Boot::State::kLearnt && !released_);
  return open ? std::optional(std::max(boot.from[At(lane)], boot.as_stamped[At(lane)] + 1)) : std::nullopt;
}

const Boot* Boots::Find(Lane lane, Sequence sequence) const {
  const auto found =
      std::find_if(boots_.rbegin(), boots_.rend(), [&](const Boot& boot) { return boot.from[At(lane)] <= sequence; });
  return found == boots_.rend() ? nullptr : &*found;
}

void Boots::Correct(Lane lane, Sequence sequence, RawMessage& message) const {
  if (message.clock != ClockState::kUnsynchronized) {
    return;
  }
  const Boot* boot = Find(lane, sequence);
  if (boot == nullptr || boot->state != Boot::State::kLearnt || sequence <= boot->as_stamped[At(lane)] ||
      message.boot_time > boot->learnt + kNoticed) {
    return;  // a clock that is no longer steered later on is still near the truth
  }
  message.received_at_raw = message.received_at;
  message.received_at = boot->wall_at_boot + Floored(message.boot_time);
  message.clock = ClockState::kRecovered;
}

WallTime Boots::Arrived(Lane lane, Sequence sequence, const RawMessage& message, const Clock& clock) const {
  const Boot* boot = Find(lane, sequence);
  if (boot == nullptr || boot != current()) {
    return message.received_at;
  }
  const WallTime by_boot_time = clock.Wall() - Floored(clock.Boot() - message.boot_time);
  return std::chrono::abs(by_boot_time - message.received_at) < kStep ? message.received_at : by_boot_time;
}

}  // namespace packhorse::queue
