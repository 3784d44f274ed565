#include "queue/clock/expiry.h"

#include <algorithm>

namespace packhorse::queue {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kLongestWait = std::chrono::hours(1);
constexpr int kPart = 10;  // of max_age

}  // namespace

milliseconds Expiry::Wait(milliseconds max_age) { return std::min(kLongestWait, max_age / kPart); }

void Expiry::SetMaxAge(milliseconds max_age) {
  if (max_age != max_age_) {
    max_age_ = max_age;
    told_.clear();
  }
}

void Expiry::Begin(const ClockEpochs& boots, const ClockReading& clocks, MonoTime now) {
  now_ = now;
  near_.clear();
  const ClockRecord& record = boots.clock_record();
  const nanoseconds wait = Wait(max_age_);
  clock_left_ = wait - record.steady();
  if (record.synchronized_now()) {
    clock_left_ = std::max(clock_left_, wait - record.synchronized());
  }
  clock_left_ = std::max(clock_left_, nanoseconds(0));
  ages_ = boots.AgesAt(clocks.boot, record.synchronized() >= wait);
  outlook_ = boots.AgesAt(clocks.boot, true);
  by_running_time_ = !record.synchronized_now() && record.synchronized() < wait;
}

bool Expiry::IsNear(Lane lane, Sequence sequence, nanoseconds boot_time) const {
  return outlook_.Of(lane, sequence, boot_time) >= max_age_ - Wait(max_age_);
}

bool Expiry::IsDue(DestinationId destination, Lane lane, Sequence sequence, nanoseconds boot_time) {
  if (!enabled() || !IsNear(lane, sequence, boot_time)) {
    return false;
  }
  const microseconds outlook = outlook_.Of(lane, sequence, boot_time);
  Told& told = told_.try_emplace(destination, Told{now_, outlook}).first->second;
  told.oldest = near_.insert(destination).second ? outlook : std::max(told.oldest, outlook);
  return clock_left_ == nanoseconds(0) && now_ - told.since >= Wait(max_age_) &&
         ages_.Of(lane, sequence, boot_time) >= max_age_;
}

std::vector<Expiry::Near> Expiry::End(bool complete) {
  if (complete) {
    std::erase_if(told_, [&](const auto& each) { return !near_.contains(each.first); });
  }
  std::vector<Near> all;
  for (const auto& [destination, told] : told_) {
    const nanoseconds told_left = Wait(max_age_) - (now_ - told.since);
    const nanoseconds left = std::max({told_left, clock_left_, nanoseconds(max_age_ - told.oldest)});
    all.push_back(Near{destination, told.oldest, std::chrono::ceil<microseconds>(std::max(left, nanoseconds(0))),
                       by_running_time_});
  }
  return all;
}

}  // namespace packhorse::queue
