#include "packhorsed/observe.h"

#include <algorithm>
#include <chrono>

namespace packhorse::daemon {
namespace {

// What was noted before the clock was right is shown as when it was.
void CorrectTimes(const WallHistory& history, monitor::Condition& condition) {
  for (ingest::SourceStatus& source : condition.sources) {
    source.since = history.Corrected(source.since);
  }
  for (delivery::DestinationStatus& destination : condition.destinations) {
    destination.since = history.Corrected(destination.since);
    destination.last_success_at = history.Corrected(destination.last_success_at);
  }
  condition.queue.failing_since = history.Corrected(condition.queue.failing_since);
  for (health::Event& event : condition.events) {
    event.since = history.Corrected(event.since);
  }
}

}  // namespace

monitor::Condition Observe(const App& app, MonoTime now) {
  monitor::Condition condition;
  for (const auto& unit : app.sources->units()) {
    condition.sources.push_back(bridge::StatusOf(*unit));
  }
  for (const bridge::DestinationUnit& unit : app.destinations->units()) {
    condition.destinations.push_back(unit.destination->Snapshot(now));
    condition.courses[unit.config.name] = {unit.growth.Now(),
                                           std::chrono::floor<std::chrono::seconds>(now - app.started)};
    if (condition.destinations.back().state == limit::CircuitState::kPaused) {
      condition.destinations.back().since = unit.paused_since;  // not since when uploads worked or failed before
    }
  }
  condition.queue = app.queue->Snapshot();
  condition.max_queue_bytes = app.config.queue.max_bytes;
  condition.max_queue_messages = app.config.queue.max_records;
  condition.window = app.config.queue.window;
  condition.events = app.events.Open();
  condition.ledger_balanced = std::none_of(condition.events.begin(), condition.events.end(),
                                           [](const health::Event& event) { return event.name == "ledger_mismatch"; });
  CorrectTimes(app.wall_history, condition);
  return condition;
}

}  // namespace packhorse::daemon
