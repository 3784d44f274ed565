#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace packhorse::limit {

// The rate of requests that the other side bears, as its refusals (429, a rate header that says nothing is left) have
// shown. Learns what no configuration and no header tells. No I/O; time is an argument and monotonic; not thread-safe
// (loop). Memory: 64 slots.
//
// A limit is a count in a time. At a refusal the count is what passed, and the time ends when the other side says that
// there is room again: their ratio is the rate. From then on requests are spaced evenly at 97 % of it. A refusal at
// that pace corrects it downwards. After six hours without one it tries 10 % more, an hour each; a trial that is
// refused is taken back, and the next one waits twice as long. Where a slower pace does not make refusals more seldom,
// the rate is not what they are about: it is forgotten, and nothing is learnt for an hour.
//
// One refusal alone is no evidence of much: it takes the rate to a tenth of what passed before at most, a known rate to
// a sixteenth. Where it claims less, a second refusal has to show it, too; when more passes than the claim allows, the
// rate is as it was before. A wait that is longer than the longest one that is kept
// (CircuitBreakerOptions::throttle_max) teaches nothing.
class LearntRate {
 public:
  // What a restart needs to know; 0: nothing is known.
  struct Kept {
    double per_second = 0;

    bool operator==(const Kept&) const = default;
  };

  // A request was answered, and was not refused for the rate.
  void Passed(MonoTime now);
  // One was. `wait`: what the other side asks for; none: it does not say.
  void Refused(MonoTime now, std::optional<std::chrono::milliseconds> wait);

  // When the next request may go: `now` or later.
  MonoTime NextAdmission(MonoTime now) const;
  // Counts it. REQUIRES: NextAdmission(now) <= now.
  void Admit(MonoTime now);

  // What is in force; none: nothing is learnt.
  std::optional<double> per_second() const { return per_second_; }
  // What is in doubt is not kept.
  Kept ToKeep() const { return {(doubted_ ? doubted_->before : per_second_).value_or(0)}; }
  // `now` begins the quiet time after which it tries more.
  void Restore(const Kept& kept, MonoTime now);
  std::size_t slot_count() const { return passed_.size(); }

 private:
  struct Slot {
    MonoTime first{};
    MonoTime last{};
    std::uint64_t count = 0;
  };

  // What a refusal shows: so many, and no more, in such a time.
  struct Claim {
    double per_second = 0;
    std::uint64_t count = 0;
  };
  // A claim that one refusal alone makes, and the rate before it.
  struct Doubted {
    std::optional<double> before;
    Claim claim;
  };

  // None: too little passed to tell.
  std::optional<Claim> Shown(MonoTime now, std::chrono::milliseconds wait) const;
  // The most that passed in any time until now, per second.
  double Fastest() const;
  void Learn(const std::optional<Claim>& shown, MonoTime now);
  void TakeClaim(Claim claim);
  // Takes back what is in doubt once it is shown to be wrong.
  void Disprove(MonoTime now);
  // Whether the refusals are about something else.
  bool InVain(MonoTime now);
  void TryMore(MonoTime now);
  std::chrono::nanoseconds Spacing() const;

  std::optional<double> per_second_;
  std::optional<Doubted> doubted_;
  std::optional<double> before_trial_;
  std::uint32_t trials_ = 0;     // since the last refusal
  std::chrono::hours quiet_{6};  // without a refusal, before it tries more
  MonoTime try_at_{};
  MonoTime next_at_{};          // by the pace
  bool paced_ = false;          // something waited for the pace since the last change of it
  std::deque<Slot> passed_;     // since the last refusal
  std::uint64_t last_run_ = 0;  // how many passed between the two refusals before
  std::uint32_t in_vain_ = 0;   // refusals in a row that a slower pace did not make more seldom
  MonoTime learns_at_{};
  std::optional<MonoTime> since_;  // when there was room again after the last refusal
};

}  // namespace packhorse::limit
