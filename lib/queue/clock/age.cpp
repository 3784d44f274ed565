#include "queue/clock/age.h"

#include <algorithm>

namespace packhorse::queue {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// A boot-time clock that went back by itself must not make anything younger than nothing.
microseconds NotNegative(microseconds age) { return std::max(age, microseconds(0)); }

microseconds Between(microseconds ago, nanoseconds boot_time) {
  return NotNegative(ago - std::chrono::ceil<microseconds>(boot_time));
}

}  // namespace

ClockReading ReadClocks(const Clock& clock) {
  const bool synchronized = clock.Synchronized();
  return {clock.Boot(), WallAtBoot(clock), synchronized && clock.Synchronized()};
}

void ClockRecord::Look(const ClockReading& reading) {
  if (!last_) {
    steady_from_ = reading.boot;
  } else if (reading.boot < last_->boot) {
    return;
  } else if (std::chrono::abs(reading.wall_at_boot - last_->wall_at_boot) >= kStep) {
    steady_from_ = reading.boot;
    synchronized_ = {};
  } else if (last_->synchronized && reading.synchronized) {
    synchronized_ += reading.boot - last_->boot;
  }
  if (reading.synchronized) {
    earliest_ = std::min(earliest_.value_or(reading.wall_at_boot), reading.wall_at_boot);
  }
  last_ = reading;
}

microseconds Ages::Of(Lane lane, Sequence sequence, nanoseconds boot_time) const {
  const auto next =
      std::upper_bound(stretches_.begin(), stretches_.end(), sequence,
                       [lane](Sequence wanted, const Stretch& stretch) { return wanted < stretch.from[At(lane)]; });
  const auto after = static_cast<std::size_t>(next - stretches_.begin());
  if (after == 0 || stretches_[after - 1].several) {
    return AgoOf(after);
  }
  return Between(stretches_[after - 1].ago, boot_time);
}

std::optional<microseconds> Ages::Since(std::int64_t boot, nanoseconds boot_time) const {
  const auto found = std::find_if(stretches_.begin(), stretches_.end(),
                                  [boot](const Stretch& stretch) { return stretch.boot == boot; });
  if (found == stretches_.end() || found->several) {
    return std::nullopt;
  }
  return Between(found->ago, boot_time);
}

microseconds Ages::SinceAfter(std::int64_t boot) const {
  const auto next = std::find_if(stretches_.begin(), stretches_.end(),
                                 [boot](const Stretch& stretch) { return stretch.boot > boot; });
  return AgoOf(static_cast<std::size_t>(next - stretches_.begin()));
}

}  // namespace packhorse::queue
