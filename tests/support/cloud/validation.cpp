#include "validation.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <unordered_set>

#include "base/units.h"
#include "record_id.h"

namespace packhorse::cloud {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxTextBytes = 65'535;  // an MQTT topic, the longest text of the contract
constexpr std::size_t kMaxIdBytes = 256;

using Names = std::initializer_list<std::string_view>;

std::string Shown(const element& value) { return Shorten(simdjson::to_string(value), 80); }

std::string Join(Names names) {
  std::string text;
  for (const std::string_view name : names) {
    text += text.empty() ? "" : ", ";
    text += name;
  }
  return text;
}

// JSON pointer token: '~' and '/' are escaped (RFC 6901 section 3).
std::string Token(std::string_view name) {
  std::string token;
  for (const char c : name) {
    token += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return token;
}

// Where we are in the document. Pointers are only put together when something is wrong.
class Place {
 public:
  Place(const Place* parent, std::string_view name) : parent_(parent), name_(name) {}
  Place(const Place* parent, std::size_t index) : parent_(parent), index_(index), is_index_(true) {}
  std::string Pointer() const {
    if (parent_ == nullptr) {
      return "";
    }
    return parent_->Pointer() + "/" + (is_index_ ? std::to_string(index_) : Token(name_));
  }

 private:
  const Place* parent_;
  std::string_view name_;
  std::size_t index_ = 0;
  bool is_index_ = false;
};

// Collects violations and knows how to fetch members by type.
class Checker {
 public:
  explicit Checker(Refusal& refusal) : refusal_(refusal) {}

  void Fail(const Place& place, std::string detail) {
    ++refusal_.violation_count;
    if (refusal_.violations.size() < kMaxViolations) {
      refusal_.violations.push_back({place.Pointer(), std::move(detail)});
    }
  }

  // Whether the member is there; a missing one is a violation when `required`.
  bool Member(const object& from, const Place& at, std::string_view name, bool required, element& value) {
    if (from.at_key(name).get(value) == simdjson::SUCCESS) {
      return true;
    }
    if (required) {
      Fail(Place(&at, name), "is missing");
    }
    return false;
  }

  // Text of 1 to `max_bytes` bytes; empty when absent or wrong.
  std::string_view Text(const object& from, const Place& at, std::string_view name, bool required,
                        std::size_t max_bytes = kMaxTextBytes) {
    element value;
    std::string_view text;
    if (!Member(from, at, name, required, value)) {
      return {};
    }
    if (value.get(text) != simdjson::SUCCESS) {
      Fail(Place(&at, name), "is " + Shown(value) + ", must be text");
      return {};
    }
    if (text.empty() || text.size() > max_bytes) {
      Fail(Place(&at, name),
           "has " + std::to_string(text.size()) + " bytes, must have 1 to " + std::to_string(max_bytes));
      return {};
    }
    return text;
  }

  std::string_view OneOf(const object& from, const Place& at, std::string_view name, bool required, Names allowed) {
    const std::string_view text = Text(from, at, name, required);
    if (!text.empty() && std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
      Fail(Place(&at, name), "is \"" + Shorten(text, 80) + "\", must be one of " + Join(allowed));
      return {};
    }
    return text;
  }

  bool Number(const object& from, const Place& at, std::string_view name, std::uint64_t& number) {
    element value;
    if (!Member(from, at, name, true, value)) {
      return false;
    }
    if (value.get(number) != simdjson::SUCCESS) {
      Fail(Place(&at, name), "is " + Shown(value) + ", must be an integer of 0 or more");
      return false;
    }
    return true;
  }

  bool Object(const object& from, const Place& at, std::string_view name, bool required, object& value) {
    element found;
    if (!Member(from, at, name, required, found)) {
      return false;
    }
    if (found.get(value) != simdjson::SUCCESS) {
      Fail(Place(&at, name), "is " + Shown(found) + ", must be an object");
      return false;
    }
    return true;
  }

  void Time(const object& from, const Place& at, std::string_view name, bool required, bool microseconds) {
    const std::string_view text = Text(from, at, name, required);
    if (!text.empty() && !IsUtcTime(text, microseconds)) {
      Fail(Place(&at, name), "is \"" + Shorten(text, 80) + "\", must be an RFC 3339 time in UTC (Z)" +
                                 (microseconds ? " with six fraction digits" : ""));
    }
  }

 private:
  Refusal& refusal_;
};

bool IsScalar(const element& value) { return !value.is_array() && !value.is_object(); }

bool Digits(std::string_view text, std::size_t from, std::size_t count) {
  const std::string_view part = text.substr(from, count);
  return part.size() == count && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int Two(std::string_view text, std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); }

bool IsFlag(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// "name@major.minor".
bool IsContractName(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == 0 || at == std::string_view::npos) {
    return false;
  }
  const std::string_view version = text.substr(at + 1);
  const std::size_t dot = version.find('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < version.size() && Digits(version, 0, dot) &&
         Digits(version, dot + 1, version.size() - dot - 1);
}

std::string_view LaneName(std::string_view letter) {
  return letter == "u" ? "urgent" : letter == "n" ? "normal" : "bulk";
}

// Reads one record; the batch's lane is known by then.
class RecordReader {
 public:
  RecordReader(Checker& check, const std::vector<std::string>& sum_fields, std::string_view lane)
      : check_(check), sum_fields_(sum_fields), lane_(lane) {}

  ReceivedRecord Read(const object& from, const Place& at) {
    ReceivedRecord record;
    ReadIdentity(from, at, record);
    record.kind = check_.OneOf(from, at, "kind", true, {"telemetry", "state", "metadata", "connectivity", "gap"});
    const bool from_device = record.kind != "gap";
    record.stream = check_.Text(from, at, "stream", true, kMaxIdBytes);
    record.device_id = check_.Text(from, at, "device_id", false);
    record.topic = check_.Text(from, at, "topic", from_device);
    const std::string_view contract = check_.Text(from, at, "contract", from_device, kMaxIdBytes);
    if (!contract.empty() && !IsContractName(contract)) {
      check_.Fail(Place(&at, "contract"), "is \"" + Shorten(contract, 80) + "\", must be name@major.minor");
    }
    ReadReceived(from, at, record);
    ReadDeviceTime(from, at);
    ReadMeasurements(from, at, record);
    ReadAttributes(from, at);
    ReadFlags(from, at, record);
    return record;
  }

 private:
  void ReadIdentity(const object& from, const Place& at, ReceivedRecord& record) {
    record.record_id = check_.Text(from, at, "record_id", true, kMaxIdBytes);
    const bool has_sequence = check_.Number(from, at, "sequence", record.sequence);
    if (record.record_id.empty()) {
      return;
    }
    const RecordIdParts parts = SplitRecordId(record.record_id);
    if (!parts.valid) {
      check_.Fail(Place(&at, "record_id"), "is \"" + Shorten(record.record_id, 80) +
                                               "\", must be queue id, lane letter (u, n, b), sequence and perhaps "
                                               "a part, joined by dots");
      return;
    }
    record.queue_id = parts.queue_id;
    record.lane = parts.lane;
    record.part = parts.part;
    if (has_sequence && parts.sequence != record.sequence) {
      check_.Fail(Place(&at, "sequence"),
                  "is " + std::to_string(record.sequence) + ", the record_id says " + std::to_string(parts.sequence));
    }
    if (!lane_.empty() && LaneName(parts.lane) != lane_) {
      check_.Fail(Place(&at, "record_id"),
                  "is of lane " + std::string(LaneName(parts.lane)) + ", the batch of lane " + std::string(lane_));
    }
    if (!seen_.insert(record.record_id).second) {
      check_.Fail(Place(&at, "record_id"), "\"" + std::string(record.record_id) + "\" is in this batch twice");
    }
  }

  void ReadReceived(const object& from, const Place& at, ReceivedRecord& record) {
    check_.Time(from, at, "server_received_at", true, true);
    element received;
    if (from.at_key("server_received_at").get(received) == simdjson::SUCCESS && received.is_string()) {
      record.server_received_at = received.get_string().value_unsafe();
    }
    const std::string_view clock =
        check_.OneOf(from, at, "gateway_clock", true, {"synchronized", "recovered", "unsynchronized"});
    const bool recovered = clock == "recovered";
    check_.Time(from, at, "server_received_at_raw", recovered, true);
    element raw;
    if (!clock.empty() && !recovered && from.at_key("server_received_at_raw").get(raw) == simdjson::SUCCESS) {
      check_.Fail(Place(&at, "server_received_at_raw"), "is only for gateway_clock recovered");
    }
  }

  void ReadDeviceTime(const object& from, const Place& record_at) {
    object time;
    if (!check_.Object(from, record_at, "device_time", true, time)) {
      return;
    }
    const Place at(&record_at, "device_time");
    check_.Time(time, at, "value", false, false);
    element raw;
    if (time.at_key("raw").get(raw) == simdjson::SUCCESS && !raw.is_string()) {
      check_.Fail(Place(&at, "raw"), "is " + Shown(raw) + ", must be text");
    }
    check_.OneOf(time, at, "source", true, {"device", "gateway", "network", "relative", "none"});
    check_.OneOf(time, at, "quality", true,
                 {"ok", "late", "future", "unsynced", "no_zone", "ambiguous", "implausible", "unparsed", "absent"});
    element skew;
    if (time.at_key("skew_ms").get(skew) == simdjson::SUCCESS && !skew.is_int64()) {
      check_.Fail(Place(&at, "skew_ms"), "is " + Shown(skew) + ", must be an integer");
    }
  }

  // Empty members are left out by contract.
  void NotEmpty(const Place& at, std::size_t size) {
    if (size == 0) {
      check_.Fail(at, "is empty; such a member is left out");
    }
  }

  void ReadMeasurements(const object& from, const Place& record_at, ReceivedRecord& record) {
    object measurements;
    if (!check_.Object(from, record_at, "measurements", false, measurements)) {
      return;
    }
    const Place at(&record_at, "measurements");
    NotEmpty(at, measurements.size());
    for (const auto& [name, value] : measurements) {
      object measurement;
      if (value.get(measurement) != simdjson::SUCCESS) {
        check_.Fail(Place(&at, name), "is " + Shown(value) + ", must be an object with a value");
        continue;
      }
      const Place here(&at, name);
      element number;
      if (check_.Member(measurement, here, "value", true, number)) {
        if (!number.is_number() && !number.is_bool() && !number.is_null()) {
          check_.Fail(Place(&here, "value"), "is " + Shown(number) + ", must be a number, true, false or null");
        }
        AddSum(name, number, record);
      }
      check_.Text(measurement, here, "unit", false, kMaxIdBytes);
    }
    record.measurements = simdjson::minify(measurements);
  }

  void AddSum(std::string_view name, const element& number, ReceivedRecord& record) {
    double value = 0;
    if (number.is_number() && std::find(sum_fields_.begin(), sum_fields_.end(), name) != sum_fields_.end() &&
        number.get(value) == simdjson::SUCCESS) {
      record.sums.emplace_back(name, value);
    }
  }

  void ReadAttributes(const object& from, const Place& record_at) {
    object attributes;
    if (!check_.Object(from, record_at, "attributes", false, attributes)) {
      return;
    }
    const Place at(&record_at, "attributes");
    NotEmpty(at, attributes.size());
    for (const auto& [name, value] : attributes) {
      if (!IsScalar(value)) {
        check_.Fail(Place(&at, name), "is " + Shown(value) + ", must be text, a number, true, false or null");
      }
    }
  }

  void ReadFlags(const object& from, const Place& record_at, ReceivedRecord& record) {
    element value;
    if (!check_.Member(from, record_at, "flags", false, value)) {
      return;
    }
    const Place at(&record_at, "flags");
    array flags;
    if (value.get(flags) != simdjson::SUCCESS) {
      check_.Fail(at, "is " + Shown(value) + ", must be an array of text");
      return;
    }
    NotEmpty(at, flags.size());
    std::size_t index = 0;
    std::vector<std::string_view> seen;
    for (const element flag : flags) {
      const Place here(&at, index++);
      std::string_view text;
      if (flag.get(text) != simdjson::SUCCESS || !IsFlag(text)) {
        check_.Fail(here, "is " + Shown(flag) + ", must be text of a-z and _");
      } else if (std::find(seen.begin(), seen.end(), text) != seen.end()) {
        check_.Fail(here, "\"" + std::string(text) + "\" is there twice");
      } else {
        seen.push_back(text);
        record.flags += record.flags.empty() ? "" : ",";
        record.flags += text;
      }
    }
  }

  Checker& check_;
  const std::vector<std::string>& sum_fields_;
  std::string_view lane_;
  std::unordered_set<std::string_view> seen_;
};

void ReadGateway(const object& document, const Place& root, Checker& check, ReceivedBatch& batch) {
  object gateway;
  if (!check.Object(document, root, "gateway", true, gateway)) {
    return;
  }
  const Place at(&root, "gateway");
  batch.gateway_id = check.Text(gateway, at, "id", true, kMaxIdBytes);
  object attributes;
  if (!check.Object(gateway, at, "attributes", false, attributes)) {
    return;
  }
  const Place here(&at, "attributes");
  for (const auto& [name, value] : attributes) {
    if (!value.is_string()) {
      check.Fail(Place(&here, name), "is " + Shown(value) + ", must be text");
    }
  }
}

void ReadRecords(const object& document, const Place& root, const std::vector<std::string>& sum_fields, Checker& check,
                 ReceivedBatch& batch) {
  object header;
  std::uint64_t announced = 0;
  bool has_count = false;
  if (check.Object(document, root, "batch", true, header)) {
    const Place at(&root, "batch");
    batch.batch_id = check.Text(header, at, "id", true, kMaxIdBytes);
    batch.lane = check.OneOf(header, at, "lane", true, {"urgent", "normal", "bulk"});
    has_count = check.Number(header, at, "records", announced);
  }
  element value;
  if (!check.Member(document, root, "records", true, value)) {
    return;
  }
  const Place at(&root, "records");
  array records;
  if (value.get(records) != simdjson::SUCCESS || records.begin() == records.end()) {
    check.Fail(at, "must be an array of at least one record");
    return;
  }
  RecordReader reader(check, sum_fields, batch.lane);
  std::size_t index = 0;
  for (const element item : records) {
    object record;
    const Place here(&at, index++);
    if (item.get(record) != simdjson::SUCCESS) {
      check.Fail(here, "is " + Shown(item) + ", must be an object");
      continue;
    }
    batch.records.push_back(reader.Read(record, here));
  }
  if (has_count && announced != index) {
    const Place batch_at(&root, "batch");
    check.Fail(Place(&batch_at, "records"),
               "is " + std::to_string(announced) + ", the body has " + std::to_string(index) + " records");
  }
}

}  // namespace

bool IsUtcTime(std::string_view text, bool microseconds) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() < kShape.size() + 1 || text.back() != 'Z') {
    return false;
  }
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == '0' ? !Digits(text, i, 1) : text[i] != kShape[i]) {
      return false;
    }
  }
  const bool in_range = Two(text, 5) >= 1 && Two(text, 5) <= 12 && Two(text, 8) >= 1 && Two(text, 8) <= 31 &&
                        Two(text, 11) <= 23 && Two(text, 14) <= 59 && Two(text, 17) <= 60;  // 60: a leap second
  const std::string_view fraction = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (!in_range || fraction.empty()) {
    return in_range && !microseconds;
  }
  const std::size_t digits = fraction.size() - 1;
  return fraction.front() == '.' && Digits(fraction, 1, digits) &&
         (microseconds ? digits == 6 : digits == 3 || digits == 6 || digits == 9);
}

