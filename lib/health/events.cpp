#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"
#include "health/log.h"
#include "health/metrics.h"

namespace packhorse::health {
namespace {

constexpr std::size_t kMaxEvents = 1'000;
constexpr std::size_t kNameBytes = 64;
constexpr std::size_t kSubjectBytes = 256;
constexpr std::size_t kMessageBytes = 1'024;

LogLevel LevelOf(Severity severity) { return severity <= Severity::kP1 ? LogLevel::kError : LogLevel::kWarning; }

void LogEvent(LogLevel level, const Event& event, std::string_view message) {
  Log(level, event.name, message,
      {{"subject", event.subject}, {"severity", std::string(Name(event.severity))}, {"id", std::to_string(event.id)}});
}

// The first to go: the oldest that is resolved, else the oldest of the least severe ones.
std::deque<Event>::iterator LeastNeeded(std::deque<Event>& events) {
  return std::max_element(events.begin(), events.end(), [](const Event& a, const Event& b) {
    if (a.resolved_at.has_value() != b.resolved_at.has_value()) {
      return b.resolved_at.has_value();
    }
    return !a.resolved_at && a.severity < b.severity;
  });
}

}  // namespace

std::string_view Name(Severity severity) {
  constexpr std::array<std::string_view, 4> kNames = {"P0", "P1", "P2", "P3"};
  const auto index = static_cast<std::size_t>(severity);
  return index < kNames.size() ? kNames[index] : std::string_view("unknown");
}

std::deque<Event>::iterator Events::FindOpen(std::string_view name, std::string_view subject) {
  return std::find_if(events_.begin(), events_.end(), [&](const Event& event) {
    return !event.resolved_at && event.name == name && event.subject == subject;
  });
}

bool Events::Raise(Severity severity, std::string_view name, std::string_view subject, std::string message,
                   WallTime now) {
  const std::string short_name = Shorten(name, kNameBytes);
  const std::string short_subject = Shorten(subject, kSubjectBytes);
  message = Shorten(message, kMessageBytes);
  const auto open = FindOpen(short_name, short_subject);
  if (open != events_.end()) {
    ++open->count;
    open->message = std::move(message);
    if (severity < open->severity) {  // worse than it was: said again
      open->severity = severity;
      LogEvent(LevelOf(severity), *open, open->message);
    }
    return false;
  }
  if (events_.size() >= kMaxEvents) {
    events_.erase(LeastNeeded(events_));
  }
  events_.push_back(Event{next_id_++, severity, short_name, short_subject, std::move(message), now, std::nullopt, 1});
  LogEvent(LevelOf(severity), events_.back(), events_.back().message);
  return true;
}

bool Events::Resolve(std::string_view name, std::string_view subject, WallTime now) {
  const auto open = FindOpen(Shorten(name, kNameBytes), Shorten(subject, kSubjectBytes));
  if (open == events_.end()) {
    return false;
  }
  open->resolved_at = now;
  LogEvent(LogLevel::kInfo, *open, "resolved: " + open->message);
  return true;
}

std::vector<Event> Events::Open() const {
  std::vector<Event> open;
  std::copy_if(events_.begin(), events_.end(), std::back_inserter(open),
               [](const Event& event) { return !event.resolved_at; });
  std::stable_sort(open.begin(), open.end(), [](const Event& a, const Event& b) { return a.severity < b.severity; });
  return open;
}

std::vector<Event> Events::Recent() const { return {events_.rbegin(), events_.rend()}; }

}  // namespace packhorse::health
