#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud_contract.h"
#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

// Names of ours, of enumerators and members, need no escaping.
void AppendQuoted(std::string& out, std::string_view name) {
  out += '"';
  out += name;
  out += '"';
}

// `member` is `,"name":`.
void AppendText(std::string& out, std::string_view member, std::string_view text) {
  if (!text.empty()) {
    out += member;
    format::AppendString(out, text);
  }
}

void AppendDeviceTime(std::string& out, const DeviceTime& time) {
  out += ",\"device_time\":{";
  if (!time.value.empty()) {
    out += "\"value\":";
    format::AppendString(out, time.value);
    out += ',';
  }
  if (!time.raw.empty()) {
    out += "\"raw\":";
    format::AppendString(out, time.raw);
    out += ',';
  }
  out += "\"source\":";
  AppendQuoted(out, Name(time.source));
  out += ",\"quality\":";
  AppendQuoted(out, Name(time.quality));
  if (time.skew_ms) {
    out += ",\"skew_ms\":";
    format::AppendInteger(out, *time.skew_ms);
  }
  out += '}';
}

void AppendMeasurements(std::string& out, const std::vector<Measurement>& measurements) {
  if (measurements.empty()) {
    return;
  }
  out += ",\"measurements\":";
  char separator = '{';
  for (const Measurement& measurement : measurements) {
    out += separator;
    separator = ',';
    format::AppendString(out, measurement.name);
    out += ":{\"value\":";
    format::AppendValue(out, measurement.value);
    AppendText(out, ",\"unit\":", measurement.unit);
    out += '}';
  }
  out += '}';
}

void AppendAttributes(std::string& out, const std::vector<Attribute>& attributes) {
  if (attributes.empty()) {
    return;
  }
  out += ",\"attributes\":";
  char separator = '{';
  for (const Attribute& attribute : attributes) {
    out += separator;
    separator = ',';
    format::AppendString(out, attribute.name);
    out += ':';
    format::AppendValue(out, attribute.value);
  }
  out += '}';
}

void AppendFlags(std::string& out, Flags flags) {
  if (flags == 0) {
    return;
  }
  out += ",\"flags\":";
  char separator = '[';
  for (const std::string_view name : Names(flags)) {
    out += separator;
    separator = ',';
    AppendQuoted(out, name);
  }
  out += ']';
}

// Room for a record without growing the string: its fixed part is about 450 bytes.
std::size_t EstimateBytes(const CanonicalRecord& record) {
  constexpr std::size_t kFixed = 512;
  constexpr std::size_t kPerField = 48;
  return kFixed + record.topic.size() + kPerField * (record.measurements.size() + record.attributes.size());
}

}  // namespace

std::string ToJson(const CanonicalRecord& record) {
  std::string out;
  out.reserve(EstimateBytes(record));
  out += "{\"record_id\":";
  format::AppendString(out, record.record_id);
  out += ",\"sequence\":";
  format::AppendUnsigned(out, record.sequence);
  out += ",\"kind\":";
  AppendQuoted(out, Name(record.kind));
  AppendText(out, ",\"stream\":", record.stream);
  AppendText(out, ",\"device_id\":", record.device_id);
  out += ",\"server_received_at\":";
  format::AppendWallTime(out, record.server_received_at);
  if (record.server_received_at_raw && record.gateway_clock == ClockState::kRecovered) {
    out += ",\"server_received_at_raw\":";
    format::AppendWallTime(out, *record.server_received_at_raw);
  }
  out += ",\"gateway_clock\":";
  AppendQuoted(out, Name(record.gateway_clock));
  AppendDeviceTime(out, record.device_time);
  AppendText(out, ",\"contract\":", record.contract);
  AppendText(out, ",\"topic\":", record.topic);
  AppendMeasurements(out, record.measurements);
  AppendAttributes(out, record.attributes);
  AppendFlags(out, record.flags);
  out += '}';
  return out;
}

}  // namespace packhorse::contract
