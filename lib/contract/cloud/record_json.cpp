#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud_contract.h"
#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

// Writes to memory that has room for all of it: a record is more than a hundred small pieces, and a string would look
// at its capacity before each.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}
  char* at() const { return at_; }

  void Put(char c) { *at_++ = c; }
  void Put(std::string_view literal) {
    std::memcpy(at_, literal.data(), literal.size());
    at_ += literal.size();
  }
  void String(std::string_view text) { at_ = format::WriteString(at_, text); }
  void Unsigned(std::uint64_t number) { at_ = format::WriteUnsigned(at_, number); }
  void Integer(std::int64_t number) { at_ = format::WriteInteger(at_, number); }
  void Time(WallTime time) { at_ = format::WriteWallTime(at_, time); }
  void Any(const Value& value) { at_ = format::WriteValue(at_, value); }
  // Names of ours, of enumerators and members, need no escaping.
  void Name(std::string_view name) {
    Put('"');
    Put(name);
    Put('"');
  }
  // `member` is `,"name":`.
  void Member(std::string_view member, std::string_view text) {
    if (!text.empty()) {
      Put(member);
      String(text);
    }
  }

 private:
  char* at_;
};

void WriteDeviceTime(Writer& out, const DeviceTime& time) {
  out.Put(R"(,"device_time":{)");
  if (!time.value.empty()) {
    out.Put(R"("value":)");
    out.String(time.value);
    out.Put(',');
  }
  if (!time.raw.empty()) {
    out.Put(R"("raw":)");
    out.String(time.raw);
    out.Put(',');
  }
  out.Put(R"("source":)");
  out.Name(Name(time.source));
  out.Put(R"(,"quality":)");
  out.Name(Name(time.quality));
  if (time.skew_ms) {
    out.Put(R"(,"skew_ms":)");
    out.Integer(*time.skew_ms);
  }
  out.Put('}');
}

void WriteMeasurements(Writer& out, const std::vector<Measurement>& measurements) {
  if (measurements.empty()) {
    return;
  }
  out.Put(R"(,"measurements":)");
  char separator = '{';
  for (const Measurement& measurement : measurements) {
    out.Put(separator);
    separator = ',';
    out.String(measurement.name);
    out.Put(R"(:{"value":)");
    out.Any(measurement.value);
    out.Member(R"(,"unit":)", measurement.unit);
    out.Put('}');
  }
  out.Put('}');
}

void WriteAttributes(Writer& out, const std::vector<Attribute>& attributes) {
  if (attributes.empty()) {
    return;
  }
  out.Put(R"(,"attributes":)");
  char separator = '{';
  for (const Attribute& attribute : attributes) {
    out.Put(separator);
    separator = ',';
    out.String(attribute.name);
    out.Put(':');
    out.Any(attribute.value);
  }
  out.Put('}');
}

void WriteFlags(Writer& out, Flags flags) {
  if (flags == 0) {
    return;
  }
  out.Put(R"(,"flags":)");
  char separator = '[';
  for (const std::string_view name : Names(flags)) {
    out.Put(separator);
    separator = ',';
    out.Name(name);
  }
  out.Put(']');
}

// At most what WriteRecord() writes.
std::size_t MostBytes(const CanonicalRecord& record) {
  constexpr std::size_t kFixed = 1'024;  // names of members and enumerators, numbers and times of every record
  constexpr std::size_t kPerField = 32;  // what stands around a name, a value and a unit
  std::size_t bytes = kFixed;
  for (const std::string* text : {&record.record_id, &record.stream, &record.device_id, &record.device_time.value,
                                  &record.device_time.raw, &record.contract, &record.topic}) {
    bytes += format::MostBytes(std::string_view(*text));
  }
  for (const Measurement& each : record.measurements) {
    bytes += kPerField + format::MostBytes(std::string_view(each.name)) + format::MostBytes(each.value) +
             format::MostBytes(std::string_view(each.unit));
  }
  for (const Attribute& each : record.attributes) {
    bytes += kPerField + format::MostBytes(std::string_view(each.name)) + format::MostBytes(each.value);
  }
  return bytes;
}

void WriteRecord(Writer& out, const CanonicalRecord& record) {
  out.Put(R"({"record_id":)");
  out.String(record.record_id);
  out.Put(R"(,"sequence":)");
  out.Unsigned(record.sequence);
  out.Put(R"(,"kind":)");
  out.Name(Name(record.kind));
  out.Member(R"(,"stream":)", record.stream);
  out.Member(R"(,"device_id":)", record.device_id);
  out.Put(R"(,"server_received_at":)");
  out.Time(record.server_received_at);
  if (record.server_received_at_raw && record.gateway_clock == ClockState::kRecovered) {
    out.Put(R"(,"server_received_at_raw":)");
    out.Time(*record.server_received_at_raw);
  }
  out.Put(R"(,"gateway_clock":)");
  out.Name(Name(record.gateway_clock));
  WriteDeviceTime(out, record.device_time);
  out.Member(R"(,"contract":)", record.contract);
  out.Member(R"(,"topic":)", record.topic);
  WriteMeasurements(out, record.measurements);
  WriteAttributes(out, record.attributes);
  WriteFlags(out, record.flags);
  out.Put('}');
}

}  // namespace

// What escapes may need is six times what they mostly do, and a batch keeps all of its records: so what is written goes
// on as its bytes alone.
std::string_view JsonOf(const CanonicalRecord& record) {
  constexpr std::size_t kKept = 64U << 10U;
  thread_local std::vector<char> room(kKept);
  const std::size_t most = MostBytes(record);
  if (most > room.size()) {
    room.resize(most);
  } else if (room.size() > kKept && most <= kKept) {
    room = std::vector<char>(kKept);
  }
  Writer out(room.data());
  WriteRecord(out, record);
  return {room.data(), static_cast<std::size_t>(out.at() - room.data())};
}

std::string ToJson(const CanonicalRecord& record) { return std::string(JsonOf(record)); }

}  // namespace packhorse::contract
