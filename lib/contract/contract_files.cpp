#include "contract/contract_files.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/units.h"

namespace packhorse::contract {
namespace {

using Json = nlohmann::json;

// Reads members of one object and keeps the first complaint, so that a caller asks for everything and then looks once.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string pointer, std::optional<Error>& error)
      : object_(object), pointer_(std::move(pointer)), error_(error) {
    if (!object_.is_object()) {
      Complain("", "an object is wanted here");
    }
  }

  std::string Text(const char* key) {
    const Json* value = Member(key);
    if (value == nullptr || !value->is_string() || value->get_ref<const std::string&>().empty()) {
      Complain(key, "a text that is not empty is wanted here");
      return {};
    }
    return value->get<std::string>();
  }

  std::string OptionalText(const char* key, std::string fallback) {
    return Member(key) == nullptr ? std::move(fallback) : Text(key);
  }

  bool OptionalFlag(const char* key) {
    const Json* value = Member(key);
    if (value != nullptr && !value->is_boolean()) {
      Complain(key, "true or false is wanted here");
      return false;
    }
    return value != nullptr && value->get<bool>();
  }

  std::uint32_t Count(const char* key) {
    const Json* value = Member(key);
    if (value == nullptr || !value->is_number_unsigned() || value->get<std::uint64_t>() == 0 ||
        value->get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
      Complain(key, "a whole number from 1 to 4294967295 is wanted here");
      return 1;
    }
    return value->get<std::uint32_t>();
  }

  std::chrono::seconds Duration(const char* key) {
    const auto duration = ParseDuration(Text(key));
    if (!duration) {
      Complain(key, "a duration such as \"1h\" is wanted here");
      return {};
    }
    return std::chrono::duration_cast<std::chrono::seconds>(*duration);
  }

  std::int64_t Moment(const char* key) { return Moment(key, Text(key)); }
  std::int64_t Moment(const char* key, const std::string& text) {
    const auto time = ParseDateTime(text);
    if (!time || !time->has_zone) {
      Complain(key, "an RFC 3339 time with its offset is wanted here");
      return 0;
    }
    return time->instant.seconds;
  }

  const Json& List(const char* key) { return Typed(key, Json::value_t::array, "a list is wanted here"); }
  const Json& OptionalList(const char* key) {
    static const Json kNone = Json::array();
    return Member(key) == nullptr ? kNone : List(key);
  }
  ObjectReader Object(const char* key) {
    return {Typed(key, Json::value_t::object, "an object is wanted here"), pointer_ + "/" + key, error_};
  }

  void Complain(const char* key, const std::string& wanted) {
    if (!error_) {
      std::string where = pointer_;
      if (*key != '\0') {
        where += std::string("/") + key;
      }
      error_ = Error{ErrorCode::kCorrupt, (where.empty() ? "/" : where) + ": " + wanted};
    }
  }

 private:
  const Json* Member(const char* key) const {
    if (!object_.is_object()) {
      return nullptr;
    }
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  const Json& Typed(const char* key, Json::value_t type, const char* wanted) {
    static const Json kEmptyList = Json::array();
    static const Json kEmptyObject = Json::object();
    const Json* value = Member(key);
    if (value != nullptr && value->type() == type) {
      return *value;
    }
    Complain(key, wanted);
    return type == Json::value_t::array ? kEmptyList : kEmptyObject;
  }

  const Json& object_;
  std::string pointer_;
  std::optional<Error>& error_;
};

Result<Json> ParseObject(std::string_view text) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) {
    return Error{ErrorCode::kCorrupt, "/: not valid JSON"};
  }
  return json;
}

// The contract's own name, which must be complete.
std::string ReadName(ObjectReader& root) {
  std::string text = root.Text("contract");
  const auto name = ParseContractName(text);
  if (!name || !name->minor) {
    root.Complain("contract", "name@major.minor is wanted here");
  }
  return text;
}

EpochUnit ReadUnit(ObjectReader& field) {
  const std::string unit = field.OptionalText("unit", "auto");
  static const std::vector<std::pair<std::string, EpochUnit>> kUnits = {{"auto", EpochUnit::kAuto},
                                                                        {"s", EpochUnit::kSeconds},
                                                                        {"ms", EpochUnit::kMilliseconds},
                                                                        {"us", EpochUnit::kMicroseconds},
                                                                        {"ns", EpochUnit::kNanoseconds}};
  for (const auto& [name, value] : kUnits) {
    if (name == unit) {
      return value;
    }
  }
  field.Complain("unit", "auto, s, ms, us or ns is wanted here");
  return EpochUnit::kAuto;
}

