#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace packhorse::delivery {

// How fast a backlog goes, by what went in the last minute. No I/O; time is an argument. Not thread-safe (loop).
class DrainRate {
 public:
  void Record(std::uint64_t messages, MonoTime now);
  // How long `messages` will take; none while nothing went in the last minute.
  std::optional<std::chrono::seconds> Eta(std::uint64_t messages, MonoTime now) const;

 private:
  static constexpr std::size_t kSlots = 6;
  static constexpr std::chrono::seconds kSlot{10};
  struct Slot {
    std::int64_t number = -1;  // of ten seconds since the clock's epoch
    std::uint64_t messages = 0;
    MonoTime first{};  // when the slot was begun
  };
  std::array<Slot, kSlots> slots_{};
};

}  // namespace packhorse::delivery
