#include "monitor/reasons.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/units.h"

namespace packhorse::monitor {
namespace {

using delivery::DestinationStatus;
using health::EventName;

// A first connection takes a moment; nobody is to be told that there was none yet.
constexpr std::chrono::seconds kFirstReply{10};
// APIs answer within a second or two; half of the replies above this is worth a look.
constexpr std::chrono::seconds kSlow{5};

std::string SecondsText(std::chrono::microseconds time) {
  const auto tenths = std::chrono::round<std::chrono::milliseconds>(time).count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

const health::EventKind* EventOf(limit::CircuitState state) {
  switch (state) {
    case limit::CircuitState::kHeld:
      return &EventName("destination_held").kind();
    case limit::CircuitState::kRetrying:
      return &EventName("destination_retrying").kind();
    case limit::CircuitState::kOk:
    case limit::CircuitState::kThrottled:
    case limit::CircuitState::kPaused:
      break;
  }
  return nullptr;
}

Reason NeverReached(const DestinationStatus& destination, const std::string& who, const Course& course) {
  Reason reason{who + ": never reached yet: ", nullptr, destination.name};
  const std::string& why = destination.unreachable.empty() ? destination.last_error : destination.unreachable;
  if (!why.empty()) {
    reason.text += why;
  } else if (destination.requests > 0) {
    reason.text += "no reply so far";
  } else {
    reason.text += destination.pending == 0 ? "nothing had to be sent since the start" : "nothing was sent so far";
  }
  reason.degrades = !destination.unreachable.empty() || (destination.pending > 0 && course.running >= kFirstReply);
  return reason;
}

}  // namespace

bool CanDeliver(const delivery::DestinationStatus& destination) {
  return destination.state == limit::CircuitState::kOk || destination.state == limit::CircuitState::kThrottled;
}

std::string Since(WallTime since) {
  return since == WallTime{}
             ? ""
             : " since " + FormatUtc(std::chrono::floor<std::chrono::seconds>(since)).substr(0, 19) + "Z";
}

std::string Because(std::string_view reason) { return reason.empty() ? "" : ": " + std::string(reason); }

std::vector<Reason> ReasonsOf(const ingest::SourceStatus& source) {
  std::vector<Reason> reasons;
  const std::string who = "source '" + source.name + "'";
  if (source.state != ingest::SourceState::kConnected) {
    const std::string blind = source.since == WallTime{} ? "" : ", blind" + Since(source.since);
    reasons.push_back({who + " is " + std::string(ingest::Name(source.state)) + blind + Because(source.reason),
                       &EventName("source_down").kind(), source.name});
  }
  for (const std::string& reason : source.reasons) {
    const bool flapping = !source.flapping.empty() && reason.find(source.flapping) != std::string::npos;
    const bool qos0 = reason.find("QoS 0") != std::string::npos;
    reasons.push_back({who + ": " + reason,
                       flapping ? &EventName("source_flapping").kind()
                       : qos0   ? &EventName("subscription_qos0").kind()
                                : nullptr,
                       source.name});
  }
  for (const std::string& filter : source.refused_filters) {
    reasons.push_back({who + ": the broker refuses the subscription to '" + filter + "'",
                       &EventName("subscription_refused").kind(), source.name});
  }
  return reasons;
}

std::vector<Reason> ReasonsOf(const DestinationStatus& destination, const Course& course) {
  std::vector<Reason> reasons;
  const std::string who = "destination '" + destination.name + "'";
  if (destination.state != limit::CircuitState::kOk) {
    reasons.push_back({who + " is " + std::string(limit::Name(destination.state)) + Since(destination.since) +
                           Because(destination.reason),
                       EventOf(destination.state), destination.name});
  }
  if (!destination.reached) {
    reasons.push_back(NeverReached(destination, who, course));
  }
  if (CanDeliver(destination) && destination.recent_p50 && *destination.recent_p50 >= kSlow) {
    reasons.push_back({who + ": slow: half of the replies of the last minute took " +
                           SecondsText(*destination.recent_p50) + " or more",
                       nullptr, destination.name});
  }
  const bool waits = std::any_of(destination.opens.begin(), destination.opens.end(),
                                 [](const std::optional<WallTime>& opens) { return opens.has_value(); });
  if (destination.budget && destination.budget->spent) {
    reasons.push_back({who + ": its budget of " + FormatBytes(destination.budget->options.bytes) +
                           " is spent: uploads wait until " + FormatUtc(destination.budget->ends).substr(0, 16) + "Z",
                       &EventName("budget_spent").kind(), destination.name});
  } else if (CanDeliver(destination) && course.growth && !waits) {
    reasons.push_back({who + ": backlog grows: " + std::to_string(course.growth->to) + " messages wait, " +
                           std::to_string(course.growth->to - course.growth->from) + " more than " +
                           std::to_string(course.growth->over.count()) + " s before",
                       nullptr, destination.name});
  }
  return reasons;
}

}  // namespace packhorse::monitor
