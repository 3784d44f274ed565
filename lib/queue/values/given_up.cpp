#include "queue/values/given_up.h"

#include <utility>

namespace packhorse::queue {

bool Continues(const GivenUpRange& range, const GivenUpRange& next) {
  return next.first == range.last + 1 && next.outcome == range.outcome && next.reason == range.reason &&
         next.until_at - range.from_at < kGivenUpSpan && range.from_at - next.until_at < kGivenUpSpan;
}

void Extend(GivenUpRange& range, const GivenUpRange& next) {
  range.last = next.last;
  range.messages += next.messages;
  range.until_at = next.until_at;
}

void LogGivenUp(std::vector<GivenUpRange>& log, GivenUpRange next) {
  if (next.last < next.first) {
    return;
  }
  if (!log.empty() && Continues(log.back(), next)) {
    Extend(log.back(), next);
  } else {
    log.push_back(std::move(next));
  }
}

}  // namespace packhorse::queue
