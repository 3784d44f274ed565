#include "monitor/expiries.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "delivery/deprecation.h"

namespace packhorse::monitor {
namespace {

struct Level {
  std::chrono::hours before;
  health::EventName event;
};
// Worst first.
constexpr std::array<Level, 3> kLevels{{{std::chrono::hours(24), "credential_expires_now"},
                                        {std::chrono::hours(7 * 24), "credential_expires_soon"},
                                        {std::chrono::hours(30 * 24), "credential_expires"}}};

std::string Describe(const Expiring& each, WallTime now) {
  const std::string date = FormatUtc(each.ends).substr(0, 16) + "Z";
  if (each.ends <= now) {
    return each.what + " has ended on " + date;
  }
  const auto days = delivery::DaysLeft(each.ends, now);
  return each.what + " ends on " + date + ", in " +
         (days == 0 ? "less than a day" : std::to_string(days) + (days == 1 ? " day" : " days"));
}

}  // namespace

void FollowExpiries(const std::vector<Expiring>& all, health::Events& events, WallTime now) {
  std::vector<Expiring> soonest = all;
  std::stable_sort(soonest.begin(), soonest.end(),
                   [](const Expiring& a, const Expiring& b) { return a.ends < b.ends; });
  std::map<std::pair<std::string_view, std::string>, std::string> open;  // event and owner
  for (const Expiring& each : soonest) {
    const auto* level = std::find_if(kLevels.begin(), kLevels.end(),
                                     [&](const Level& candidate) { return each.ends - now <= candidate.before; });
    if (level != kLevels.end()) {
      std::string& message = open[{level->event.text(), each.owner}];
      message += (message.empty() ? "" : "; ") + Describe(each, now);
    }
  }
  for (const Level& level : kLevels) {
    for (const auto& [key, message] : open) {
      if (key.first == level.event.text()) {
        events.Follow(true, level.event, key.second, message, now);
      }
    }
  }
  events.ResolveIf(
      [&](const health::Event& event, const health::EventKind&) {
        const bool ours = std::any_of(kLevels.begin(), kLevels.end(),
                                      [&](const Level& level) { return level.event.text() == event.name; });
        return ours && !open.contains({event.name, event.subject});
      },
      now);
}

}  // namespace packhorse::monitor
