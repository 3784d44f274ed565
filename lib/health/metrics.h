#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "health/event_kinds.h"

namespace packhorse::health {

// Latency histogram with bounded memory: log-spaced buckets (less than 5 % relative error) from 1 us to 1 h over a
// sliding window of about five minutes (ten slices of 30 s). Values outside count as the nearest end. Not thread-safe
// (loop).
class Histogram {
 public:
  static constexpr std::chrono::seconds kWindow{300};
  void Record(std::chrono::microseconds value, MonoTime now);
  // Quantile in [0, 1] of the last `over`, rounded up to whole slices; none when there is nothing in it.
  std::optional<std::chrono::microseconds> Quantile(double q, MonoTime now, std::chrono::seconds over = kWindow) const;
  std::uint64_t Count(MonoTime now) const;

 private:
  static constexpr std::size_t kBuckets = 512;
  static constexpr std::size_t kSlices = 10;
  struct Slice {
    std::int64_t index = -1;
    std::map<std::uint16_t, std::uint32_t> buckets;
  };
  std::array<Slice, kSlices> slices_;
};

struct Event {
  std::uint64_t id = 0;
  Severity severity = Severity::kP3;
  std::string name;     // short and stable: "destination_held"
  std::string subject;  // what it is about: a destination, source or stream name; may be empty
  std::string message;
  WallTime since{};
  std::optional<WallTime> resolved_at;
  std::uint64_t count = 1;                  // how often it was raised while open
  std::optional<WallTime> acknowledged_at;  // somebody knows: it no longer degrades
  std::optional<MonoTime> quiet_since;      // Events': when it was first seen since it was last raised
  WallTime logged_at{};                     // Events': when it was last raised and logged
  bool degrades() const { return severity <= Severity::kP2 && !resolved_at && !acknowledged_at; }
  std::string_view ends() const;  // what ends it, for people
};

// What is kept of an open event over a restart: an occurrence, which leaves nothing behind that a start could find
// again, or that a condition is acknowledged.
struct KeptEvent {
  std::string name;
  std::string subject;
  std::string message;
  WallTime since{};
  std::uint64_t count = 1;
  std::optional<WallTime> acknowledged_at;
  std::chrono::seconds quiet_for{};  // since it was last raised
};

// Open and recent events, deduplicated by (name, subject), at most 1,000 kept: then the oldest resolved one goes first,
// after those the least severe. Raising logs once, of an occurrence once a minute; resolving and acknowledging log
// once. Texts are cut: subject 256 bytes, message 1 KiB. Which events there are, and what ends each: event_kinds.h. Not
// thread-safe (loop).
class Events {
 public:
  // True when it was not open before. An open one takes the new message and keeps its beginning.
  bool Raise(EventName name, std::string_view subject, std::string message, WallTime now);
  // True when it was open.
  bool Resolve(EventName name, std::string_view subject, WallTime now);
  // Of a condition that is looked at again and again: raises it once while `holds`, with the newest message, and
  // resolves it when not.
  void Follow(bool holds, EventName name, std::string_view subject, std::string message, WallTime now);
  // Resolves every open one that `over` is true of.
  void ResolveIf(const std::function<bool(const Event&, const EventKind&)>& over, WallTime now);
  // Ends what was not raised again for EventKind::quiet. To be called about once a second, which is how exact it is.
  void EndQuiet(MonoTime mono, WallTime now);
  // An open one no longer degrades until it ends or, for an occurrence, happens again. kNotFound when none is open.
  Status Acknowledge(std::string_view name, std::string_view subject, WallTime now);
  bool IsOpen(EventName name, std::string_view subject) const;

  static constexpr std::size_t kMaxKept = 200;
  // What a start after this one is to Restore(), the newest first of all, at most kMaxKept.
  std::vector<KeptEvent> ToKeep(MonoTime mono) const;
  // Changes with everything that ToKeep() tells, except by time.
  std::uint64_t revision() const { return revision_; }
  // An occurrence is open again, as it was. An acknowledgement holds for the condition if it is raised again before
  // ForgetAcknowledgements(); what this release does not know is left out. Before anything is raised.
  void Restore(const KeptEvent& kept, MonoTime mono);
  void ForgetAcknowledgements() { acknowledged_before_.clear(); }
  std::vector<Event> Open() const;    // worst first, among equals the oldest
  std::vector<Event> Recent() const;  // newest first, open and resolved

 private:
  std::deque<Event>::iterator FindOpen(std::string_view name, std::string_view subject);
  void End(Event& event, WallTime now);
  Event& Add(const EventKind& kind, std::string_view subject, std::string message, WallTime since);

  std::deque<Event> events_;  // oldest first
  std::uint64_t next_id_ = 1;
  std::uint64_t revision_ = 0;
  std::vector<KeptEvent> acknowledged_before_;  // conditions
};

}  // namespace packhorse::health
