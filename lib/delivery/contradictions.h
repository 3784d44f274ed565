#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace packhorse::delivery {

// What an API accepted that it had refused while it accepted others, and how likely it refuses what is good. A pure
// value: time is an argument and monotonic. One per Evidence, not thread-safe.
class Contradictions {
 public:
  void Note(MonoTime now);
  // A suspect was accepted after so many refusals.
  void NotePassed(std::uint32_t refusals, MonoTime now);
  // Whether there was one within the last day.
  bool Lately(MonoTime now) const;
  // So many refusals in a row of something good are less likely than `chance`; at most 400.
  std::uint32_t RowLessLikelyThan(double chance) const;

 private:
  std::optional<MonoTime> last_;
  std::uint64_t passed_ = 0;             // suspects
  std::uint64_t refused_of_passed_ = 0;  // retrials of these that were refused
};

}  // namespace packhorse::delivery
