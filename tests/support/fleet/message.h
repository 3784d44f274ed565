#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace packhorse::fleet {

// What the simulated devices send. A device keeps to one shape for ever.
enum class Shape : std::uint8_t {
  kFlat,    // {"ts":1795165920900,"temperature":21.5,...}: one level, time as milliseconds since 1970
  kNested,  // {"time":"2026-11-20T09:12:00.900Z","climate":{...},...}: objects in objects, time as RFC 3339 text
  kBatch,   // {"samples":[{"t":...,"v":...},...]}: several samples that the device has buffered
};
inline constexpr std::size_t kShapes = 3;

std::string_view Name(Shape shape);

struct Message {
  std::string topic;
  std::string payload;
  Shape shape = Shape::kFlat;
  std::uint64_t sequence = 0;  // of the device; never given twice to one device
};

// Makes the messages of all devices in turn: device 1, 2, ... n, 1, 2, ... Not thread-safe.
class MessageSource {
 public:
  MessageSource(std::uint32_t devices, std::uint64_t seed, std::uint64_t first_sequence);
  // The next message; its device time is `now`.
  Message Next(std::chrono::system_clock::time_point now);

 private:
  std::string Payload(Shape shape, std::uint64_t sequence, std::int64_t now_ms);

  std::vector<std::uint64_t> next_sequence_;  // by device
  std::size_t device_ = 0;
  Random random_;
};

}  // namespace packhorse::fleet
