#include "limit/send_window.h"

#include <algorithm>
#include <ctime>

namespace packhorse::limit {
namespace {

using std::chrono::microseconds;

constexpr microseconds kDay = std::chrono::days(1);

// `to` reckoned from midnight of the day of `from`.
microseconds EndOf(const DayWindow& window) { return window.to > window.from ? window.to : window.to + kDay; }

}  // namespace

microseconds UntilOpen(const std::vector<DayWindow>& windows, WallTime now, std::chrono::seconds local_offset) {
  if (windows.empty()) {
    return microseconds::zero();
  }
  microseconds wait = kDay;
  for (const DayWindow& window : windows) {
    const WallTime there = window.local ? now + local_offset : now;
    const microseconds of_day = there - std::chrono::floor<std::chrono::days>(there);
    const microseconds from = window.from;
    const microseconds to = EndOf(window);
    // It may have begun yesterday.
    if ((of_day >= from && of_day < to) || of_day + kDay < to) {
      return microseconds::zero();
    }
    wait = std::min(wait, of_day < from ? from - of_day : from + kDay - of_day);
  }
  return wait;
}

std::chrono::seconds LocalOffset(WallTime at) {
  const std::time_t time = std::chrono::system_clock::to_time_t(at);
  std::tm local{};
  return std::chrono::seconds(localtime_r(&time, &local) != nullptr ? local.tm_gmtoff : 0);
}

}  // namespace packhorse::limit
