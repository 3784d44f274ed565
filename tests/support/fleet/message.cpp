#include "message.h"

#include <array>
#include <cstdarg>
#include <cstdio>

#include "base/clock.h"

namespace packhorse::fleet {
namespace {

constexpr std::array<const char*, 4> kSites = {"north", "east", "south", "west"};
constexpr std::size_t kSamples = 5;
constexpr std::int64_t kSampleDistanceMs = 200;

[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...) {
  std::array<char, 512> text;  // longer than the longest payload; not cleared for each of a million messages
  va_list values;
  va_start(values, format);
  const int length = std::vsnprintf(text.data(), text.size(), format, values);
  va_end(values);
  return {text.data(), static_cast<std::size_t>(length)};
}

// "2026-11-20T09:12:00.900Z".
std::string Rfc3339(std::int64_t ms) {
  const std::string micros = FormatUtc(WallTime(std::chrono::milliseconds(ms)));
  return micros.substr(0, micros.size() - 4) + "Z";
}

}  // namespace

std::string_view Name(Shape shape) {
  switch (shape) {
    case Shape::kFlat:
      return "flat";
    case Shape::kNested:
      return "nested";
    case Shape::kBatch:
      return "batch";
  }
  return "flat";
}

MessageSource::MessageSource(std::uint32_t devices, std::uint64_t seed, std::uint64_t first_sequence)
    : next_sequence_(devices, first_sequence), random_(seed) {}

Message MessageSource::Next(std::chrono::system_clock::time_point now) {
  Message message;
  const std::size_t device = device_;
  device_ = (device_ + 1) % next_sequence_.size();
  message.shape = static_cast<Shape>(device % kShapes);
  message.sequence = next_sequence_[device]++;
  message.topic = "site/";
  message.topic += kSites[device % kSites.size()];
  message.topic += "/dev/" + std::to_string(device + 1);
  message.topic += message.shape == Shape::kBatch ? "/batch" : "/telemetry";
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  message.payload = Payload(message.shape, message.sequence, now_ms);
  return message;
}

std::string MessageSource::Payload(Shape shape, std::uint64_t sequence, std::int64_t now_ms) {
  const auto number = static_cast<unsigned long long>(sequence);
  const auto tenths = static_cast<unsigned>(random_.UpTo(199));
  switch (shape) {
    case Shape::kFlat:
      return Format(R"({"ts":%lld,"seq":%llu,"temperature":%u.%u,"humidity":%u,"door_open":%s,"firmware":"1.4.2"})",
                    static_cast<long long>(now_ms), number, 15 + tenths / 10, tenths % 10, 30 + tenths % 50,
                    tenths % 7 == 0 ? "true" : "false");
    case Shape::kNested:
      return Format(R"({"time":"%s","seq":%llu,"climate":{"temperature":%u.%u,"pressure_hpa":%u},)"
                    R"("battery":{"voltage":3.%02u,"charging":%s},"firmware":"2.0.1"})",
                    Rfc3339(now_ms).c_str(), number, 15 + tenths / 10, tenths % 10, 990 + tenths % 40, tenths % 100,
                    tenths % 2 == 0 ? "true" : "false");
    case Shape::kBatch:
      break;
  }
  std::string payload = Format(R"({"seq":%llu,"samples":[)", number);
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::int64_t age = static_cast<std::int64_t>(kSamples - 1 - i) * kSampleDistanceMs;
    payload += Format(R"(%s{"t":%lld,"v":%u.%u})", i == 0 ? "" : ",", static_cast<long long>(now_ms - age),
                      tenths + static_cast<unsigned>(i), tenths % 10);
  }
  return payload + "]}";
}

}  // namespace packhorse::fleet
