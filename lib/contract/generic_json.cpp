#include "contract/generic_json.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "contract/fields.h"

namespace packhorse::contract {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kGzipMark = "\x1F\x8B";  // RFC 1952 section 2.3.1

// The records of a message while they are made. The last of the list is the next one: it has what all have in common,
// and measurements and attributes of an earlier message, to be written over. When the last was made, the list is whole.
class Making {
 public:
  // In the memory of records that nobody needs, if there are any.
  Making(std::vector<CanonicalRecord>& list, std::vector<CanonicalRecord>* spare) : list_(list) {
    if (spare != nullptr) {
      list_.swap(*spare);
    }
    list_.resize(1);
  }

  CanonicalRecord& common() { return list_.back(); }
  std::size_t made() const { return made_; }
  // The next one, to be completed; valid until the next call.
  CanonicalRecord& Next(bool last) {
    if (!last) {
      common().measurements.clear();
      common().attributes.clear();
      list_.push_back(common());
    }
    return list_[made_++];
  }
  CanonicalRecord& operator[](std::size_t index) { return list_[index]; }

 private:
  std::vector<CanonicalRecord>& list_;
  std::size_t made_ = 0;
};

class GenericJson final : public DeviceContract {
 public:
  GenericJson(std::string name, JsonLimits limits, TimeRules times)
      : name_(std::move(name)), limits_(limits), times_(std::move(times)) {}

  const std::string& name() const override { return name_; }
  Decoded Decode(const RawMessage& message, const DecodeContext& context) const override;

 private:
  // Which candidates are asked: the range [first, last), in elements of arrays or right below the root.
  struct TimeScope {
    std::size_t first = 0;
    std::size_t last = 0;
    bool in_element = false;
  };
  struct Chosen {
    TimeVerdict verdict;
    std::size_t field = 0;
  };

  bool Accept(const RawMessage& message, Decoded& decoded) const;
  void Begin(const RawMessage& message, const DecodeContext& context, CanonicalRecord& record) const;
  Chosen ChooseTime(const Document& document, const TimeScope& scope, WallTime received) const;
  static void ApplyTime(const Chosen& chosen, Document& document, CanonicalRecord& record);
  static TimeScope ElementTimes(const ObjectArray& array, std::size_t index);
  bool IsBatch(const Document& document, const ObjectArray& array, WallTime received) const;
  const ObjectArray* FindBatch(const Document& document, WallTime received) const;
  void Complete(Document& document, CanonicalRecord& record) const;
  bool AppendBatch(format::JsonReader& reader, JsonLimits& left, Document& document, const ObjectArray& array,
                   Making& records) const;
  bool AppendRecords(format::JsonReader& reader, JsonLimits& left, Document& document, Making& records) const;
  bool ReadAll(format::JsonReader& reader, Making& records) const;

