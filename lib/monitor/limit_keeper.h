#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "health/metrics.h"
#include "monitor/gaps.h"
#include "queue/queue.h"

namespace packhorse::monitor {

// Keeps the queue within its limits, and says what that costs: a line in the log for each range that goes, an event per
// destination (docs/RUNBOOK.md: messages_dropped, messages_expired). Loop thread.
class LimitKeeper {
 public:
  // `config` is the configuration in force: it changes in place.
  LimitKeeper(queue::Queue& queue, health::Events& events, const Clock& clock, const config::Queue& config, Gaps& gaps)
      : queue_(queue), events_(events), clock_(clock), config_(config), gaps_(gaps) {}

  // To be called once a second.
  void Enforce(MonoTime now);
  // Why the sources are to be off their brokers, which keep the sessions and what comes for them: the disk is full, or
  // the queue is and is to block. Empty: they need not.
  std::string BlockedBecause(const queue::Stats& stats) const;

 private:
  // Tells of each destination whose messages expire soon, once, as long as that is so.
  void TellExpiry(const std::vector<queue::ExpireSoon>& soon);
  void Report(const queue::GivenUp& given_up);

  queue::Queue& queue_;
  health::Events& events_;
  const Clock& clock_;
  const config::Queue& config_;
  Gaps& gaps_;
  std::set<std::string> expire_soon_;  // destinations that were told of
  // What an open event has counted.
  struct Lost {
    std::uint64_t messages = 0;
    bool since_start = false;  // there were others before, in the same event
  };
  std::map<std::pair<std::string, std::string>, Lost> lost_;  // by event and destination
};

}  // namespace packhorse::monitor
