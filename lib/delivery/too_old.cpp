// Records that the destination's API does not take because of their time: what waits for somebody, and what is told.

#include <algorithm>
#include <span>

#include "base/units.h"
#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookAtAges = 10s;
// What is on its way is not about to become too old: its answer comes first.
constexpr auto kOnItsWay = 1min;

bool AnyHeld(std::span<const LineState> lines) {
  return std::any_of(lines.begin(), lines.end(), [](const LineState& line) {
    return line.held ||
           std::any_of(line.line.begin(), line.line.end(), [](const ActivePtr& each) { return each->held; });
  });
}

}  // namespace

// What may be stored already does not go again under another key, where that would store it twice. A mended payload
// cannot be rendered again.
bool DestinationImpl::IsOutdated(const Active& active) const {
  const bool stays = active.mended || (active.may_have_arrived && !options_.contract->recognises_records());
  return options_.accepted.oldest && active.batch.born && !stays &&
         deps_.clock.Boot() - *active.batch.born > *options_.accepted.oldest;
}

MonoTime DestinationImpl::LookAtTimes(MonoTime now) {
  const AcceptedTimes& accepted = options_.accepted;
  if (!accepted.limited() && times_told_.held) {
    return now + kIdle;
  }
  if (const bool held = AnyHeld(lines_); held != times_told_.held) {
    times_told_.held = held;
    deps_.events.Follow(held, "lane_held_by_time", options_.name,
                        times_told_.why_held + ". Nothing behind it is sent until contract or configuration take it",
                        deps_.clock.Wall());
    if (!accepted.oldest) {
      Over("records_too_old_soon");
    }
  }
  MonoTime next = now + kIdle;
  if (const std::optional<MonoTime> due = times_told_.outside.due()) {
    next = std::min(next, std::max(*due, now));
    if (*due <= now) {
      Tell("records_outside_window", times_told_.outside.Take(accepted, now));
    }
  }
  if (accepted.oldest) {
    if (now - times_told_.ages_at >= kLookAtAges) {
      times_told_.ages_at = now;
      WarnOfAge();
    }
    next = std::min(next, times_told_.ages_at + kLookAtAges);
  }
  return next;
}

void DestinationImpl::WarnOfAge() {
  const std::chrono::milliseconds oldest = *options_.accepted.oldest;
  const WallTime oldest_at = deps_.queue.OldestPending(options_.name);
  const auto waited = oldest_at == WallTime{} ? std::chrono::microseconds(0) : deps_.clock.Wall() - oldest_at;
  std::chrono::microseconds age = waited;
  if (options_.accepted.outside != contract::Outside::kSendWithReceivedTime) {
    for (const LineState& line : lines_) {
      for (const ActivePtr& active : line.line) {
        const auto born = active->batch.born.value_or(deps_.clock.Boot());
        age = std::max(age, std::chrono::floor<std::chrono::microseconds>(deps_.clock.Boot() - born));
      }
    }
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(oldest - age);
  const bool near = waited >= kOnItsWay && left <= options_.accepted.Notice();
  deps_.events.Follow(near, "records_too_old_soon", options_.name,
                      "the API takes what is " + options_.accepted.Words() + ", and the oldest record that waits is " +
                          (left > 0ms ? "too old at " + FormatUtc(deps_.clock.Wall() + left) : "too old now"),
                      deps_.clock.Wall());
}

}  // namespace packhorse::delivery
