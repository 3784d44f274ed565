#include <algorithm>
#include <array>
#include <utility>

#include "base/enum_names.h"
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
  static constexpr EnumNames<Severity, 4> kNames{{"P0", "P1", "P2", "P3"}};
  return kNames.Of(severity);
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
  ++revision_;
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
  Event& event = Add(kind, short_subject, std::move(message), now);
  LogEvent(LevelOf(kind.severity), event, event.message);
  const auto before =
      std::find_if(acknowledged_before_.begin(), acknowledged_before_.end(),
                   [&](const KeptEvent& kept) { return kept.name == event.name && kept.subject == event.subject; });
  if (before != acknowledged_before_.end()) {
    event.since = before->since;
    event.acknowledged_at = before->acknowledged_at;
    acknowledged_before_.erase(before);
  }
  return true;
}

Event& Events::Add(const EventKind& kind, std::string_view subject, std::string message, WallTime since) {
  if (events_.size() >= kMaxEvents) {
    events_.erase(LeastNeeded(events_));
  }
  Event event;
  event.id = next_id_++;
  event.severity = kind.severity;
  event.name = kind.name;
  event.subject = subject;
  event.message = std::move(message);
  event.since = since;
  event.logged_at = since;
  events_.push_back(std::move(event));
  return events_.back();
}

void Events::End(Event& event, WallTime now) {
  ++revision_;
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
    ++revision_;
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

std::vector<KeptEvent> Events::ToKeep(MonoTime mono) const {
  std::vector<KeptEvent> kept = acknowledged_before_;
  for (auto event = events_.rbegin(); event != events_.rend() && kept.size() < kMaxKept; ++event) {
    const EventKind* kind = FindEventKind(event->name);
    const bool occurrence = kind != nullptr && kind->nature == EventNature::kOccurrence;
    if (!event->resolved_at && (occurrence || event->acknowledged_at)) {
      const MonoTime quiet_since = event->quiet_since.value_or(mono);
      kept.push_back({event->name, event->subject, event->message, event->since, event->count, event->acknowledged_at,
                      std::chrono::floor<std::chrono::seconds>(mono - quiet_since)});
    }
  }
  return kept;
}

void Events::Restore(const KeptEvent& kept, MonoTime mono) {
  const EventKind* kind = FindEventKind(kept.name);
  if (kind == nullptr) {
    return;
  }
  if (kind->nature == EventNature::kCondition) {
    acknowledged_before_.push_back(kept);
    return;
  }
  Event& event =
      Add(*kind, Shorten(kept.subject, kSubjectBytes), Shorten(MaskSecrets(kept.message), kMessageBytes), kept.since);
  event.count = kept.count;
  event.acknowledged_at = kept.acknowledged_at;
  event.quiet_since = mono - kept.quiet_for;
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
