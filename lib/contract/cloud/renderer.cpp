#include "contract/cloud/renderer.h"

#include <algorithm>
#include <utility>

#include "base/encode.h"
#include "base/secret_mark.h"
#include "base/text.h"
#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

constexpr char kMarkBegin = '\x01';  // stands in no JSON and no XML
constexpr char kMarkEnd = '\x02';

Instant ToInstant(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(time - seconds).count();
  return {seconds.time_since_epoch().count(), static_cast<std::uint32_t>(nanos), false};
}

Datum TextOr(const std::string& text) { return text.empty() ? Datum(Missing{}) : Datum(std::string_view(text)); }

Datum FlagList(Flags flags) {
  std::string list = "[";
  for (const std::string_view name : Names(flags)) {
    list += list.size() == 1 ? "" : ",";
    format::AppendString(list, name);
  }
  return flags == 0 ? Datum(Missing{}) : Datum(JsonText{list + "]"});
}

std::optional<Instant> DeviceMoment(const CanonicalRecord& record) {
  const auto time = record.device_time.value.empty() ? std::nullopt : ParseDateTime(record.device_time.value);
  return time ? std::optional(time->instant) : std::nullopt;
}

// What `|raw` makes of an appender: a header and a request line still refuse what would end them.
Renderer::Append Unescaped(Renderer::Append append) {
  if (append == AppendPath || append == AppendQuery) {
    return AppendRaw;
  }
  return append == AppendHeader ? append : AppendPlain;
}

}  // namespace

void Renderer::Unfit(std::string what) {
  if (fault_.empty()) {
    fault_ = std::move(what);
  }
}

std::optional<Instant> TimeBy(ClockOfTime clock, const CanonicalRecord& record) {
  const TimeQuality quality = record.device_time.quality;
  if (clock != ClockOfTime::kReceived && (quality == TimeQuality::kOk || quality == TimeQuality::kLate)) {
    if (const auto device = DeviceMoment(record)) {
      return device;
    }
  }
  return clock == ClockOfTime::kDevice ? std::nullopt : std::optional(ToInstant(record.server_received_at));
}

Datum Renderer::Let(std::uint32_t number) {
  const Template& value = definition_.lets[number].second;
  if (value.kind == Template::Kind::kText) {
    Datum datum = ValueOf(value.text);
    // Views into the record outlive this; a text of our own is moved along.
    return datum;
  }
  std::string json;
  return Json(value, json) == Wrote::kYes ? Datum(JsonText{std::move(json)}) : Datum(Missing{});
}

Datum Renderer::OfRecordNamed(Source source) {
  const CanonicalRecord& record = *scope_.record;
  const auto moment = [](const std::optional<Instant>& time) { return time ? Datum(*time) : Datum(Missing{}); };
  switch (source) {
    case Source::kRecordId:
      return std::string_view(record.record_id);
    case Source::kSequence:
      return std::uint64_t{record.sequence};
    case Source::kKind:
      return Name(record.kind);
    case Source::kStream:
      return TextOr(record.stream);
    case Source::kDeviceId:
      return TextOr(record.device_id);
    case Source::kTopic:
      return TextOr(record.topic);
    case Source::kDeviceContract:
      return TextOr(record.contract);
    case Source::kTime:
      return moment(TimeBy(scope_.received ? ClockOfTime::kReceived : definition_.time, record));
    case Source::kDeviceTime:
      return moment(DeviceMoment(record));
    case Source::kReceivedAt:
      return ToInstant(record.server_received_at);
    case Source::kFields:
      return MapView{.measurements = &record.measurements, .attributes = &record.attributes};
    case Source::kMeasurements:
      return MapView{.measurements = &record.measurements, .units = true};
    case Source::kAttributes:
      return MapView{.attributes = &record.attributes};
    case Source::kFlags:
      return FlagList(record.flags);
    case Source::kRecord:
      return JsonText{ToJson(record)};
    case Source::kName:
      return std::string_view(scope_.measurement->name);
    case Source::kValue: {
      const auto* number = std::get_if<double>(&scope_.measurement->value);
      return number != nullptr && scope_.keep_nan ? Datum(*number) : ToDatum(scope_.measurement->value);
    }
    case Source::kUnit:
      return TextOr(scope_.measurement->unit);
    default:
      return Missing{};
  }
}

