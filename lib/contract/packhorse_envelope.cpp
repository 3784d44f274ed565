#include "contract/packhorse_envelope.h"

#include <algorithm>
#include <utility>

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

class PackhorseEnvelope final : public CloudContract {
 public:
  explicit PackhorseEnvelope(CloudDefinition definition)
      : definition_(std::move(definition)), response_(FirstFormRules(definition_.response)) {}

  const std::string& name() const override { return definition_.name; }
  const std::string& method() const override { return definition_.method; }
  const std::string& idempotency_header() const override { return definition_.idempotency_header; }
  bool recognises_records() const override { return true; }  // "receivers remember record_ids" (the OpenAPI)
  const ResponseRules& response() const override { return response_; }
  std::uint32_t max_records() const override { return definition_.max_records; }
  std::uint64_t max_bytes() const override { return definition_.max_bytes; }
  bool TellsGap(std::string_view outcome) const override {
    return std::find(definition_.gap_outcomes.begin(), definition_.gap_outcomes.end(), outcome) !=
           definition_.gap_outcomes.end();
  }

  std::string RenderRecord(const CanonicalRecord& record) const override { return ToJson(record); }
  Rendered RenderBatch(const BatchHeader& header, std::span<const std::string> records) const override;
  Result<std::vector<std::string>> Records(std::string_view body) const override;
  std::uint64_t EnvelopeBytes(const BatchHeader& header) const override;

 private:
  std::string Head(const BatchHeader& header, std::size_t records) const;

  CloudDefinition definition_;
  ResponseRules response_;
};

constexpr std::string_view kTail = "]}";

std::string PackhorseEnvelope::Head(const BatchHeader& header, std::size_t records) const {
  std::string out = "{\"contract\":";
  format::AppendString(out, definition_.name);
  out += ",\"gateway\":{\"id\":";
  format::AppendString(out, header.gateway_id);
  if (!header.gateway_attributes.empty()) {
    out += ",\"attributes\":";
    char separator = '{';
    for (const auto& [name, value] : header.gateway_attributes) {
      out += separator;
      separator = ',';
      format::AppendString(out, name);
      out += ':';
      format::AppendString(out, value);
    }
    out += '}';
  }
  out += "},\"batch\":{\"id\":";
  format::AppendString(out, header.batch_id);
  out += ",\"lane\":";
  AppendQuoted(out, Name(header.lane));
  out += ",\"records\":";
  format::AppendUnsigned(out, records);
  out += "},\"records\":[";
  return out;
}

Rendered PackhorseEnvelope::RenderBatch(const BatchHeader& header, std::span<const std::string> records) const {
  Rendered rendered{definition_.path, definition_.content_type, Head(header, records.size())};
  std::size_t total = rendered.body.size() + kTail.size() + records.size();
  for (const std::string& record : records) {
    total += record.size();
  }
  rendered.body.reserve(total);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i > 0) {
      rendered.body += ',';
    }
    rendered.body += records[i];
  }
  rendered.body += kTail;
  return rendered;
}

// Where the JSON text behind a quote, which is at `at`, ends: behind its other quote.
std::size_t EndOfString(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    at += text[at] == '\\' ? 1U : 0U;
  }
  return at + 1;
}

// What is our own JSON has no white space: the list of records is the last member, and begins at the only place where
// its name stands in the outermost object.
Result<std::vector<std::string>> PackhorseEnvelope::Records(std::string_view body) const {
  constexpr std::string_view kList = "\"records\":[";
  std::vector<std::string> records;
  std::size_t depth = 0;
  std::size_t begin = 0;  // of the record; 0: not in the list
  for (std::size_t at = 0; at < body.size();) {
    const char each = body[at];
    if (each == '"') {
      if (depth == 1 && body.substr(at, kList.size()) == kList) {
        at += kList.size();
        depth = 2;
        begin = at;
        continue;
      }
      at = EndOfString(body, at);
      continue;
    }
    if (begin != 0 && depth == 2 && (each == ',' || each == ']')) {
      if (at > begin) {
        records.emplace_back(body.substr(begin, at - begin));
      }
      begin = at + 1;
      if (each == ']') {
        return records;
      }
    }
    depth += each == '{' || each == '[' ? 1U : 0U;
    depth -= each == '}' || each == ']' ? 1U : 0U;
    ++at;
  }
  return Error{ErrorCode::kCorrupt, "the body of a batch is not what " + definition_.name + " makes"};
}

std::uint64_t PackhorseEnvelope::EnvelopeBytes(const BatchHeader& header) const {
  // One comma per record at most; the caller knows how many there will be only later.
  return Head(header, definition_.max_records).size() + kTail.size() + definition_.max_records;
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

std::shared_ptr<const CloudContract> MakePackhorseEnvelope(CloudDefinition definition) {
  return std::make_shared<PackhorseEnvelope>(std::move(definition));
}

}  // namespace packhorse::contract
