#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace packhorse::delivery {

// Which share of the records of a destination is refused, over the last ten minutes. No I/O; time is an argument and
// monotonic; not thread-safe (loop).
class ShareRefused {
 public:
  void Accepted(std::uint64_t records, MonoTime now) { At(now).accepted += records; }
  // One, for the first time.
  void Refused(MonoTime now) { ++At(now).refused; }
  // 0 to 1.
  double Lately(MonoTime now) const;

 private:
  struct Minute {
    std::int64_t index = -1;
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
  };
  static constexpr std::size_t kMinutes = 10;
  Minute& At(MonoTime now);
  std::array<Minute, kMinutes> minutes_;
};

}  // namespace packhorse::delivery
