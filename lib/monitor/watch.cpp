#include "monitor/watch.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "base/units.h"

namespace packhorse::monitor {
namespace {

// A reconnect within this time is everyday life and not an event.
constexpr std::chrono::seconds kSourceGrace{10};
// An outage this long is worth a look even though it heals by itself.
constexpr std::chrono::minutes kRetryGrace{5};
// The alert begins at 80 % of max_bytes and ends a little lower, so that it does not flap.
constexpr std::uint64_t kFullPercent = 80;
constexpr std::uint64_t kRoomyPercent = 75;

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

// A sync that takes long is everyday life on a card. More than this over the window is not.
constexpr std::chrono::milliseconds kWindowMargin{3'000};

// For how long messages that are to be on the disk within the window are not; empty: they are, or may still wait.
std::string WindowExceeded(const Condition& condition) {
  if (condition.queue.at_risk == 0 ||
      condition.queue.at_risk_for <= condition.window + std::max(condition.window, kWindowMargin)) {
    return "";
  }
  return std::to_string(condition.queue.at_risk) + " messages have waited for the disk for " +
         FormatDuration(std::chrono::floor<std::chrono::seconds>(condition.queue.at_risk_for)) +
         ", queue.durability.window is " + FormatDuration(condition.window) +
         ": the disk does not answer, and a power cut now would cost them";
}

bool IsOf(const health::Event& event, const Reason& reason) {
  return reason.event != nullptr && reason.event->name == event.name && reason.subject == event.subject;
}

// Acknowledged: somebody knows.
bool Known(const Condition& condition, const Reason& reason) {
  return std::any_of(condition.events.begin(), condition.events.end(),
                     [&](const health::Event& event) { return event.acknowledged_at && IsOf(event, reason); });
}

Reason ToldBy(const health::Event& event) {
  return {event.name + (event.subject.empty() ? "" : " '" + event.subject + "'") + Since(event.since) +
              Because(event.message),
          health::FindEventKind(event.name), event.subject};
}

// Of those without an event of their own: worth a look within hours.
health::Severity SeverityOf(const Reason& reason) {
  return reason.event == nullptr ? health::Severity::kP2 : reason.event->severity;
}

std::vector<Reason> StoreReasons(const Condition& condition) {
  std::vector<Reason> reasons;
  if (!condition.queue.last_error.empty()) {
    reasons.push_back(
        {"the queue cannot be written" + Since(condition.queue.failing_since) + Because(condition.queue.last_error),
         &health::EventName("queue_store_failing").kind(), ""});
  }
  if (std::string exceeded = WindowExceeded(condition); !exceeded.empty()) {
    reasons.push_back({std::move(exceeded), &health::EventName("durability_window_exceeded").kind(), ""});
  }
  if (PercentFull(condition) >= kFullPercent) {
    reasons.push_back({"the queue is " + std::to_string(PercentFull(condition)) + " % full: " + HowFull(condition),
                       &health::EventName("queue_nearly_full").kind(), ""});
  }
  if (!condition.ledger_balanced) {
    reasons.push_back({"the ledger does not balance: run `packhorse queue verify`",
                       &health::EventName("ledger_mismatch").kind(), "queue"});
  }
  return reasons;
}

std::vector<Reason> AllReasons(const Condition& condition) {
  std::vector<Reason> reasons = StoreReasons(condition);
  const auto add = [&reasons](std::vector<Reason> more) {
    std::move(more.begin(), more.end(), std::back_inserter(reasons));
  };
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    add(ReasonsOf(condition, destination));
  }
  for (const ingest::SourceStatus& source : condition.sources) {
    add(ReasonsOf(source));
  }
  std::erase_if(reasons, [&](const Reason& reason) { return !reason.degrades || Known(condition, reason); });
  for (const health::Event& event : condition.events) {
    const bool told =
        std::any_of(reasons.begin(), reasons.end(), [&](const Reason& reason) { return IsOf(event, reason); });
    if (event.degrades() && !told) {
      reasons.push_back(ToldBy(event));
    }
  }
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const Reason& a, const Reason& b) { return SeverityOf(a) < SeverityOf(b); });
  return reasons;
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

std::vector<Reason> ReasonsOf(const Condition& condition, const delivery::DestinationStatus& destination) {
  const auto course = condition.courses.find(destination.name);
  return ReasonsOf(destination, course == condition.courses.end() ? Course() : course->second);
}

Verdict Judge(const Condition& condition) {
  Verdict verdict;
  for (Reason& reason : AllReasons(condition)) {
    verdict.reasons.push_back(std::move(reason.text));
  }
  const bool store_fails = !condition.queue.last_error.empty();
  const bool blind = std::none_of(condition.sources.begin(), condition.sources.end(),
                                  [](const auto& source) { return source.state == ingest::SourceState::kConnected; });
  const bool mute = std::none_of(condition.destinations.begin(), condition.destinations.end(), CanDeliver);
  verdict.state = store_fails || (blind && mute) ? State::kDown
                  : verdict.reasons.empty()      ? State::kOk
                                                 : State::kDegraded;
  return verdict;
}

std::map<std::string, std::uint64_t> LeftBehind(const Condition& condition) {
  std::map<std::string, std::uint64_t> left = condition.queue.pending;
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    left.erase(destination.name);
  }
  return left;
}

