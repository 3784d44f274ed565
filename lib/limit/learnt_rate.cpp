#include "limit/learnt_rate.h"

#include <algorithm>
#include <utility>

#include "limit/circuit_breaker.h"

namespace packhorse::limit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr double kMargin = 0.97;
// Of a rate that was refused although nothing shows what would pass.
constexpr double kDecrease = 0.75;
constexpr double kLargestDecrease = 1.0 / 16;
// Of what passed, where no rate is known yet.
constexpr double kLargestFirst = 0.1;
constexpr double kTrial = 1.1;
// Fewer requests say more of chance than of a limit.
constexpr std::uint64_t kFewestToTell = 3;
// A second is the shortest window that is met in the field, and the shortest wait that a header can ask for.
constexpr milliseconds kShortestWindow{1'000};
// What came before a longer pause than this belongs to another window.
constexpr seconds kPause{60};
constexpr hours kLongestQuiet{48};
constexpr hours kTrialTime{1};
constexpr std::uint32_t kMostInVain = 5;
constexpr hours kNothingLearnt{1};
constexpr std::size_t kMaxSlots = 64;
// A longer one is not kept: what the next request meets tells more.
constexpr milliseconds kLongestKept = CircuitBreakerOptions{}.throttle_max;
// Slower than this the pace would be a stop, faster it means nothing.
constexpr double kSlowest = 1.0 / 3'600;
constexpr double kFastest = 10'000;

double SecondsOf(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

double RateOf(std::uint64_t count, nanoseconds time) {
  return static_cast<double>(count) / SecondsOf(std::max<nanoseconds>(time, kShortestWindow));
}

}  // namespace

void LearntRate::Passed(MonoTime now) {
  if (passed_.size() == kMaxSlots) {
    // Half as fine, and so twice as long.
    for (std::size_t i = 0; i < kMaxSlots / 2; ++i) {
      const Slot& first = passed_[2 * i];
      const Slot& second = passed_[2 * i + 1];
      passed_[i] = Slot{first.first, second.last, first.count + second.count};
    }
    passed_.resize(kMaxSlots / 2);
  }
  if (!passed_.empty() && now - passed_.back().first < kShortestWindow) {
    passed_.back().last = now;
    ++passed_.back().count;
  } else {
    passed_.push_back(Slot{now, now, 1});
  }
  Disprove(now);
  TryMore(now);
}

void LearntRate::Refused(MonoTime now, std::optional<milliseconds> wait) {
  // Of several requests that are refused together the first one tells.
  if ((since_ && now < *since_) || wait > kLongestKept) {
    return;
  }
  const milliseconds asked = std::max(wait.value_or(kShortestWindow), milliseconds::zero());
  if (!InVain(now)) {
    Learn(Shown(now, asked), now);
  }
  passed_.clear();
  since_ = now + asked;
}

// Every beginning gives a rate. Of the first refusal the largest counts, because the window may have begun at any time.
// After that it is known when the window began; but a pause within it may have been longer than the window.
std::optional<LearntRate::Claim> LearntRate::Shown(MonoTime now, milliseconds wait) const {
  const MonoTime end = now + wait;
  std::optional<Claim> most;
  std::uint64_t count = 0;
  for (std::size_t i = passed_.size(); i-- > 0;) {
    const Slot& slot = passed_[i];
    count += slot.count;
    const MonoTime before = i > 0 ? passed_[i - 1].last : since_.value_or(slot.first);
    const bool after_pause = slot.first - before > kPause;
    if (since_ && i > 0 && !after_pause) {
      continue;
    }
    const MonoTime begin = since_ && i == 0 && !after_pause ? *since_ : slot.first;
    if (count >= kFewestToTell) {
      const double rate = RateOf(count, end - begin);
      most = most && most->per_second >= rate ? most : Claim{rate, count};
    }
  }
  return most;
}

double LearntRate::Fastest() const {
  double fastest = 0;
  std::uint64_t count = 0;
  for (std::size_t i = passed_.size(); i-- > 0;) {
    count += passed_[i].count;
    if (count >= kFewestToTell) {
      fastest = std::max(fastest, RateOf(count - 1, passed_.back().last - passed_[i].first));
    }
  }
  return fastest;
}

bool LearntRate::InVain(MonoTime now) {
  std::uint64_t run = 0;
  for (const Slot& slot : passed_) {
    run += slot.count;
  }
  in_vain_ = per_second_ && !before_trial_ && run <= 2 * last_run_ ? in_vain_ + 1 : 0;
  last_run_ = run;
  if (in_vain_ >= kMostInVain) {
    per_second_.reset();
    doubted_.reset();
    in_vain_ = 0;
    learns_at_ = now + kNothingLearnt;
  }
  return now < learns_at_;
}

void LearntRate::Learn(const std::optional<Claim>& shown, MonoTime now) {
  if (before_trial_) {
    // A bucket that is drained slowly refuses only the trial after the one that was too much.
    per_second_ = trials_ > 1 ? *before_trial_ / kTrial : *before_trial_;
    quiet_ = std::min(2 * quiet_, kLongestQuiet);
  } else if (shown) {
    TakeClaim(*shown);
  }
  if (per_second_) {
    per_second_ = std::max(*per_second_, kSlowest);
  }
  before_trial_.reset();
  trials_ = 0;
  try_at_ = now + quiet_;
  paced_ = false;
}

void LearntRate::TakeClaim(Claim claim) {
  const std::optional<Doubted> doubted = std::exchange(doubted_, std::nullopt);
  if (doubted) {
    claim.per_second = std::max(claim.per_second, doubted->claim.per_second);  // as much as both bear out
  }
  const double rate = claim.per_second * kMargin;
  if (per_second_ && rate >= *per_second_) {
    per_second_ = *per_second_ * kDecrease;
    return;
  }
  const double least = doubted ? 0 : per_second_ ? *per_second_ * kLargestDecrease : Fastest() * kLargestFirst;
  if (rate < least) {
    doubted_ = Doubted{per_second_, claim};
  }
  per_second_ = std::max(rate, least);
}

// A window may begin at any time: at its limit twice its count passes in a short time, but no more than that beside its
// rate.
void LearntRate::Disprove(MonoTime now) {
  if (!doubted_ || !since_) {
    return;
  }
  std::uint64_t passed = 0;
  for (const Slot& slot : passed_) {
    passed += slot.first >= *since_ ? slot.count : 0;  // what was under way says nothing
  }
  const Claim& claim = doubted_->claim;
  const double time = std::max(0.0, SecondsOf(now - *since_));
  if (static_cast<double>(passed) > 2 * static_cast<double>(claim.count) + claim.per_second * time) {
    per_second_ = doubted_->before;
    doubted_.reset();
  }
}

void LearntRate::TryMore(MonoTime now) {
  // Where nothing waits for the pace a faster one would show nothing.
  if (!per_second_ || now < try_at_ || !paced_) {
    return;
  }
  if (before_trial_) {
    quiet_ = hours(6);  // it bears more than it did
  }
  ++trials_;
  doubted_.reset();
  before_trial_ = per_second_;
  per_second_ = *per_second_ * kTrial;
  try_at_ = now + kTrialTime;
  paced_ = false;
  if (*per_second_ > kFastest) {
    per_second_.reset();
    before_trial_.reset();
  }
}

nanoseconds LearntRate::Spacing() const {
  return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(1 / *per_second_));
}

MonoTime LearntRate::NextAdmission(MonoTime now) const { return per_second_ ? std::max(now, next_at_) : now; }

void LearntRate::Admit(MonoTime now) {
  if (!per_second_) {
    return;
  }
  const nanoseconds spacing = Spacing();
  // It came no later than the pace allows, within a turn of the loop: it had waited.
  paced_ = paced_ || now - next_at_ < std::max<nanoseconds>(spacing / 2, milliseconds(20));
  // The pace is kept on average where the loop comes late by less than a spacing.
  next_at_ = std::max(next_at_, now - spacing) + spacing;
}

void LearntRate::Restore(const Kept& kept, MonoTime now) {
  if (kept.per_second >= kSlowest && kept.per_second <= kFastest) {
    per_second_ = kept.per_second;
    try_at_ = now + quiet_;
  }
}

}  // namespace packhorse::limit