  std::string name_;
  JsonLimits limits_;
  TimeRecogniser times_;
};

void Quarantine(Decoded& decoded, std::string reason, std::string detail) {
  decoded.kind = Decoded::Kind::kQuarantine;
  decoded.records.clear();
  decoded.reason = std::move(reason);
  decoded.detail = std::move(detail);
}

// What all records of the message have in common. Names each member, as `record` is one of an earlier message: device
// time, measurements and attributes come with each record, the id last.
void GenericJson::Begin(const RawMessage& message, const DecodeContext& context, CanonicalRecord& record) const {
  auto& [record_id, sequence, kind, stream, device_id, received_at, received_at_raw, gateway_clock, device_time,
         contract, topic, measurements, attributes, flags] = record;
  sequence = context.sequence;
  kind = message.retained && context.retained_is_state ? RecordKind::kState : RecordKind::kTelemetry;
  Put(context.stream, stream);
  device_id = context.device;
  received_at = message.received_at;
  received_at_raw = message.received_at_raw;
  gateway_clock = message.clock;
  Put(name_, contract);
  topic = message.topic;
  flags = 0;
  if (message.redelivered) {
    flags = flags | Flag::kRedelivered;
  }
  if (message.retained) {
    flags = flags | Flag::kRetained;
  }
}

// The best of the candidates; of equal ones the better name.
GenericJson::Chosen GenericJson::ChooseTime(const Document& document, const TimeScope& scope, WallTime received) const {
  Chosen best;
  const TimeField* best_rule = nullptr;
  for (std::size_t i = scope.first; i < scope.last; ++i) {
    const TimeCandidate& candidate = document.times[i];
    const Field& field = document.fields()[candidate.field];
    if (!field.leaf || candidate.in_element != scope.in_element) {
      continue;
    }
    const TimeVerdict verdict = std::holds_alternative<std::string_view>(field.value)
                                    ? times_.JudgeText(*candidate.rule, field.text(), received)
                                    : times_.JudgeNumber(*candidate.rule, candidate.number, received);
    const bool better_name = best_rule != nullptr && candidate.rule < best_rule;
    if (verdict.rank > best.verdict.rank || (verdict.rank == best.verdict.rank && better_name)) {
      best = {verdict, candidate.field};
      best_rule = candidate.rule;
    }
  }
  return best;
}

void GenericJson::ApplyTime(const Chosen& chosen, Document& document, CanonicalRecord& record) {
  Show(chosen.verdict, record.device_time);
  if (chosen.verdict.consumed) {
    document.fields()[chosen.field].leaf = false;
  }
}

GenericJson::TimeScope GenericJson::ElementTimes(const ObjectArray& array, std::size_t index) {
  const bool last = index + 1 == array.elements.size();
  return {array.elements[index].first_time, last ? array.end_time : array.elements[index + 1].first_time, true};
}

// Whether each element says when it was taken.
bool GenericJson::IsBatch(const Document& document, const ObjectArray& array, WallTime received) const {
  for (std::size_t i = 0; i < array.elements.size(); ++i) {
    const TimeVerdict verdict = ChooseTime(document, ElementTimes(array, i), received).verdict;
    const TimeQuality quality = verdict.quality;
    if (!verdict.consumed || quality == TimeQuality::kUnparsed || quality == TimeQuality::kImplausible) {
      return false;
    }
  }
  return true;
}

// The array whose elements become records: the root, or the only one whose elements are timed. Null when there is none.
const ObjectArray* GenericJson::FindBatch(const Document& document, WallTime received) const {
  if (document.root_is_array) {
    return document.arrays.empty() ? nullptr : &document.arrays.front();
  }
  const ObjectArray* found = nullptr;
  for (const ObjectArray& array : document.arrays) {
    if (IsBatch(document, array, received)) {
      if (found != nullptr) {
        return nullptr;
      }
      found = &array;
    }
  }
  return found;
}

void GenericJson::Complete(Document& document, CanonicalRecord& record) const {
  Chosen chosen;
  if (!document.root_is_array) {
    chosen = ChooseTime(document, {0, document.times.size(), false}, record.server_received_at);
  } else if (!document.first_number.empty() && document.fields().size() > 1) {
    // A row of values: only the first can be its time, and only if it is a believable one.
    static const TimeField kFirst{"0", EpochUnit::kAuto, TimeSource::kDevice, true};
    const TimeVerdict verdict = times_.JudgeNumber(kFirst, document.first_number, record.server_received_at);
    if (verdict.quality == TimeQuality::kOk || verdict.quality == TimeQuality::kLate) {
      chosen.verdict = verdict;
    }
  }
  ApplyTime(chosen, document, record);
  Distribute(document.fields(), record);
}

// Takes `count` times `fields` and `bytes` off what one message may still hold.
bool Spend(format::JsonReader& reader, JsonLimits& left, std::size_t count, std::size_t fields, std::size_t bytes) {
  const auto take = [count](std::size_t each, std::size_t& from) {
    std::size_t all = 0;
    if (__builtin_mul_overflow(count, each, &all) || all > from) {
      return false;
    }
    from -= all;
    return true;
  };
  return (take(fields, left.max_fields) && take(bytes, left.max_decoded_bytes)) ||
         reader.Fail("too_large", "the records of this message together hold more than the contract allows");
}

std::size_t Bytes(std::span<const Field> fields) {
  return std::accumulate(fields.begin(), fields.end(), std::size_t{0}, [](std::size_t sum, const Field& field) {
    return sum + field.name.size() + field.text().size();
  });
}

bool GenericJson::AppendBatch(format::JsonReader& reader, JsonLimits& left, Document& document,
                              const ObjectArray& array, Making& records) const {
  if (records.made() + array.elements.size() > limits_.max_records) {
    return reader.Fail("too_many_records", "more records than the contract allows in one message");
  }
  std::vector<Field> shared;
  for (std::size_t i = 0; i < document.fields().size(); ++i) {
    const bool inside = i >= array.elements.front().first_field && i < array.end_field;
    if (!inside && document.fields()[i].leaf) {
      shared.push_back(document.fields()[i]);
    }
  }
  if (!Spend(reader, left, array.elements.size(), shared.size(), Bytes(shared))) {
    return false;
  }
  for (std::size_t e = 0; e < array.elements.size(); ++e) {
    const bool last = e + 1 == array.elements.size();
    CanonicalRecord& record = records.Next(last && reader.AtEnd());
    ApplyTime(ChooseTime(document, ElementTimes(array, e), record.server_received_at), document, record);
    std::vector<Field> fields = shared;
    const std::size_t end = last ? array.end_field : array.elements[e + 1].first_field;
    for (std::size_t i = array.elements[e].first_field; i < end; ++i) {
      fields.push_back(document.fields()[i]);
      fields.back().name.remove_prefix(array.elements[e].prefix_bytes);
    }
    // What an element says itself goes before what it shares.
    if (!shared.empty() && DropRepeated(fields)) {
      record.flags = record.flags | Flag::kLossyDecode;
    }
    Distribute(fields, record);
  }
  return true;
}

bool GenericJson::AppendRecords(format::JsonReader& reader, JsonLimits& left, Document& document,
                                Making& records) const {
  const std::size_t first = records.made();
  const CanonicalRecord& common = records.common();
  const bool lossy = DropRepeated(document.fields()) || document.lossy;
  const ObjectArray* batch = FindBatch(document, common.server_received_at);
  const std::size_t count = batch == nullptr ? 1 : batch->elements.size();
  if (first + count > limits_.max_records) {
    return reader.Fail("too_many_records", "more records than the contract allows in one message");
  }
  const std::size_t common_bytes = common.topic.size() + common.device_id.size() + common.stream.size();
  if (!Spend(reader, left, 1, document.fields().size(), document.decoded_bytes) ||
      !Spend(reader, left, count, 0, common_bytes)) {
    return false;
  }
  if (batch == nullptr) {
    Complete(document, records.Next(reader.AtEnd()));
  } else if (!AppendBatch(reader, left, document, *batch, records)) {
    return false;
  }
  for (std::size_t i = first; lossy && i < records.made(); ++i) {
    records[i].flags = records[i].flags | Flag::kLossyDecode;
  }
  return true;
}

// Documents separated by line breaks (NDJSON); usually there is one.
bool GenericJson::ReadAll(format::JsonReader& reader, Making& records) const {
  JsonLimits left = limits_;
  thread_local Document document;  // its room is used again
  while (true) {
    if (!ReadDocument(reader, left, times_, document) || !AppendRecords(reader, left, document, records)) {
      return false;
    }
    const std::size_t end = reader.offset();
    reader.Peek();
    if (reader.AtEnd()) {
      return true;
    }
    if (reader.Since(end).find_first_of("\r\n") == std::string_view::npos) {
      return reader.Fail("invalid_json", "more text after the end of the document");
    }
  }
}

// Whether the payload is worth reading; else `decoded` says what becomes of it.
bool GenericJson::Accept(const RawMessage& message, Decoded& decoded) const {
  const std::string_view payload = message.payload;
  if (payload.empty() && message.retained) {
    // MQTT 5 section 3.3.1.3: a retained message without payload removes the one kept before.
    decoded.kind = Decoded::Kind::kIgnored;
    decoded.reason = "clears_retained";
    decoded.detail = "an empty retained message clears the topic's retained message";
  } else if (payload.empty()) {
    Quarantine(decoded, "empty", "the payload is empty");
  } else if (payload.size() > limits_.max_bytes) {
    Quarantine(decoded, "too_large",
               "the payload has " + std::to_string(payload.size()) + " bytes, " + name_ + " takes at most " +
                   std::to_string(limits_.max_bytes));
  } else if (payload.starts_with(kGzipMark)) {
    Quarantine(decoded, "invalid_json", "byte 0: compressed data (gzip), not JSON text");
  } else {
    return true;
  }
  return false;
}

Decoded GenericJson::Decode(const RawMessage& message, const DecodeContext& context) const {
  Decoded decoded;
  if (!Accept(message, decoded)) {
    return decoded;
  }
  // Some tools write a byte order mark, and C firmware likes to send the terminating NUL of its string.
  std::string_view text = message.payload;
  const std::size_t skipped = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  text.remove_prefix(skipped);
  const auto means_nothing = [](char c) { return c == '\0' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && means_nothing(text.back())) {
    text.remove_suffix(1);
  }
  format::JsonReader reader(text);
  reader.Peek();
  if (reader.AtEnd()) {
    Quarantine(decoded, "empty", "the payload holds nothing but white space");
    return decoded;
  }
  Making records(decoded.records, context.spare);
  Begin(message, context, records.common());
  if (!ReadAll(reader, records)) {
    const format::JsonFault& fault = reader.fault();
    Quarantine(decoded, fault.reason, "byte " + std::to_string(fault.offset + skipped) + ": " + fault.what);
    return decoded;
  }
  const bool several = decoded.records.size() > 1;
  for (std::size_t i = 0; i < decoded.records.size(); ++i) {
    const auto index = several ? std::optional(static_cast<std::uint32_t>(i)) : std::nullopt;
    WriteRecordId(decoded.records[i].record_id, context.queue_id, context.lane, context.sequence, index);
  }
  return decoded;
}

// The same contract with other names of device time for some topics.
class GenericJsonByTopic final : public DeviceContract {
 public:
  explicit GenericJsonByTopic(GenericJsonRules rules) : otherwise_(rules.name, rules.limits, rules.time) {
    for (TopicTimeFields& entry : rules.time_by_topic) {
      TimeRules times = rules.time;
      times.fields.insert(times.fields.begin(), entry.fields.begin(), entry.fields.end());
      const auto contract = std::make_shared<GenericJson>(rules.name, rules.limits, std::move(times));
      for (TopicPattern& topic : entry.topics) {
        special_.push_back({std::move(topic), contract});
      }
    }
  }

  const std::string& name() const override { return otherwise_.name(); }

  Decoded Decode(const RawMessage& message, const DecodeContext& context) const override {
    for (const Special& special : special_) {
      if (special.topic.Matches(message.topic)) {
        return special.contract->Decode(message, context);
      }
    }
    return otherwise_.Decode(message, context);
  }

 private:
  struct Special {
    TopicPattern topic;
    std::shared_ptr<const GenericJson> contract;
  };
  GenericJson otherwise_;
  std::vector<Special> special_;
};

}  // namespace

std::shared_ptr<const DeviceContract> MakeGenericJson(GenericJsonRules rules) {
  return std::make_shared<GenericJsonByTopic>(std::move(rules));
}

}  // namespace packhorse::contract