TimeSource ReadSource(ObjectReader& field) {
  const std::string source = field.OptionalText("source", "device");
  for (const TimeSource value : {TimeSource::kDevice, TimeSource::kGateway, TimeSource::kNetwork}) {
    if (Name(value) == source) {
      return value;
    }
  }
  field.Complain("source", "device, gateway or network is wanted here");
  return TimeSource::kDevice;
}

std::vector<TimeField> ReadTimeFields(ObjectReader& owner, const std::string& pointer, std::optional<Error>& error) {
  std::vector<TimeField> fields;
  for (const Json& item : owner.List("fields")) {
    ObjectReader field(item, pointer + "/fields/" + std::to_string(fields.size()), error);
    fields.push_back({field.Text("name"), ReadUnit(field), ReadSource(field), field.OptionalFlag("weak")});
  }
  return fields;
}

TimeRules ReadTimeRules(ObjectReader time, std::optional<Error>& error) {
  TimeRules rules;
  rules.not_before = time.Moment("not_before");
  rules.late_after = time.Duration("late_after");
  rules.future_after = time.Duration("future_after");
  rules.unset_span = time.Duration("unset_span");
  for (const Json& item : time.List("unset_clocks")) {
    rules.unset_clocks.push_back(time.Moment("unset_clocks", item.is_string() ? item.get<std::string>() : ""));
  }
  rules.fields = ReadTimeFields(time, "/device_time", error);
  return rules;
}

std::vector<TopicTimeFields> ReadTimeByTopic(ObjectReader time, std::optional<Error>& error) {
  std::vector<TopicTimeFields> entries;
  for (const Json& item : time.OptionalList("by_topic")) {
    const std::string pointer = "/device_time/by_topic/" + std::to_string(entries.size());
    ObjectReader entry(item, pointer, error);
    TopicTimeFields& fields = entries.emplace_back();
    for (const Json& topic : entry.List("topics")) {
      auto pattern = TopicPattern::Parse(topic.is_string() ? topic.get<std::string>() : std::string());
      if (!pattern) {
        entry.Complain("topics", "topic patterns are wanted here");
        return {};
      }
      fields.topics.push_back(std::move(pattern).value());
    }
    fields.fields = ReadTimeFields(entry, pointer, error);
  }
  return entries;
}

}  // namespace

Result<ContractName> ParseContractName(std::string_view text) {
  const Error error{
      ErrorCode::kInvalidArgument,
      "contract \"" + Shorten(text, 80) + "\": write name@major or name@major.minor, for example generic-json@1"};
  const auto at = text.find('@');
  if (at == std::string_view::npos || at == 0) {
    return error;
  }
  ContractName name{std::string(text.substr(0, at)), 0, std::nullopt};
  const std::string_view version = text.substr(at + 1);
  const auto point = version.find('.');
  if (!ReadNumber(version.substr(0, point), name.major)) {
    return error;
  }
  if (point != std::string_view::npos) {
    unsigned minor = 0;
    if (!ReadNumber(version.substr(point + 1), minor)) {
      return error;
    }
    name.minor = minor;
  }
  return name;
}

Result<GenericJsonRules> ParseDeviceContract(std::string_view json) {
  auto parsed = ParseObject(json);
  RETURN_IF_ERROR(parsed);
  std::optional<Error> error;
  ObjectReader root(*parsed, "", error);
  GenericJsonRules rules;
  rules.name = ReadName(root);
  if (root.Text("format") != "json") {
    root.Complain("format", "only \"json\" is known");
  }
  ObjectReader limits = root.Object("limits");
  rules.limits.max_bytes = limits.Count("max_bytes");
  rules.limits.max_depth = limits.Count("max_depth");
  rules.limits.max_fields = limits.Count("max_fields");
  rules.limits.max_records = limits.Count("max_records");
  rules.limits.max_name_bytes = limits.Count("max_name_bytes");
  rules.limits.max_decoded_bytes = limits.Count("max_decoded_bytes");
  // Objects and arrays are read by recursion; this keeps the stack within a few tens of kilobytes.
  constexpr std::size_t kDeepest = 128;
  if (rules.limits.max_depth > kDeepest) {
    limits.Complain("max_depth", "at most 128 is possible");
  }
  rules.time = ReadTimeRules(root.Object("device_time"), error);
  rules.time_by_topic = ReadTimeByTopic(root.Object("device_time"), error);
  if (error) {
    return *error;
  }
  return rules;
}

}  // namespace packhorse::contract