struct Validator::Parser {
  simdjson::dom::parser parser;
};

Validator::Validator(std::vector<std::string> sum_fields)
    : parser_(std::make_unique<Parser>()), sum_fields_(std::move(sum_fields)) {}
Validator::~Validator() = default;

Validation Validator::Check(std::string_view body) {
  Validation result;
  element document;
  if (parser_->parser.capacity() < body.size() &&
      parser_->parser.allocate(body.size(), kMaxDepth) != simdjson::SUCCESS) {
    result.refusal.is_json = false;
    result.refusal.syntax = "not enough memory for a body of this size";
    return result;
  }
  const simdjson::error_code error = parser_->parser.parse(body.data(), body.size()).get(document);
  if (error != simdjson::SUCCESS) {
    result.refusal.is_json = false;
    result.refusal.syntax = simdjson::error_message(error);
    return result;
  }
  Checker check(result.refusal);
  const Place root(nullptr, "");
  object top;
  if (document.get(top) != simdjson::SUCCESS) {
    check.Fail(root, "must be an object");
    return result;
  }
  result.batch.contract = check.Text(top, root, "contract", true, kMaxIdBytes);
  constexpr std::string_view kFamily = "packhorse-ingest@1.";
  if (!result.batch.contract.empty() &&
      !(result.batch.contract.starts_with(kFamily) && IsContractName(result.batch.contract))) {
    check.Fail(Place(&root, "contract"),
               "is \"" + Shorten(result.batch.contract, 80) + "\", this receiver speaks packhorse-ingest@1");
  }
  ReadGateway(top, root, check, result.batch);
  ReadRecords(top, root, sum_fields_, check, result.batch);
  result.ok = result.refusal.violation_count == 0;
  return result;
}

}  // namespace packhorse::cloud
