#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "delivery/delivery.h"
#include "health/metrics.h"
#include "ingest/ingest.h"
#include "monitor/reasons.h"
#include "queue/values/stats.h"

namespace packhorse::monitor {

// Is the bridge well? One judgement for `status`, for the events and for the line of the service manager.

// What is judged; plain values.
struct Condition {
  std::vector<ingest::SourceStatus> sources;
  std::vector<delivery::DestinationStatus> destinations;
  queue::Stats queue;
  std::uint64_t max_queue_bytes = 0;     // 0: no limit
  std::uint64_t max_queue_messages = 0;  // likewise
  std::chrono::milliseconds window{};    // of durability
  bool ledger_balanced = true;
  std::map<std::string, Course> courses;  // of the destinations
  std::vector<health::Event> events;      // that are open
};

enum class State : std::uint8_t { kOk, kDegraded, kDown };
std::string_view Name(State state);  // "ok", "degraded", "down"

struct Verdict {
  State state = State::kOk;
  std::vector<std::string> reasons;  // worst first, a sentence each, with since when; empty when ok
};
// down: nothing can come in and nothing can go out, or the store fails. degraded: anything else that is not as it
// should, which is what a reason says; what is acknowledged is no reason. An open event of P0 to P2 is one.
Verdict Judge(const Condition& condition);
// Of a single source or destination; also those that do not degrade.
std::vector<Reason> ReasonsOf(const Condition& condition, const delivery::DestinationStatus& destination);

// Messages by destination of those that are not in the configuration any more: kept, but not sent.
std::map<std::string, std::uint64_t> LeftBehind(const Condition& condition);

// Raises and resolves the events of sources, store and long outages (docs/RUNBOOK.md has a section for each; the ones
// of a single delivery are raised by lib/delivery). Loop thread.
class Watch {
 public:
  // `queue_path`: the database, for messages.
  Watch(health::Events& events, const Clock& clock, std::string queue_path)
      : events_(events), clock_(clock), queue_path_(std::move(queue_path)) {}

  void Check(const Condition& condition);

 private:
  void CheckSource(const ingest::SourceStatus& source, WallTime now);
  void CheckReplaced(const Condition& condition, WallTime now);
  void CheckStore(const Condition& condition, WallTime now);
  void CheckAtRisk(const Condition& condition, WallTime now);
  void CheckLeftBehind(const Condition& condition, WallTime now);
  void CheckUndecodable(const Condition& condition, WallTime now);
  void CheckDestination(const delivery::DestinationStatus& destination, WallTime now);

  health::Events& events_;
  const Clock& clock_;
  const std::string queue_path_;
  queue::Replaced replaced_;  // as told
};

}  // namespace packhorse::monitor
