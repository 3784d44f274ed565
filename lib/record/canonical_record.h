#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "record/raw_message.h"

namespace packhorse {

// The canonical record is the only thing that device contracts and cloud contracts both know. Names and values are
// those of the public cloud contract packhorse-ingest@1. Plain values; any thread.

// A scalar as the device sent it. 64-bit integers stay exact.
using Value = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string>;

struct Measurement {
  std::string name;  // nested names joined by '.'
  Value value;       // number, bool or null
  std::string unit;  // UCUM, empty when not declared
};

struct Attribute {
  std::string name;
  Value value;
};

enum class RecordKind : std::uint8_t { kTelemetry, kState, kMetadata, kConnectivity, kGap };
std::string_view Name(RecordKind kind);

enum class TimeSource : std::uint8_t { kDevice, kGateway, kNetwork, kRelative, kNone };
std::string_view Name(TimeSource source);

enum class TimeQuality : std::uint8_t {
  kOk,
  kLate,
  kFuture,
  kUnsynced,
  kNoZone,
  kAmbiguous,
  kImplausible,
  kUnparsed,
  kAbsent,
};
std::string_view Name(TimeQuality quality);

struct DeviceTime {
  std::string value;  // RFC 3339 UTC with 0, 3, 6 or 9 fraction digits; empty when it could not be placed
  std::string raw;    // as received, as text
  TimeSource source = TimeSource::kNone;
  TimeQuality quality = TimeQuality::kAbsent;
  std::optional<std::int64_t> skew_ms;  // device time minus server_received_at
};

// Bits of `flags`; the names go to the wire in this order.
enum class Flag : std::uint32_t {
  kBackfilled = 1U << 0U,
  kRedelivered = 1U << 1U,
  kReplayed = 1U << 2U,
  kRetained = 1U << 3U,
  kDuplicateSuspect = 1U << 4U,
  kOutOfOrder = 1U << 5U,
  kStale = 1U << 6U,
  kUnknownEnum = 1U << 7U,
  kUnknownField = 1U << 8U,
  kLossyDecode = 1U << 9U,
  kClockSuspect = 1U << 10U,
  kOutOfSequence = 1U << 11U,  // sent behind a later sequence of its lane, or in another batch than its message began
};
using Flags = std::uint32_t;
inline Flags operator|(Flags flags, Flag flag) { return flags | static_cast<Flags>(flag); }
inline bool Has(Flags flags, Flag flag) { return (flags & static_cast<Flags>(flag)) != 0; }
// Names of the bits that are set, in wire order.
std::vector<std::string_view> Names(Flags flags);

struct CanonicalRecord {
  std::string record_id;  // <queue id>.<lane letter>.<sequence>[.<i>]
  Sequence sequence = 0;
  RecordKind kind = RecordKind::kTelemetry;
  std::string stream;
  std::string device_id;  // empty when none could be found
  WallTime server_received_at{};
  std::optional<WallTime> server_received_at_raw;  // only when gateway_clock is recovered
  ClockState gateway_clock = ClockState::kUnsynchronized;
  DeviceTime device_time;
  std::string contract;  // device contract, name@major.minor
  std::string topic;
  std::vector<Measurement> measurements;  // in the payload's order
  std::vector<Attribute> attributes;
  Flags flags = 0;
};

// Where a record came from within its message: the record id is made of it. `index` is set when one message gave
// several: see RecordIndex().
std::string RecordId(std::string_view queue_id, Lane lane, Sequence sequence, std::optional<std::uint32_t> index);
// Likewise in the place of what `id` holds, in its memory.
void WriteRecordId(std::string& id, std::string_view queue_id, Lane lane, Sequence sequence,
                   std::optional<std::uint32_t> index);

// Of the record at place `record` of a message that gave `total`.
constexpr std::optional<std::uint32_t> RecordIndex(std::uint32_t record, std::uint32_t total) {
  return total > 1 ? std::optional(record) : std::nullopt;
}

// The parts of a record id; none when the text is not one.
struct RecordKey {
  std::string queue_id;
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  std::optional<std::uint32_t> index;
};
std::optional<RecordKey> ParseRecordId(std::string_view text);

}  // namespace packhorse
