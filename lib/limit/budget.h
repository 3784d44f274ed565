#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace packhorse::limit {

// How many bytes may be sent in a calendar day or month (UTC), for links that are paid by volume. What is sent is
// reserved before and counted after: the budget is kept also while requests are under way. No I/O; time is an argument.
// Not thread-safe (loop).
//
// A period ends by the wall clock. A clock that is not right must neither give a budget twice nor hold it back for
// ever:
//  - one that goes back while it is known to be right takes along what was used;
//  - one that goes back while it is not changes nothing;
//  - a period that this object has seen for as long as the longest one lasts is over, whatever the clock says.

struct BudgetOptions {
  enum class Per : std::uint8_t { kDay, kMonth };
  std::uint64_t bytes = 0;  // 0 is read as 1
  Per per = Per::kMonth;

  bool operator==(const BudgetOptions&) const = default;
};

class Budget {
 public:
  explicit Budget(BudgetOptions options) : options_(options) {}

  // The clocks, as they are now.
  struct Now {
    MonoTime mono{};
    WallTime wall{};
    bool synchronized = true;
  };
  // What a restart needs to know.
  struct Kept {
    WallTime begin{};  // of the period
    std::uint64_t used = 0;

    bool operator==(const Kept&) const = default;
  };

  // Begins another period when it is time. Before the other calls, which look at no clock.
  void Look(const Now& now);
  // Whether so much may be sent. A request larger than the whole budget may when nothing was used, else it would wait
  // for ever.
  bool Admits(std::uint64_t bytes) const;
  // Counts it as used, until Sent() says how much it was.
  void Reserve(std::uint64_t bytes);
  void Sent(std::uint64_t reserved, std::uint64_t bytes);

  // Since the period began, what is under way included.
  std::uint64_t used() const { return used_; }
  const BudgetOptions& options() const { return options_; }
  // When the next period begins, by the wall clock; not before the first Look().
  WallTime end() const;
  // How long until then; at least a millisecond.
  std::chrono::nanoseconds Left(const Now& now) const;

  Kept ToKeep() const { return {begin_.value_or(WallTime{}), used_ - reserved_}; }
  // What an earlier run has used, or the budget of a destination that this one replaces, also where its length or size
  // was another one: within the same day or month it is used here too.
  void Restore(const Kept& kept);

 private:
  WallTime BeginOf(WallTime at) const;
  WallTime EndOf(WallTime begin) const;

  BudgetOptions options_;
  std::optional<WallTime> begin_;  // none before the first Look()
  MonoTime seen_{};                // since when
  std::uint64_t used_ = 0;
  std::uint64_t reserved_ = 0;  // of `used_`
};

}  // namespace packhorse::limit
