#include <algorithm>
#include <array>
#include <utility>

#include "base/mask.h"
#include "base/units.h"
#include "health/log.h"
#include "health/metrics.h"

namespace packhorse::health {
namespace {

constexpr std::size_t kMaxEvents = 1'000;
constexpr std::size_t kSubjectBytes = 256;
constexpr std::size_t kMessageBytes = 1'024;
// What happens again and again has a line in the log so often.
constexpr std::chrono::minutes kLoggedAgain{1};

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

std::string_view Event::ends() const {
  const EventKind* kind = FindEventKind(name);
  return kind == nullptr ? std::string_view() : kind->ends;
}

bool Events::Raise(EventName name, std::string_view subject, std::string message, WallTime now) {
  const EventKind& kind = name.kind();
  const std::string short_subject = Shorten(subject, kSubjectBytes);
  message = Shorten(MaskSecrets(message), kMessageBytes);
  const auto open = FindOpen(kind.name, short_subject);
  if (open != events_.end()) {
    ++open->count;
    open->message = std::move(message);
    open->quiet_since.reset();
    if (kind.nature == EventNature::kOccurrence) {
      open->acknowledged_at.reset();
      // Either way: what has happened may be that the clock was set.
      if (now - open->logged_at >= kLoggedAgain || open->logged_at - now >= kLoggedAgain) {
        open->logged_at = now;
        LogEvent(LevelOf(kind.severity), *open, open->message);
      }
    }
    return false;
  }
  if (events_.size() >= kMaxEvents) {
    events_.erase(LeastNeeded(events_));
  }
  Event event;
  event.id = next_id_++;
  event.severity = kind.severity;
  event.name = kind.name;
  event.subject = short_subject;
  event.message = std::move(message);
  event.since = now;
  event.logged_at = now;
  events_.push_back(std::move(event));
  LogEvent(LevelOf(kind.severity), events_.back(), events_.back().message);
  return true;
}

void Events::End(Event& event, WallTime now) {
  event.resolved_at = now;
  LogEvent(LogLevel::kInfo, event, "resolved: " + event.message);
}

bool Events::Resolve(EventName name, std::string_view subject, WallTime now) {
  const auto open = FindOpen(name.text(), Shorten(subject, kSubjectBytes));
  if (open == events_.end()) {
    return false;
  }
  End(*open, now);
  return true;
}

void Events::Follow(bool holds, EventName name, std::string_view subject, std::string message, WallTime now) {
  if (!holds) {
    Resolve(name, subject, now);
    return;
  }
  const auto open = FindOpen(name.text(), Shorten(subject, kSubjectBytes));
  if (open != events_.end()) {
    open->message = Shorten(message, kMessageBytes);  // raising it would count each look
    return;
  }
  Raise(name, subject, std::move(message), now);
}

void Events::ResolveIf(const std::function<bool(const Event&, const EventKind&)>& over, WallTime now) {
  for (Event& event : events_) {
    const EventKind* kind = FindEventKind(event.name);
    if (!event.resolved_at && kind != nullptr && over(event, *kind)) {
      End(event, now);
    }
  }
}

void Events::EndQuiet(MonoTime mono, WallTime now) {
  for (Event& event : events_) {
    if (!event.resolved_at && !event.quiet_since) {
      event.quiet_since = mono;
    }
  }
  ResolveIf(
      [&](const Event& event, const EventKind& kind) {
        return kind.quiet > std::chrono::seconds(0) && mono - *event.quiet_since >= kind.quiet;
      },
      now);
}

Status Events::Acknowledge(std::string_view name, std::string_view subject, WallTime now) {
  const auto open = FindOpen(name, subject);
  if (open == events_.end()) {
    std::string others;
    for (const Event& event : Open()) {
      if (event.name == name) {
        others += (others.empty() ? "'" : ", '") + event.subject + "'";
      }
    }
    const std::string what = "no event '" + std::string(name) + "' is open" +
                             (subject.empty() ? " without a subject" : " about '" + std::string(subject) + "'");
    return Error{ErrorCode::kNotFound,
                 what + (others.empty() ? "; `packhorse events` shows what is" : ", but about " + others)};
  }
  if (!open->acknowledged_at) {
    open->acknowledged_at = now;
    LogEvent(LogLevel::kInfo, *open, "acknowledged: " + open->message);
  }
  return {};
}

bool Events::IsOpen(EventName name, std::string_view subject) const {
  const std::string short_subject = Shorten(subject, kSubjectBytes);
  return std::any_of(events_.begin(), events_.end(), [&](const Event& event) {
    return !event.resolved_at && event.name == name.text() && event.subject == short_subject;
  });
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
