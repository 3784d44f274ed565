#include "base/wall_history.h"

#include <algorithm>
#include <cstddef>

namespace packhorse {
namespace {

using std::chrono::microseconds;

// More means that the clock was set and not steered.
constexpr auto kStep = std::chrono::seconds(1);
// That it was set is noticed so much later.
constexpr auto kNoticed = std::chrono::seconds(5);
// A clock that is set more often than that has no history.
constexpr std::size_t kMaxPeriods = 16;

microseconds Floored(std::chrono::nanoseconds time) { return std::chrono::floor<microseconds>(time); }

}  // namespace

bool WallHistory::Period::Showed(WallTime time) const {
  return time >= wall_at_boot + Floored(from) - kNoticed && time <= wall_at_boot + Floored(through) + kNoticed;
}

void WallHistory::Look(const Clock& clock) {
  const WallTime wall_at_boot = WallAtBoot(clock);
  const std::chrono::nanoseconds boot = clock.Boot();
  if (periods_.empty() || std::chrono::abs(wall_at_boot - periods_.back().wall_at_boot) >= kStep) {
    // What the process noted before the first look came since the machine started.
    const auto from = periods_.empty() ? std::chrono::nanoseconds(0) : periods_.back().through;
    periods_.push_back({wall_at_boot, from, boot});
  }
  periods_.back().through = boot;
  if (periods_.size() > kMaxPeriods) {
    periods_.pop_front();
  }
}

WallTime WallHistory::Corrected(WallTime time) const {
  const auto period =
      std::find_if(periods_.rbegin(), periods_.rend(), [time](const Period& each) { return each.Showed(time); });
  if (time == WallTime{} || period == periods_.rend()) {
    return time;
  }
  return time + (periods_.back().wall_at_boot - period->wall_at_boot);
}

}  // namespace packhorse