Datum Renderer::OfRequestNamed(const Placeholder& placeholder) {
  if (scope_.batch == nullptr) {
    return Missing{};
  }
  const BatchHeader& batch = *scope_.batch;
  switch (placeholder.source) {
    case Source::kIndex:
      return std::uint64_t{scope_.index};
    case Source::kGatewayId:
      return TextOr(batch.gateway_id);
    case Source::kGatewayAttributes:
      return MapView{.texts = &batch.gateway_attributes};
    case Source::kBatchId:
      return TextOr(batch.batch_id);
    case Source::kBatchLane:
      return Name(batch.lane);
    case Source::kBatchItems:
      return std::uint64_t{scope_.items};
    case Source::kBatchCreated:
      return ToInstant(batch.created_at);
    default:
      return Missing{};
  }
}

Datum Renderer::OfQuestionNamed(Source source) const {
  if (scope_.question == nullptr) {
    return Missing{};
  }
  return source == Source::kCursor ? TextOr(scope_.question->cursor)
                                   : ToInstant(source == Source::kFrom ? scope_.question->from : scope_.question->to);
}

Datum Renderer::Plain(const Placeholder& placeholder) {
  const Source source = placeholder.source;
  if (source == Source::kSetting) {
    const std::optional<Text>& value = settings_[placeholder.number].value;
    return value ? ValueOf(*value) : Datum(Missing{});
  }
  if (source == Source::kFrom || source == Source::kTo || source == Source::kCursor) {
    return OfQuestionNamed(source);
  }
  if (source == Source::kItem) {
    return JsonText{std::string(scope_.item)};
  }
  if (source == Source::kKey) {
    return scope_.key == nullptr ? Datum(Missing{})
           : scope_.key->number  ? Datum(Decimal{scope_.key->text})
                                 : Datum(std::string_view(scope_.key->text));
  }
  if (source == Source::kLet) {
    return Let(placeholder.number);
  }
  if (OfRequest(source)) {
    return OfRequestNamed(placeholder);
  }
  return scope_.record == nullptr ? Datum(Missing{}) : OfRecordNamed(source);
}

Datum Renderer::ValueOf(const Placeholder& placeholder) {
  if (placeholder.kept && OfRecord(placeholder.source) && scope_.record == nullptr) {
    return *placeholder.kept < scope_.slots.size() ? scope_.slots[*placeholder.kept] : Datum(Missing{});
  }
  Datum value = Plain(placeholder);
  not_in_table_.clear();
  for (const AppliedFilter& filter : placeholder.filters) {
    value = filter.filter == Filter::kLookup ? LookUp(filter, value, IsInvented(placeholder))
                                             : Apply(filter, std::move(value), definition_.style);
  }
  if (placeholder.required && IsMissing(value)) {
    Unfit(WhyMissing(placeholder));
  }
  return value;
}

// A setting is known when it is checked, unless it is made of what is not.
bool Renderer::IsInvented(const Placeholder& placeholder) const {
  const Source source = placeholder.source;
  if (source == Source::kSetting) {
    const std::optional<Text>& value = settings_[placeholder.number].value;
    return value && std::any_of(value->pieces.begin(), value->pieces.end(), [&](const Piece& piece) {
             return piece.placeholder && IsInvented(*piece.placeholder);
           });
  }
  const bool known = scope_.of_gateway && (source == Source::kGatewayId || source == Source::kGatewayAttributes);
  return scope_.invented && !known;
}

Datum Renderer::LookUp(const AppliedFilter& filter, const Datum& key, bool invented) {
  std::string text;
  const LookupTable* table = settings_[filter.number].table.get();
  if (std::holds_alternative<std::nullptr_t>(key) || !AppendText(text, key, definition_.style)) {
    return Missing{};
  }
  const auto* entry = table == nullptr ? nullptr : table->Find(text);
  static const LookupTable::Entries::value_type kSome{"x", {"x", false}};
  if (entry == nullptr && invented) {
    entry = table == nullptr || table->entries.empty() ? &kSome : &*table->entries.begin();
  }
  if (entry == nullptr) {
    not_in_table_ = document::Quoted(text) + " is not in the table " + document::Quoted(filter.argument);
    return Missing{};
  }
  if (definition_.settings[filter.number].rule.secret) {
    return SecretEntryName(filter.argument, entry->first);
  }
  return entry->second.number ? Datum(Decimal{entry->second.text}) : Datum(std::string_view(entry->second.text));
}

