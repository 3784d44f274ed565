#include "contract/packhorse_envelope.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
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
  const std::vector<std::string>& codings() const override { return codings_; }
  bool recognises_records() const override { return true; }  // "receivers remember record_ids" (the OpenAPI)
  const ResponseRules& response() const override { return response_; }
  const Accepts& accepts() const override { return definition_.accepts; }
  const std::vector<DeclaredLimit>& limits() const override { return limits_; }
  bool TellsGap(std::string_view outcome) const override {
    return std::find(definition_.gap_outcomes.begin(), definition_.gap_outcomes.end(), outcome) !=
           definition_.gap_outcomes.end();
  }
  const std::vector<std::string>& secrets() const override { return secrets_; }
  std::vector<std::string> HeaderNames() const override;

  RenderedRecord RenderRecord(const CanonicalRecord& record) const override;
  Rendered RenderBatch(const BatchHeader& header, std::span<const RenderedRecord> records) const override;
  Headers RequestHeaders(const BatchHeader& header) const override;
  Result<std::vector<std::string>> Items(std::string_view items) const override;
  std::uint64_t EnvelopeBytes(const BatchHeader& header) const override;

 private:
  std::string Head(const BatchHeader& header, std::size_t records) const;

  CloudDefinition definition_;
  std::vector<std::string> codings_ = {"gzip"};
  std::vector<DeclaredLimit> limits_;
  std::vector<std::string> secrets_;
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

RenderedRecord PackhorseEnvelope::RenderRecord(const CanonicalRecord& record) const {
  RenderedRecord rendered;
  rendered.text = ToJson(record);
  return rendered;
}

Rendered PackhorseEnvelope::RenderBatch(const BatchHeader& header, std::span<const RenderedRecord> records) const {
  Rendered rendered{definition_.path, definition_.content_type, Head(header, records.size())};
  rendered.items_begin = rendered.body.size();
  std::size_t total = rendered.body.size() + kTail.size() + records.size();
  for (const RenderedRecord& record : records) {
    total += record.text.size();
  }
  rendered.body.reserve(total);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i > 0) {
      rendered.body += ',';
    }
    rendered.body += records[i].text;
  }
  rendered.items_end = rendered.body.size();
  rendered.body += kTail;
  return rendered;
}

std::vector<std::string> PackhorseEnvelope::HeaderNames() const {
  return definition_.idempotency_header.empty() ? std::vector<std::string>()
                                                : std::vector{Lower(definition_.idempotency_header)};
}

Headers PackhorseEnvelope::RequestHeaders(const BatchHeader& header) const {
  if (definition_.idempotency_header.empty()) {
    return {};
  }
  // A structured field String: the quotes are part of the value (IETF httpapi idempotency-key draft).
  return {{definition_.idempotency_header, "\"" + header.batch_id + "\""}};
}

// Where the JSON text behind a quote, which is at `at`, ends: behind its other quote.
std::size_t EndOfString(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    at += text[at] == '\\' ? 1U : 0U;
  }
  return at + 1;
}

// The list without its brackets; what is our own JSON has no white space.
Result<std::vector<std::string>> PackhorseEnvelope::Items(std::string_view items) const {
  std::vector<std::string> records;
  std::size_t depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < items.size();) {
    const char each = items[at];
    if (each == '"') {
      at = EndOfString(items, at);
      continue;
    }
    if (each == ',' && depth == 0) {
      records.emplace_back(items.substr(begin, at - begin));
      begin = at + 1;
    }
    depth += each == '{' || each == '[' ? 1U : 0U;
    if (each == '}' || each == ']') {
      if (depth == 0) {
        return Error{ErrorCode::kCorrupt, "the body of a batch is not what " + definition_.name + " makes"};
      }
      --depth;
    }
    ++at;
  }
  if (depth != 0) {
    return Error{ErrorCode::kCorrupt, "the body of a batch is not what " + definition_.name + " makes"};
  }
  if (begin < items.size()) {
    records.emplace_back(items.substr(begin));
  }
  return records;
}

std::uint64_t PackhorseEnvelope::EnvelopeBytes(const BatchHeader& header) const {
  // One comma per record at most; the caller knows how many there will be only later.
  return Head(header, definition_.accepts.max_items).size() + kTail.size() + definition_.accepts.max_items;
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
