#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "base/clock.h"

namespace packhorse::test {

// A clock that only moves when told: by one thread, while others may look.
class ManualClock final : public Clock {
 public:
  WallTime Wall() const override { return wall_; }
  MonoTime Mono() const override { return mono_; }
  std::chrono::nanoseconds Boot() const override { return mono_.load() - booted_; }
  bool Synchronized() const override { return synchronized_; }
  std::string BootId() const override { return boot_id_; }

  void Advance(std::chrono::microseconds by) {
    StepWall(by);
    mono_ = mono_.load() + by;
  }
  void StepWall(std::chrono::microseconds by) { wall_ = wall_.load() + by; }
  void SetWall(WallTime wall) { wall_ = wall; }
  void SetSynchronized(bool synchronized) { synchronized_ = synchronized; }
  // The machine starts anew: its wall clock as given, and not known to be right.
  void Reboot(std::string id, WallTime wall) {
    boot_id_ = std::move(id);
    booted_ = mono_;
    wall_ = wall;
    synchronized_ = false;
  }

 private:
  std::atomic<WallTime> wall_{
      WallTime(std::chrono::microseconds(1'795'162'531'500'000))};  // 2026-11-20T08:15:31.500000Z
  std::atomic<MonoTime> mono_{MonoTime(std::chrono::seconds(1'000))};
  std::atomic<bool> synchronized_{true};
  MonoTime booted_{};
  std::string boot_id_ = "boot-1";
};

}  // namespace packhorse::test
