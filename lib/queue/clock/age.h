#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// How old what is stored is: measured, never read off the wall clock alone (decision 0014). An age is a lower bound,
// whatever the wall clock does: the time that the machine ran since, and the time that it was switched off where the
// wall clock was synchronised on both sides. Plain values and functions; whoever shares them holds a lock.

// The machine's clocks at one moment.
struct ClockReading {
  std::chrono::nanoseconds boot{};  // Clock::Boot()
  WallTime wall_at_boot{};          // WallAtBoot()
  bool synchronized = false;
};
ClockReading ReadClocks(const Clock& clock);

// What this process has seen of the wall clock since it started.
class ClockRecord {
 public:
  // More means that the wall clock was set and not steered.
  static constexpr std::chrono::seconds kStep{1};

  // To be called about once a second.
  void Look(const ClockReading& reading);
  // Boot time since the wall clock was set last, or since the first look.
  std::chrono::nanoseconds steady() const { return last_ ? last_->boot - steady_from_ : std::chrono::nanoseconds(0); }
  // How much of that it was synchronised.
  std::chrono::nanoseconds synchronized() const { return synchronized_; }
  bool synchronized_now() const { return last_ && last_->synchronized; }
  // The earliest WallAtBoot() that a synchronised clock has shown; none: it was never synchronised.
  std::optional<WallTime> earliest() const { return earliest_; }

 private:
  std::optional<ClockReading> last_;
  std::chrono::nanoseconds steady_from_{};
  std::chrono::nanoseconds synchronized_{};
  std::optional<WallTime> earliest_;
};

// How long ago each boot of the machine began, as seen at one moment.
class Ages {
 public:
  struct Stretch {
    std::int64_t boot = 0;                // its number
    std::array<Sequence, kLanes> from{};  // its messages are these and the later ones, up to the next stretch
    // The rows of several boots in one: messages are at least as old as the beginning of the next stretch.
    bool several = false;
    std::chrono::microseconds ago{};  // since its boot-time clock was 0
  };

  // Ascending.
  explicit Ages(std::vector<Stretch> stretches) : stretches_(std::move(stretches)) {}
  Ages() = default;

  // Of the message with that number, which came at `boot_time` of its boot.
  std::chrono::microseconds Of(Lane lane, Sequence sequence, std::chrono::nanoseconds boot_time) const;
  // Since `boot_time` of that boot; none when the boot is not known by itself: then what happened in it is at least as
  // old as SinceAfter() says.
  std::optional<std::chrono::microseconds> Since(std::int64_t boot, std::chrono::nanoseconds boot_time) const;
  std::chrono::microseconds SinceAfter(std::int64_t boot) const;

 private:
  std::chrono::microseconds AgoOf(std::size_t stretch) const {
    return stretch < stretches_.size() ? stretches_[stretch].ago : std::chrono::microseconds(0);
  }

  std::vector<Stretch> stretches_;
};

}  // namespace packhorse::queue
