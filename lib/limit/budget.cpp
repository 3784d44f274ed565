#include "limit/budget.h"

#include <algorithm>

#include "base/units.h"

namespace packhorse::limit {
namespace {

using std::chrono::days;
using std::chrono::floor;

constexpr days kLongestMonth{31};
constexpr WallTime kLatestBegin = std::chrono::sys_days(std::chrono::year(9999) / 1 / 1);

}  // namespace

WallTime Budget::BeginOf(WallTime at) const {
  const std::chrono::sys_days day = floor<days>(at);
  if (options_.per == BudgetOptions::Per::kDay) {
    return day;
  }
  const std::chrono::year_month_day date(day);
  return std::chrono::sys_days(date.year() / date.month() / std::chrono::day(1));
}

WallTime Budget::EndOf(WallTime begin) const {
  if (options_.per == BudgetOptions::Per::kDay) {
    return begin + days(1);
  }
  const std::chrono::year_month_day date(floor<days>(begin));
  return std::chrono::sys_days((date.year() / date.month() + std::chrono::months(1)) / std::chrono::day(1));
}

WallTime Budget::end() const { return EndOf(begin_.value_or(WallTime{})); }

std::chrono::nanoseconds Budget::Left(const Now& now) const {
  const std::chrono::nanoseconds longest = options_.per == BudgetOptions::Per::kDay ? days(1) : kLongestMonth;
  return std::clamp<std::chrono::nanoseconds>(
      std::min<std::chrono::nanoseconds>(end() - now.wall, seen_ + longest - now.mono), std::chrono::milliseconds(1),
      longest);
}

void Budget::Look(const Now& now) {
  const WallTime begin = BeginOf(now.wall);
  if (!begin_) {
    begin_ = begin;
    seen_ = now.mono;
    return;
  }
  if (seen_ == MonoTime{}) {  // restored
    seen_ = now.mono;
    begin_ = BeginOf(*begin_);
  }
  const bool outlived = now.mono - seen_ >= (options_.per == BudgetOptions::Per::kDay ? days(1) : kLongestMonth);
  if (begin == *begin_ && !outlived) {
    return;
  }
  if (begin > *begin_ || outlived) {
    used_ = reserved_;
  } else if (!now.synchronized) {
    return;
  }
  begin_ = begin;
  seen_ = now.mono;
}

bool Budget::Admits(std::uint64_t bytes) const {
  return used_ == 0 || AddSaturating(used_, bytes) <= std::max<std::uint64_t>(options_.bytes, 1);
}

void Budget::Reserve(std::uint64_t bytes) {
  used_ = AddSaturating(used_, bytes);
  reserved_ = AddSaturating(reserved_, bytes);
}

void Budget::Sent(std::uint64_t reserved, std::uint64_t bytes) {
  reserved = std::min(reserved, reserved_);
  reserved_ -= reserved;
  used_ = AddSaturating(used_ - reserved, bytes);
}

void Budget::Restore(const Kept& kept) {
  begin_ = std::clamp(kept.begin, WallTime{}, kLatestBegin);
  seen_ = MonoTime{};
  used_ = kept.used;
  reserved_ = 0;
}

}  // namespace packhorse::limit
