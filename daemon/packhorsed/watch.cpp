#include "packhorsed/watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/units.h"

namespace packhorse::daemon {
namespace {

// A reconnect within this time is everyday life and not an event.
constexpr std::chrono::seconds kSourceGrace{10};
// product.md: P1 "lag beyond the stated objective"; an outage this long is worth a look even though it heals by itself.
constexpr std::chrono::minutes kRetryGrace{5};
// Alert at 80 % of max_bytes (product.md); resolved a little lower, so that it does not flap.
constexpr std::uint64_t kFullPercent = 80;
constexpr std::uint64_t kRoomyPercent = 75;

std::string Since(WallTime since) {
  return since == WallTime{}
             ? ""
             : " since " + FormatUtc(std::chrono::floor<std::chrono::seconds>(since)).substr(0, 19) + "Z";
}

std::string Because(const std::string& reason) { return reason.empty() ? "" : ": " + reason; }

std::uint64_t Percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<std::uint64_t>(100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// What is only kept for replays makes room by itself.
std::uint64_t NeededBytes(const Condition& condition) {
  return condition.queue.bytes - std::min(condition.queue.bytes, condition.queue.retained_bytes);
}

// Of the limit that is nearer.
std::uint64_t PercentFull(const Condition& condition) {
  return std::max(Percent(NeededBytes(condition), condition.max_queue_bytes),
                  Percent(condition.queue.most_waiting, condition.max_queue_messages));
}

std::string HowFull(const Condition& condition) {
  const std::uint64_t bytes = Percent(NeededBytes(condition), condition.max_queue_bytes);
  return bytes >= Percent(condition.queue.most_waiting, condition.max_queue_messages)
             ? FormatBytes(NeededBytes(condition)) + " of " + FormatBytes(condition.max_queue_bytes) + " (max_bytes)"
             : std::to_string(condition.queue.most_waiting) + " of " + std::to_string(condition.max_queue_messages) +
                   " messages (max_records)";
}

bool CanDeliver(const delivery::DestinationStatus& destination) {
  return destination.state == limit::GateState::kOk || destination.state == limit::GateState::kThrottled;
}

void AddSourceReasons(const Condition& condition, std::vector<std::string>& reasons) {
  for (const ingest::SourceStatus& source : condition.sources) {
    if (source.state != ingest::SourceState::kConnected) {
      reasons.push_back("source '" + source.name + "' is " + std::string(ingest::Name(source.state)) +
                        Since(source.since) + Because(source.reason));
    }
    for (const std::string& filter : source.refused_filters) {
      reasons.push_back("source '" + source.name + "': the broker refuses the subscription to '" + filter + "'");
    }
  }
}

}  // namespace

std::string_view Name(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kDegraded:
      return "degraded";
    case State::kDown:
      return "down";
  }
  return "down";
}

Verdict Judge(const Condition& condition) {
  Verdict verdict;
  std::vector<std::string>& reasons = verdict.reasons;
  const bool store_fails = !condition.queue.last_error.empty();
  if (store_fails) {
    reasons.push_back("the queue cannot be written" + Since(condition.queue.failing_since) +
                      Because(condition.queue.last_error));
  }
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    if (destination.state != limit::GateState::kOk) {
      reasons.push_back("destination '" + destination.name + "' is " + std::string(limit::Name(destination.state)) +
                        Since(destination.since) + Because(destination.reason));
    }
  }
  AddSourceReasons(condition, reasons);
  if (PercentFull(condition) >= kFullPercent) {
    reasons.push_back("the queue is " + std::to_string(PercentFull(condition)) + " % full: " + HowFull(condition));
  }
  if (!condition.ledger_balanced) {
    reasons.emplace_back("the ledger does not balance: run `packhorse queue verify`");
  }
  if (condition.reload_refused) {
    reasons.push_back("the configuration file was changed but refused" + Since(condition.reload_refused_since) +
                      "; the old one is in force");
  }
  const bool blind = std::none_of(condition.sources.begin(), condition.sources.end(),
                                  [](const auto& source) { return source.state == ingest::SourceState::kConnected; });
  const bool mute = std::none_of(condition.destinations.begin(), condition.destinations.end(), CanDeliver);
  verdict.state = store_fails || (blind && mute) ? State::kDown : reasons.empty() ? State::kOk : State::kDegraded;
  return verdict;
}

std::map<std::string, std::uint64_t> LeftBehind(const Condition& condition) {
  std::map<std::string, std::uint64_t> left = condition.queue.pending;
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    left.erase(destination.name);
  }
  return left;
}

Condition Observe(const Parts& parts, MonoTime now) {
  Condition condition;
  for (const auto& unit : parts.sources) {
    condition.sources.push_back(StatusOf(*unit));
  }
  for (const DestinationUnit& unit : parts.destinations) {
    condition.destinations.push_back(unit.destination->Snapshot(now));
    if (condition.destinations.back().state == limit::GateState::kPaused) {
      condition.destinations.back().since = unit.paused_since;  // not since when uploads worked or failed before
    }
  }
  condition.queue = parts.queue->Snapshot();
  condition.max_queue_bytes = parts.config.queue.max_bytes;
  condition.max_queue_messages = parts.config.queue.max_records;
  for (const health::Event& event : parts.events.Open()) {
    if (event.name == "config_reload_refused") {
      condition.reload_refused = true;
      condition.reload_refused_since = event.since;
    }
    if (event.name == "ledger_mismatch") {
      condition.ledger_balanced = false;
    }
  }
  return condition;
}

