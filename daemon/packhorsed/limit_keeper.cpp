#include "packhorsed/limit_keeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/units.h"
#include "health/log.h"

namespace packhorse::daemon {
namespace {

// After this long without another one the event is over.
constexpr std::chrono::seconds kQuiet{60};
constexpr const char* kFailing = "limits_not_enforced";

std::string What(const queue::GivenUp& given_up) {
  std::string text =
      given_up.reason + ": " + std::to_string(given_up.messages) + " in lane " + std::string(Name(given_up.lane));
  text += given_up.first == 0 ? " turned away on arrival"
                              : ", numbers " + std::to_string(given_up.first) + " to " + std::to_string(given_up.last);
  return text + ", for destination '" + given_up.destination + "'";
}

}  // namespace

void LimitKeeper::Report(const queue::GivenUp& given_up, MonoTime now) {
  const bool expired = given_up.outcome == Outcome::kExpired;
  const std::string name = expired ? "messages_expired" : "messages_dropped";
  health::Log(health::LogLevel::kWarning, name + "_range", What(given_up));
  Loss& loss = losses_[{name, given_up.destination}];
  loss.messages += given_up.messages;
  loss.last = now;
  parts_.events.Raise(expired ? health::Severity::kP2 : health::Severity::kP1, name, given_up.destination,
                      std::to_string(loss.messages) + (expired ? " messages expired" : " messages dropped") +
                          " so far; the last: " + What(given_up),
                      parts_.clock.Wall());
}

void LimitKeeper::Enforce(MonoTime now) {
  const queue::LimitReport report = parts_.queue->EnforceLimits(now);
  for (const queue::GivenUp& given_up : report.given_up) {
    Report(given_up, now);
    gaps_.Add(given_up, now);
  }
  const WallTime wall = parts_.clock.Wall();
  std::erase_if(losses_, [&](const auto& each) {
    const bool over = now - each.second.last >= kQuiet;
    if (over) {
      parts_.events.Resolve(each.first.first, each.first.second, wall);
    }
    return over;
  });
  if (report.problem) {
    parts_.events.Raise(health::Severity::kP1, kFailing, "", report.problem->message, wall);
  } else {
    parts_.events.Resolve(kFailing, "", wall);
  }
}

std::string LimitKeeper::HeldBecause(const queue::Stats& stats) const {
  if (stats.full == queue::kFullDisk) {
    return "the disk is full: the broker keeps what comes until there is room";
  }
  const auto& overflow = parts_.config.queue.overflow;
  const bool blocks = std::find(overflow.begin(), overflow.end(), config::Overflow::kBlock) != overflow.end();
  return stats.full.empty() || !blocks
             ? ""
             : "the queue is full (" + stats.full + "): the broker keeps what comes until there is room";
}

void LimitKeeper::HoldSource(SourceUnit& unit, const std::string& because) {
  if (unit.source && !unit.leaving) {
    unit.source->BeginStop();
    unit.leaving = true;
    health::Log(health::LogLevel::kWarning, "source_blocked", because, {{"source", unit.config.name}});
  }
  if (unit.error != because) {
    unit.error = because;
    unit.since = parts_.clock.Wall();
  }
}

void LimitKeeper::HoldSources(const queue::Stats& stats, MonoTime now) {
  const std::string because = HeldBecause(stats);
  std::erase_if(parts_.leaving_sources, [](const auto& unit) { return unit->source->Stopped(); });
  for (const auto& unit : parts_.sources) {
    if (unit->leaving && unit->source->Stopped()) {
      unit->source.reset();
      unit->leaving = false;
    }
    if (!because.empty()) {
      HoldSource(*unit, because);
    } else if (!unit->source && now >= unit->retry_at) {
      StartSource(parts_, *unit, now);
    }
  }
}

}  // namespace packhorse::daemon