std::string SecretEntryName(std::string_view table, std::string_view key) {
  return std::string(table) + ":" + PercentEncode(key);
}

Datum Renderer::ValueOf(const Text& text) {
  if (const Placeholder* alone = text.alone()) {
    return ValueOf(*alone);
  }
  if (text.constant()) {
    return text.pieces.empty() ? Datum(std::string_view()) : Datum(std::string_view(text.pieces[0].literal));
  }
  std::string out;
  return Write(text, out, AppendPlain) ? Datum(std::move(out)) : Datum(Missing{});
}

bool Renderer::Write(const Text& text, std::string& out, Append append) {
  const std::size_t before = out.size();
  for (const Piece& piece : text.pieces) {
    if (!Write(piece, out, append)) {
      out.resize(before);
      return false;
    }
  }
  return true;
}

bool Renderer::Write(const Piece& piece, std::string& out, Append append) {
  if (!piece.placeholder) {
    // A literal is the author's: in JSON and in queries it is escaped too, in paths and headers it stands as written.
    const bool escaped = append == AppendEscapedJson || append == AppendQuery;
    (escaped ? append : AppendPlain)(out, piece.literal);
    return true;
  }
  const Placeholder& placeholder = *piece.placeholder;
  if (IsMark(placeholder)) {
    AppendMark(out, placeholder.raw ? 'r' : 't', *placeholder.kept);
    return true;
  }
  const MarkPlace place = append == AppendHeader  ? MarkPlace::kHeader
                          : append == AppendQuery ? MarkPlace::kQuery
                                                  : MarkPlace::kPath;
  if (placeholder.source == Source::kSecret) {
    out += SecretMark(place, placeholder.name);
    return true;
  }
  const std::size_t before = out.size();
  std::string value;
  if (!AppendText(value, ValueOf(placeholder), definition_.style)) {
    Unfit(WhyMissing(placeholder));
  } else if (placeholder.secret_entry) {
    out += SecretMark(place, value);
  } else if (!(placeholder.raw ? Unescaped(append) : append)(out, value)) {
    Unfit(placeholder.name + " has characters that cannot be written here");
  }
  if (!fault_.empty()) {
    out.resize(before);
  }
  return fault_.empty();
}

Renderer::Wrote Renderer::JsonOfText(const Text& text, std::string& out) {
  const std::size_t before = out.size();
  if (const Placeholder* alone = text.alone()) {
    const bool body = alone->source == Source::kItems || alone->source == Source::kGroups ||
                      (alone->source == Source::kItem && scope_.body != nullptr);
    if (body) {
      (*scope_.body)(out);
      return Wrote::kYes;
    }
    if (IsMark(*alone)) {
      AppendMark(out, 'v', *alone->kept);
      return Wrote::kYes;
    }
    const Datum value = ValueOf(*alone);
    if (!fault_.empty()) {
      return Wrote::kUnfit;
    }
    if (!IsMissing(value) && AppendJson(out, value, definition_.style)) {
      return Wrote::kYes;
    }
    if (alone->required) {  // a map without members
      Unfit(WhyMissing(*alone));
      return Wrote::kUnfit;
    }
    return Wrote::kMissing;
  }
  out += '"';
  if (!Write(text, out, AppendEscapedJson)) {
    out.resize(before);
    return Wrote::kUnfit;
  }
  out += '"';
  return Wrote::kYes;
}

bool Renderer::JsonKey(const TemplateMember& member, std::string& out, std::vector<std::string>& keys) {
  if (!member.prefix.empty()) {
    out += member.prefix;
    return true;
  }
  const std::size_t before = out.size();
  out += '"';
  if (!Write(member.key, out, AppendEscapedJson)) {
    out.resize(before);
    return false;
  }
  keys.emplace_back(out, before);
  out += "\":";
  if (std::find(keys.begin(), keys.end() - 1, keys.back()) != keys.end() - 1) {
    Unfit("two members have one name");
    return false;
  }
  return true;
}

