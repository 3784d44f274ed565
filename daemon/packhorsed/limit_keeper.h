#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "packhorsed/app.h"
#include "packhorsed/gaps.h"
#include "queue/queue.h"

namespace packhorse::daemon {

// Keeps the queue within its limits, and says what that costs: a line in the log for each range that goes, an event per
// destination (docs/RUNBOOK.md: messages_dropped, messages_expired). Loop thread.
class LimitKeeper {
 public:
  LimitKeeper(App& app, Gaps& gaps) : app_(app), gaps_(gaps) {}

  // To be called once a second.
  void Enforce(MonoTime now);
  // Takes the sources off their brokers while the disk is full, or the queue is and is to block. A clean disconnect:
  // the broker keeps the session and what comes for it, within its own limits.
  void HoldSources(const queue::Stats& stats);
  // As of the last HoldSources().
  bool held() const { return held_; }

  // Why the sources are to be off their brokers; empty: they are not.
  std::string HeldBecause(const queue::Stats& stats) const;

 private:
  // Tells of each destination whose messages expire soon, once, as long as that is so.
  void TellExpiry(const std::vector<queue::ExpireSoon>& soon);
  void Report(const queue::GivenUp& given_up);
  void HoldSource(SourceUnit& unit, const std::string& because);

  App& app_;
  Gaps& gaps_;
  bool held_ = false;
  std::set<std::string> expire_soon_;  // destinations that were told of
  // What an open event has counted.
  struct Lost {
    std::uint64_t messages = 0;
    bool since_start = false;  // there were others before, in the same event
  };
  std::map<std::pair<std::string, std::string>, Lost> lost_;  // by event and destination
};

}  // namespace packhorse::daemon
