#include "monitor/limit_keeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/units.h"
#include "health/log.h"

namespace packhorse::monitor {
namespace {

constexpr health::EventName kFailing = "limits_not_enforced";
constexpr health::EventName kExpireSoon = "messages_expire_soon";

std::string What(const queue::GivenUp& given_up) {
  std::string text =
      given_up.reason + ": " + std::to_string(given_up.messages) + " in lane " + std::string(Name(given_up.lane));
  text += given_up.first == 0 ? " turned away on arrival"
                              : ", numbers " + std::to_string(given_up.first) + " to " + std::to_string(given_up.last);
  return text + ", for destination '" + given_up.destination + "'";
}

// In days, hours, minutes or seconds, whichever says enough.
std::string About(std::chrono::microseconds age) {
  using std::chrono::floor;
  return age >= std::chrono::hours(48)    ? FormatDuration(floor<std::chrono::days>(age))
         : age >= std::chrono::hours(2)   ? FormatDuration(floor<std::chrono::hours>(age))
         : age >= std::chrono::minutes(2) ? FormatDuration(floor<std::chrono::minutes>(age))
                                          : FormatDuration(floor<std::chrono::seconds>(age));
}

std::string ExpiryText(const queue::ExpireSoon& soon, const config::Queue& queue) {
  using std::chrono::seconds;
  std::string text = "messages for destination '" + soon.destination + "' expire in " +
                     FormatDuration(std::chrono::ceil<seconds>(soon.in)) +
                     " at the earliest, and are gone then: the oldest has waited " + About(soon.age) +
                     ", queue.max_age is " + FormatDuration(queue.max_age) +
                     ". See in `packhorse status` why they wait, or set queue.max_age higher";
  if (soon.by_running_time) {
    text += ". The clock is not synchronised: only the time that this machine runs counts as waited";
  }
  return text;
}

}  // namespace

void LimitKeeper::Report(const queue::GivenUp& given_up) {
  const bool expired = given_up.outcome == Outcome::kExpired;
  const health::EventName name =
      expired ? health::EventName("messages_expired") : health::EventName("messages_dropped");
  health::Log(health::LogLevel::kWarning, std::string(name.text()) + "_range", What(given_up));
  Lost& lost = lost_[{std::string(name.text()), given_up.destination}];
  const bool open = events_.IsOpen(name, given_up.destination);
  lost.since_start = open && (lost.since_start || lost.messages == 0);  // it was kept over the start
  lost.messages = open ? lost.messages + given_up.messages : given_up.messages;
  events_.Raise(name, given_up.destination,
                std::to_string(lost.messages) + (expired ? " messages expired" : " messages dropped") +
                    (lost.since_start ? " since the last start" : " so far") + "; the last: " + What(given_up),
                clock_.Wall());
}

void LimitKeeper::TellExpiry(const std::vector<queue::ExpireSoon>& soon) {
  const WallTime wall = clock_.Wall();
  std::set<std::string> told;
  for (const queue::ExpireSoon& each : soon) {
    told.insert(each.destination);
    if (!expire_soon_.contains(each.destination)) {
      events_.Raise(kExpireSoon, each.destination, ExpiryText(each, config_), wall);
    }
  }
  for (const std::string& destination : expire_soon_) {
    if (!told.contains(destination)) {
      events_.Resolve(kExpireSoon, destination, wall);
    }
  }
  expire_soon_ = std::move(told);
}

void LimitKeeper::Enforce(MonoTime now) {
  const queue::LimitReport report = queue_.EnforceLimits(now);
  for (const queue::GivenUp& given_up : report.given_up) {
    Report(given_up);
    gaps_.Add(given_up, now);
  }
  TellExpiry(report.expire_soon);
  const WallTime wall = clock_.Wall();
  events_.Follow(report.problem.has_value(), kFailing, "", report.problem ? report.problem->message : "", wall);
}

std::string LimitKeeper::BlockedBecause(const queue::Stats& stats) const {
  if (stats.full == queue::kFullDisk) {
    return "the disk is full: the broker keeps what comes until there is room";
  }
  const auto& overflow = config_.overflow;
  const bool blocks = std::find(overflow.begin(), overflow.end(), Overflow::kBlock) != overflow.end();
  return stats.full.empty() || !blocks
             ? ""
             : "the queue is full (" + stats.full + "): the broker keeps what comes until there is room";
}

}  // namespace packhorse::monitor
