#pragma once

#include <chrono>

#include "base/clock.h"

namespace packhorse::test {

// A clock that only moves when told. Not thread-safe.
class ManualClock final : public Clock {
 public:
  WallTime Wall() const override { return wall_; }
  MonoTime Mono() const override { return mono_; }
  std::chrono::nanoseconds Boot() const override { return mono_.time_since_epoch(); }
  bool Synchronized() const override { return synchronized_; }

  void Advance(std::chrono::microseconds by) {
    wall_ += by;
    mono_ += by;
  }
  void StepWall(std::chrono::microseconds by) { wall_ += by; }
  void SetWall(WallTime wall) { wall_ = wall; }
  void SetSynchronized(bool synchronized) { synchronized_ = synchronized; }

 private:
  WallTime wall_{std::chrono::microseconds(1'795'162'531'500'000)};  // 2026-11-20T08:15:31.500000Z
  MonoTime mono_{std::chrono::seconds(1'000)};
  bool synchronized_ = true;
};

}  // namespace packhorse::test