Renderer::Wrote Renderer::JsonObject(const Template& value, std::string& out) {
  const std::size_t before = out.size();
  std::vector<std::string> keys;  // of members whose names have placeholders
  bool some = false;
  out += '{';
  for (const TemplateMember& member : value.members) {
    const std::size_t start = out.size();
    if (member.merged) {
      std::vector<std::string_view> taken;
      for (const TemplateMember& each : value.members) {
        if (!each.prefix.empty()) {
          taken.push_back(each.name);
        }
      }
      if (member.value.text.alone()->source == Source::kGroups) {
        (*scope_.body)(out);
        some = true;
        continue;
      }
      const Datum datum = ValueOf(*member.value.text.alone());
      const auto* map = std::get_if<MapView>(&datum);
      some = (map != nullptr && AppendMembers(out, *map, taken, some, definition_.style)) || some;
    } else {
      out += some ? "," : "";
      const Wrote wrote = JsonKey(member, out, keys) ? Json(member.value, out) : Wrote::kUnfit;
      some = some || wrote == Wrote::kYes;
      if (wrote == Wrote::kMissing) {
        out.resize(start);
      }
    }
    if (!fault_.empty()) {
      out.resize(before);
      return Wrote::kUnfit;
    }
  }
  if (!some) {
    out.resize(before);
    return Wrote::kMissing;
  }
  out += '}';
  return Wrote::kYes;
}

Renderer::Wrote Renderer::JsonList(const Template& value, std::string& out) {
  const std::size_t before = out.size();
  char separator = '[';
  for (const Template& item : value.items) {
    out += separator;
    separator = ',';
    const Wrote wrote = Json(item, out);
    if (wrote == Wrote::kMissing) {
      const Placeholder* alone = item.kind == Template::Kind::kText ? item.text.alone() : nullptr;
      Unfit(alone == nullptr ? "a list's entry is missing" : WhyMissing(*alone));
    }
    if (wrote != Wrote::kYes) {
      out.resize(before);
      return Wrote::kUnfit;
    }
  }
  out += ']';
  return Wrote::kYes;
}

Renderer::Wrote Renderer::Json(const Template& value, std::string& out) {
  switch (value.kind) {
    case Template::Kind::kLiteral:
      out += value.literal;
      return Wrote::kYes;
    case Template::Kind::kText:
      return JsonOfText(value.text, out);
    case Template::Kind::kObject:
      return JsonObject(value, out);
    case Template::Kind::kList:
      return JsonList(value, out);
  }
  return Wrote::kMissing;
}

void AppendMark(std::string& out, char kind, std::uint32_t number) {
  out += kMarkBegin;
  out += kind;
  out += std::to_string(number);
  out += kMarkEnd;
}

void ReplaceMarks(std::string& out, std::string_view item,
                  const std::function<void(std::string& out, char kind, std::uint32_t number)>& fill) {
  for (;;) {
    const std::size_t begin = item.find(kMarkBegin);
    const std::size_t end = begin == std::string_view::npos ? begin : item.find(kMarkEnd, begin);
    std::uint32_t number = 0;
    if (end == std::string_view::npos || end < begin + 3 ||
        !ReadNumber(item.substr(begin + 2, end - begin - 2), number)) {
      out += item;
      return;
    }
    out += item.substr(0, begin);
    fill(out, item[begin + 1], number);
    item.remove_prefix(end + 1);
  }
}

bool AppendPlain(std::string& out, std::string_view value) {
  out += value;
  return true;
}

bool AppendRaw(std::string& out, std::string_view value) {
  // Where a path or a query takes it, a request line must stay one.
  if (std::any_of(value.begin(), value.end(), [](char c) { return IsControl(c) || c == ' '; })) {
    return false;
  }
  out += value;
  return true;
}

bool AppendEscapedJson(std::string& out, std::string_view value) {
  const std::size_t before = out.size();
  format::AppendString(out, value);
  out.pop_back();
  out.erase(before, 1);
  return true;
}

bool AppendPath(std::string& out, std::string_view value) {
  out += PercentEncode(value);
  return true;
}

bool AppendQuery(std::string& out, std::string_view value) {
  AppendPath(out, value);
  return true;
}

bool AppendHeader(std::string& out, std::string_view value) {
  if (std::any_of(value.begin(), value.end(), [](char c) { return IsControl(c); })) {
    return false;
  }
  out += value;
  return true;
}

}  // namespace packhorse::contract
