#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "delivery/delivery.h"
#include "ingest/ingest.h"
#include "packhorsed/app.h"
#include "packhorsed/reasons.h"
#include "queue/queue.h"

namespace packhorse::daemon {

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

// Everything but the present ledger, which costs a query; that of the start is in it.
Condition Observe(const App& app, MonoTime now);

// Raises and resolves the events of sources, store and long outages (docs/RUNBOOK.md has a section for each; the ones
// of a single delivery are raised by lib/delivery). Loop thread.
class Watch {
 public:
  explicit Watch(App& app);
  void Check(const Condition& condition);

 private:
  void CheckSource(const ingest::SourceStatus& source, WallTime now);
  void CheckReplaced(const Condition& condition, WallTime now);
  void CheckStore(const Condition& condition, WallTime now);
  void CheckAtRisk(const Condition& condition, WallTime now);
  void CheckLeftBehind(const Condition& condition, WallTime now);
  void CheckUndecodable(const Condition& condition, WallTime now);
  void CheckDestination(const delivery::DestinationStatus& destination, WallTime now, MonoTime mono);

  App& app_;
  queue::Replaced replaced_;  // as told
};

}  // namespace packhorse::daemon
