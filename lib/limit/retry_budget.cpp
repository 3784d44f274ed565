#include <algorithm>

#include "limit/circuit_breaker.h"

namespace packhorse::limit {
namespace {

std::int64_t MinuteOf(MonoTime now) { return std::chrono::floor<std::chrono::minutes>(now).time_since_epoch().count(); }

}  // namespace

RetryBudget::RetryBudget(double share, std::uint32_t floor_per_minute)
    : share_(share > 0.0 ? share : 0.0), floor_(std::max<std::uint32_t>(floor_per_minute, 1)) {}

RetryBudget::Minute& RetryBudget::At(MonoTime now) {
  const std::int64_t index = MinuteOf(now);
  Minute& minute = minutes_[static_cast<std::size_t>(index) % kMinutes];
  if (minute.index != index) {
    minute = Minute{index, 0, 0};
  }
  return minute;
}

void RetryBudget::CountFirst(MonoTime now) { ++At(now).first; }

void RetryBudget::CountRetry(MonoTime now) { ++At(now).retries; }

MonoTime RetryBudget::NextRetry(MonoTime now) const {
  const std::int64_t index = MinuteOf(now);
  std::uint64_t first = 0;
  std::uint64_t retries = 0;
  std::uint64_t retries_this_minute = 0;
  for (const Minute& minute : minutes_) {
    if (minute.index > index - static_cast<std::int64_t>(kMinutes)) {
      first += minute.first;
      retries += minute.retries;
      retries_this_minute += minute.index == index ? minute.retries : 0;
    }
  }
  const bool within_share = static_cast<double>(retries + 1) <= share_ * static_cast<double>(first);
  if (within_share || retries_this_minute < floor_) {
    return now;
  }
  return MonoTime(std::chrono::minutes(index + 1));
}

}  // namespace packhorse::limit
