#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace packhorse::health {

// Latency histogram with bounded memory: log-spaced buckets (less than 5 % relative error) from 1 us to 1 h over a
// sliding window of about five minutes (ten slices of 30 s). Values outside count as the nearest end. Not thread-safe
// (loop).
class Histogram {
 public:
  void Record(std::chrono::microseconds value, MonoTime now);
  // Quantile in [0, 1]; none when the window is empty.
  std::optional<std::chrono::microseconds> Quantile(double q, MonoTime now) const;
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

// Severity of product.md "alert hierarchy".
enum class Severity : std::uint8_t { kP0, kP1, kP2, kP3 };
std::string_view Name(Severity severity);

struct Event {
  std::uint64_t id = 0;
  Severity severity = Severity::kP3;
  std::string name;     // short and stable: "destination_held"
  std::string subject;  // what it is about: a destination, source or stream name; may be empty
  std::string message;
  WallTime since{};
  std::optional<WallTime> resolved_at;
  std::uint64_t count = 1;  // how often it was raised while open
};

// Open and recent events, deduplicated by (name, subject), at most 1,000 kept: then the oldest resolved one goes first,
// after those the least severe. Raising logs once (again when it gets worse); resolving logs once. Texts are cut: name
// 64 bytes, subject 256, message 1 KiB. Not thread-safe (loop).
class Events {
 public:
  // True when it was not open before. An open one takes the new message and keeps its beginning.
  bool Raise(Severity severity, std::string_view name, std::string_view subject, std::string message, WallTime now);
  // True when it was open.
  bool Resolve(std::string_view name, std::string_view subject, WallTime now);
  std::vector<Event> Open() const;    // worst first, among equals the oldest
  std::vector<Event> Recent() const;  // newest first, open and resolved

 private:
  std::deque<Event>::iterator FindOpen(std::string_view name, std::string_view subject);

  std::deque<Event> events_;  // oldest first
  std::uint64_t next_id_ = 1;
};

}  // namespace packhorse::health