Watch::Watch(Parts& parts) : parts_(parts) {}

void Watch::Check(const Condition& condition) {
  const WallTime now = parts_.clock.Wall();
  for (const ingest::SourceStatus& source : condition.sources) {
    CheckSource(source, now);
  }
  CheckStore(condition, now);
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    CheckDestination(destination, now);
  }
  CheckLeftBehind(condition, now);
  // What was removed by a reload cannot heal any more.
  for (const health::Event& event : parts_.events.Open()) {
    const auto named = [&](const auto& status) { return status.name == event.subject; };
    const bool of_source = event.name.starts_with("source_") || event.name == "subscription_refused";
    const bool of_destination = event.name.starts_with("destination_");
    if ((of_source && std::none_of(condition.sources.begin(), condition.sources.end(), named)) ||
        (of_destination && std::none_of(condition.destinations.begin(), condition.destinations.end(), named))) {
      parts_.events.Resolve(event.name, event.subject, now);
    }
  }
}

void Watch::CheckSource(const ingest::SourceStatus& source, WallTime now) {
  const bool connected = source.state == ingest::SourceState::kConnected;
  const bool long_enough = now - source.since >= kSourceGrace;
  if (connected || long_enough) {
    Set(!connected, health::Severity::kP0, "source_down", source.name,
        "not connected to " + source.url + Since(source.since) + Because(source.reason), now);
  }
  std::string refused;
  for (const std::string& filter : source.refused_filters) {
    refused += (refused.empty() ? "" : ", ") + filter;
  }
  Set(!refused.empty(), health::Severity::kP1, "subscription_refused", source.name,
      "the broker refuses to let us subscribe to " + Shorten(refused, 1'000), now);
  std::uint64_t& seen = sessions_lost_[source.name];
  if (source.session_lost > seen) {
    // A moment, not a state: told once, and closed at once.
    parts_.events.Raise(
        health::Severity::kP1, "session_lost", source.name,
        "the broker had forgotten our session at the last connect; what was published in between is missing", now);
    parts_.events.Resolve("session_lost", source.name, now);
  }
  seen = source.session_lost;
}

void Watch::CheckStore(const Condition& condition, WallTime now) {
  Set(!condition.queue.last_error.empty(), health::Severity::kP0, "queue_store_failing", "",
      "nothing can be stored or acknowledged" + Because(condition.queue.last_error), now);
  if (condition.queue.dead_letters == 0) {
    for (const delivery::DestinationStatus& destination : condition.destinations) {
      parts_.events.Resolve("dead_letters", destination.name, now);
    }
  }
  const std::uint64_t percent = PercentFull(condition);
  if (percent >= kFullPercent || percent < kRoomyPercent) {
    Set(percent >= kFullPercent, health::Severity::kP1, "queue_nearly_full", "",
        std::to_string(percent) + " % full: " + HowFull(condition), now);
  }
  Set(condition.queue.released_messages > 0, health::Severity::kP3, "retention_shortened", "",
      std::to_string(condition.queue.released_messages) +
          " delivered messages were let go before retain_delivered was over, to stay within queue.max_bytes",
      now);
}

void Watch::CheckLeftBehind(const Condition& condition, WallTime now) {
  const std::map<std::string, std::uint64_t> left = LeftBehind(condition);
  for (const auto& [name, messages] : left) {
    Set(true, health::Severity::kP2, "backlog_left_behind", name,
        std::to_string(messages) + " messages wait for destination '" + name +
            "', which is not in the configuration any more: they are kept and not sent. To send them configure it again"
            " under this name; else they end by queue.max_age or queue.max_bytes",
        now);
  }
  for (const health::Event& event : parts_.events.Open()) {
    if (event.name == "backlog_left_behind" && !left.contains(event.subject)) {
      parts_.events.Resolve(event.name, event.subject, now);
    }
  }
}

void Watch::CheckDestination(const delivery::DestinationStatus& destination, WallTime now) {
  const bool retrying = destination.state == limit::GateState::kRetrying;
  Set(retrying && now - destination.since >= kRetryGrace, health::Severity::kP1, "destination_retrying",
      destination.name, "no success" + Since(destination.since) + Because(destination.reason), now);
}

void Watch::Set(bool bad, health::Severity severity, const char* name, const std::string& subject, std::string message,
                WallTime now) {
  if (!bad) {
    parts_.events.Resolve(name, subject, now);
    return;
  }
  // Raising an open event again would count it once a second.
  for (const health::Event& event : parts_.events.Open()) {
    if (event.name == name && event.subject == subject) {
      return;
    }
  }
  parts_.events.Raise(severity, name, subject, std::move(message), now);
}

}  // namespace packhorse::daemon
