#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace packhorse {

// Number of a stream within one queue: given by the queue when a stream's name is first seen, never reused.
using StreamId = std::uint32_t;
// Position in a lane: rising, never given twice (FORMAT.md). 0 means none.
using Sequence = std::uint64_t;

// A lane is a log with its own sequence numbers; order is kept within a lane (P6, docs/PROMISES.md).
enum class Lane : std::uint8_t { kUrgent, kNormal, kBulk };
inline constexpr std::size_t kLanes = 3;
inline constexpr std::array<Lane, kLanes> kAllLanes = {Lane::kUrgent, Lane::kNormal, Lane::kBulk};

// "urgent", "normal", "bulk".
std::string_view Name(Lane lane);
std::optional<Lane> ParseLane(std::string_view name);
// First letter of the name, as in record ids: 'u', 'n', 'b'.
char Letter(Lane lane);

// A device's message as it arrived: its own bytes plus what only the moment of arrival knows. Decoding comes later.
// Plain value.
struct RawMessage {
  StreamId stream = 0;
  std::string topic;                     // at most 65,535 bytes of UTF-8 (MQTT 5 section 1.5.4)
  std::string payload;                   // opaque
  WallTime received_at{};                // taken before anything else, UTC
  std::chrono::nanoseconds boot_time{};  // CLOCK_BOOTTIME at the same moment
  ClockState clock = ClockState::kUnsynchronized;
  std::optional<WallTime> received_at_raw;  // the stamp before its correction; only when `clock` is kRecovered
  std::uint8_t qos = 0;
  bool retained = false;
  bool redelivered = false;                                          // MQTT DUP flag
  std::string content_type;                                          // MQTT 5 property, may be empty
  std::vector<std::pair<std::string, std::string>> user_properties;  // MQTT 5, in order, duplicates allowed
};

}  // namespace packhorse