void Watch::Check(const Condition& condition) {
  const WallTime now = clock_.Wall();
  for (const ingest::SourceStatus& source : condition.sources) {
    CheckSource(source, now);
  }
  CheckStore(condition, now);
  CheckAtRisk(condition, now);
  CheckReplaced(condition, now);
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    CheckDestination(destination, now);
  }
  CheckLeftBehind(condition, now);
  CheckUndecodable(condition, now);
  const auto gone = [](const auto& all, const health::Event& event) {
    return std::none_of(all.begin(), all.end(), [&](const auto& status) { return status.name == event.subject; });
  };
  // What was removed by a reload cannot heal any more.
  events_.ResolveIf(
      [&](const health::Event& event, const health::EventKind& kind) {
        return (kind.subject == health::EventSubject::kSource && gone(condition.sources, event)) ||
               (kind.subject == health::EventSubject::kDestination && gone(condition.destinations, event));
      },
      now);
  events_.EndQuiet(clock_.Mono(), now);
}

void Watch::CheckSource(const ingest::SourceStatus& source, WallTime now) {
  const bool connected = source.state == ingest::SourceState::kConnected;
  const bool long_enough = now - source.since >= kSourceGrace;
  if (connected || long_enough) {
    events_.Follow(!connected, "source_down", source.name,
                   "not connected to " + source.url + Since(source.since) + Because(source.reason) + ". " +
                       std::string(ingest::AdviceFor(source)),
                   now);
  }
  events_.Follow(!source.refused_filters.empty(), "subscription_refused", source.name,
                 "the broker refuses to let us subscribe to " + Shorten(Join(source.refused_filters), 1'000), now);
}

void Watch::CheckReplaced(const Condition& condition, WallTime now) {
  if (condition.queue.replaced == replaced_) {
    return;
  }
  replaced_ = condition.queue.replaced;
  const std::string& what = replaced_.problem;
  const std::string& path = queue_path_;
  events_.Raise("queue_replaced", "queue",
                what.empty() ? path +
                                   " was removed or replaced while the daemon worked with it; nothing is lost: all "
                                   "that it held is in a new file there; what lay there instead is kept as " +
                                   path + ".replaced"
                             : path +
                                   " was removed or replaced while the daemon works with it, and what it held is "
                                   "lost when the daemon ends: it cannot be written there again: " +
                                   what,
                now);
}

void Watch::CheckStore(const Condition& condition, WallTime now) {
  events_.Follow(!condition.queue.last_error.empty(), "queue_store_failing", "",
                 "nothing can be stored or acknowledged" + Because(condition.queue.last_error), now);
  if (condition.queue.dead_letters == 0) {
    events_.ResolveIf([](const auto& event, const auto&) { return event.name == "dead_letters"; }, now);
  }
  const std::uint64_t percent = PercentFull(condition);
  if (percent >= kFullPercent || percent < kRoomyPercent) {
    events_.Follow(percent >= kFullPercent, "queue_nearly_full", "",
                   std::to_string(percent) + " % full: " + HowFull(condition), now);
  }
  events_.Follow(condition.queue.released_messages > 0, "retention_shortened", "",
                 std::to_string(condition.queue.released_messages) +
                     " delivered messages were let go before retain_delivered was over, to stay within queue.max_bytes",
                 now);
}

void Watch::CheckAtRisk(const Condition& condition, WallTime now) {
  const std::string exceeded = WindowExceeded(condition);
  events_.Follow(!exceeded.empty(), "durability_window_exceeded", "", exceeded, now);
}

void Watch::CheckLeftBehind(const Condition& condition, WallTime now) {
  const std::map<std::string, std::uint64_t> left = LeftBehind(condition);
  for (const auto& [name, messages] : left) {
    events_.Follow(
        true, "backlog_left_behind", name,
        std::to_string(messages) + " messages wait for destination '" + name +
            "', which is not in the configuration any more: they are kept and not sent. To send them configure it again"
            " under this name; else they end by queue.max_age or queue.max_bytes",
        now);
  }
  events_.ResolveIf(
      [&left](const health::Event& event, const auto&) {
        return event.name == "backlog_left_behind" && !left.contains(event.subject);
      },
      now);
}

void Watch::CheckUndecodable(const Condition& condition, WallTime now) {
  const auto& undecodable = condition.queue.undecodable;
  for (const auto& [stream, messages] : undecodable) {
    events_.Follow(
        true, "definition_missing", stream,
        std::to_string(messages) + " messages of stream '" + stream +
            "' wait in quarantine for what decodes them: the stream is not configured, or this release does not know"
            " its contract. Configure a stream of this name, or install the release that knows the contract: then they"
            " are decoded by themselves",
        now);
  }
  events_.ResolveIf(
      [&undecodable](const health::Event& event, const auto&) {
        return event.name == "definition_missing" && !undecodable.contains(event.subject);
      },
      now);
}

void Watch::CheckDestination(const delivery::DestinationStatus& destination, WallTime now) {
  const bool retrying = destination.state == limit::CircuitState::kRetrying;
  events_.Follow(retrying && now - destination.since >= kRetryGrace, "destination_retrying", destination.name,
                 "no success" + Since(destination.since) + Because(destination.reason), now);
}

}  // namespace packhorse::monitor
