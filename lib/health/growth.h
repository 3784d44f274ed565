#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace packhorse::health {

// Does a number that goes up and down, such as the messages that wait, grow in the long run? It does when the lowest
// value of each half minute has risen four times in a row; it has ended when that value falls or stays. Lowest values,
// because what waits until a batch is full rises and falls with each batch. Not thread-safe; bounded: ten half minutes.
class Growth {
 public:
  struct Grown {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::chrono::seconds over{};
  };
  // To be called about once a second.
  void Look(std::uint64_t value, MonoTime now);
  // By how much it has grown in the last five minutes or less; none while it does not.
  std::optional<Grown> Now() const;

 private:
  struct Slice {
    MonoTime begin{};
    std::uint64_t lowest = 0;
  };
  std::deque<Slice> slices_;  // the newest, last, is not over yet
};

}  // namespace packhorse::health
