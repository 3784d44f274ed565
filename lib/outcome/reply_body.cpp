#include "outcome/reply_body.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "outcome/reply_text.h"

namespace packhorse::outcome {
namespace {

using Json = nlohmann::json;

// The specification of OTLP caps what a client reads at the same size.
constexpr std::size_t kMaxBodyBytes = 4ULL << 20U;
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxValues = 16'384;
constexpr std::size_t kMaxValuesPerRecord = 16;
constexpr std::size_t kDetailBytes = 2'048;
constexpr std::size_t kExcerptBytes = 512;
constexpr std::size_t kMaxIdBytes = 128;

struct Parsed {
  Json json;
  std::string error;  // empty when `json` is the body
};

// Counts brackets and commas outside of strings, so that a hostile body is refused before it becomes objects in memory.
bool WithinBounds(std::string_view text, std::size_t max_values) {
  std::size_t depth = 0;
  std::size_t values = 1;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        quoted = false;
      }
      continue;
    }
    if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++values;
      if (++depth > kMaxDepth) {
        return false;
      }
    } else if (c == '}' || c == ']') {
      depth -= depth > 0 ? 1 : 0;
    } else if (c == ',' || c == ':') {
      ++values;
    }
    if (values > max_values) {
      return false;
    }
  }
  return true;
}

Parsed Parse(const Reply& reply, std::size_t records) {
  if (reply.truncated) {
    return {nullptr, "the body was cut after " + std::to_string(reply.body.size()) + " bytes"};
  }
  if (reply.body.empty()) {
    return {nullptr, "the body is empty"};
  }
  if (IsHtml(reply)) {
    return {nullptr, "the body is " + DescribeHtml(reply)};
  }
  const std::string type = MediaType(reply);
  if (!type.empty() && !IsJsonType(type)) {
    return {nullptr, "the content type is " + OneLine(type, kMaxIdBytes)};
  }
  if (reply.body.size() > kMaxBodyBytes ||
      !WithinBounds(reply.body, std::max(kMaxValues, records * kMaxValuesPerRecord))) {
    return {nullptr, "the body is larger or deeper than a reply may be"};
  }
  Json json = Json::parse(reply.body, nullptr, false);
  if (json.is_discarded() || reply.body.find('\0') != std::string::npos) {  // the parser takes NUL for the end
    return {nullptr, "the body is not JSON"};
  }
  return {std::move(json), ""};
}

// RFC 6901 section 4 for one reference token.
std::string Unescape(std::string_view token) {
  std::string out;
  for (std::size_t at = 0; at < token.size(); ++at) {
    if (token[at] == '~' && at + 1 < token.size() && (token[at + 1] == '0' || token[at + 1] == '1')) {
      out += token[++at] == '0' ? '~' : '/';
    } else {
      out += token[at];
    }
  }
  return out;
}

const Json* Child(const Json& parent, const std::string& token) {
  if (parent.is_object()) {
    const auto found = parent.find(token);
    return found == parent.end() ? nullptr : &*found;
  }
  if (parent.is_array()) {
    std::size_t index = 0;
    return ReadNumber(token, index) && index < parent.size() ? &parent[index] : nullptr;
  }
  return nullptr;
}

// The value a JSON pointer (RFC 6901) names, or null. The library's own throws on a malformed pointer.
const Json* At(const Json& root, std::string_view pointer) {
  const Json* value = &root;
  while (value != nullptr && !pointer.empty()) {
    if (pointer.front() != '/') {
      return nullptr;
    }
    const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    value = Child(*value, Unescape(pointer.substr(1, end - 1)));
    pointer.remove_prefix(end);
  }
  return value;
}

// A count, also where it is written as 3.0, which JSON does not tell from 3.
std::optional<std::uint64_t> Count(const Json* value) {
  if (value == nullptr) {
    return std::nullopt;
  }
  if (value->is_number_unsigned()) {
    return value->get<std::uint64_t>();
  }
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (number >= 0 && number < 1e15) {
      const auto whole = static_cast<std::uint64_t>(number);
      return static_cast<double>(whole) < number ? std::nullopt : std::optional(whole);
    }
  }
  return std::nullopt;
}

std::string Text(const Json& value) {
  if (value.is_string()) {
    return value.get_ref<const std::string&>();
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get_ref<const std::string&>() : std::string();
}

// Title and detail of RFC 9457; a title that only repeats the status adds nothing.
std::string TitleAndDetail(const Json& object, std::string_view status_line) {
  std::string title = Member(object, "title");
  const std::string detail = Member(object, "detail");
  if (!title.empty() && status_line.size() > title.size() &&
      Lower(status_line.substr(status_line.size() - title.size())) == Lower(title)) {
    title.clear();
  }
  return title.empty() || detail.empty() ? title + detail : title + ": " + detail;
}

// Where providers put their words when they do not use RFC 9457.
std::string OtherWords(const Json& object) {
  for (const char* pointer : {"/message", "/Message", "/error_description", "/error/message", "/error/detail", "/error",
                              "/text", "/errors", "/reason"}) {
    const Json* value = At(object, pointer);
    if (value != nullptr && !value->is_null() &&
        !(value->is_string() && value->get_ref<const std::string&>().empty())) {
      return Text(*value);
    }
  }
  return "";
}

// The provider's words about one record.
std::string Words(const Json* error) {
  if (error == nullptr || error->is_null()) {
    return "no reason given";
  }
  std::string words = Text(*error);
  if (error->is_object()) {
    const std::string readable = TitleAndDetail(*error, "");
    const std::string type = Member(*error, "type");
    if (!readable.empty()) {
      words = type.empty() ? readable : readable + " (" + type + ")";
    }
  }
  return OneLine(words, kDetailBytes);
}

// A declared list: null when its member is absent; `bad` when it is something else than a list.
const Json* List(const Json& body, const std::string& pointer, bool& bad) {
  const Json* list = pointer.empty() ? nullptr : At(body, pointer);
  bad = bad || (list != nullptr && !list->is_array() && !list->is_null());
  return list != nullptr && list->is_array() ? list : nullptr;
}

class PartialReader {
 public:
  PartialReader(const contract::ResponseRules& rules, const std::vector<std::string>& ids) : rules_(rules) {
    partial_.records.resize(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      index_.emplace(ids[i], i);
    }
  }

  Partial Read(const Json& body) {
    bool bad = false;
    const Json* rejected = List(body, rules_.rejected_pointer, bad);
    const Json* retry = List(body, rules_.retry_pointer, bad);
    const bool counted = !rules_.accepted_pointer.empty();
    const Json* accepted = counted ? At(body, rules_.accepted_pointer) : nullptr;
    partial_.declared = rejected != nullptr || retry != nullptr || accepted != nullptr;
    if (bad) {
      Contradict("a list of records is none");
    }
    ReadList(rejected, RecordVerdict::kRejected);
    ReadList(retry, RecordVerdict::kRetry);
    if (counted) {
      CheckSum(Count(accepted));
    }
    if (!partial_.contradiction.empty()) {
      partial_.records.clear();
    }
    return std::move(partial_);
  }

 private:
  void Contradict(std::string why) {
    if (partial_.contradiction.empty()) {
      partial_.contradiction = std::move(why);
    }
  }

  void ReadList(const Json* list, RecordVerdict verdict) {
    if (list == nullptr) {
      return;
    }
    for (const Json& item : *list) {
      const bool rejected = verdict == RecordVerdict::kRejected;
      const Json* id = rejected ? At(item, rules_.rejected_id_pointer) : &item;
      if (id == nullptr || !id->is_string()) {
        Contradict("an item of a record list has no record id");
        return;
      }
      const auto found = index_.find(id->get_ref<const std::string&>());
      if (found == index_.end()) {
        Contradict("it names a record that was not sent: " + OneLine(Text(*id), kMaxIdBytes));
        return;
      }
      RecordResult& result = partial_.records[found->second];
      if (result.verdict != RecordVerdict::kDelivered) {
        Contradict("it names a record twice: " + OneLine(Text(*id), kMaxIdBytes));
        return;
      }
      result.verdict = verdict;
      if (rejected) {
        result.detail = Words(At(item, rules_.rejected_error_pointer));
      }
      ++named_;
    }
  }

  void CheckSum(std::optional<std::uint64_t> accepted) {
    if (!accepted) {
      Contradict("it has no count of accepted records");
    } else if (*accepted + named_ != partial_.records.size()) {
      Contradict("accepted " + std::to_string(*accepted) + " and named " + std::to_string(named_) + ", but " +
                 std::to_string(partial_.records.size()) + " records were sent");
    }
  }

  const contract::ResponseRules& rules_;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::uint64_t named_ = 0;
  Partial partial_;
};

}  // namespace

Problem ReadProblem(const Reply& reply) {
  Problem problem;
  if (Trim(reply.body).empty()) {
    problem.detail = OneLine(Header(reply, "www-authenticate"), kExcerptBytes);
    return problem;
  }
  if (IsHtml(reply)) {
    problem.detail = DescribeHtml(reply);
    return problem;
  }
  if (IsJsonType(MediaType(reply))) {
    const Parsed parsed = Parse(reply, 0);
    if (parsed.error.empty() && parsed.json.is_object()) {
      problem.type = OneLine(Member(parsed.json, "type"), kDetailBytes);
      std::string words = TitleAndDetail(parsed.json, StatusLine(reply.status));
      words = words.empty() ? OtherWords(parsed.json) : words;
      problem.detail = OneLine(words, kDetailBytes);
      if (!problem.type.empty() || !problem.detail.empty()) {
        return problem;
      }
    }
  }
  problem.detail = OneLine(reply.body, kExcerptBytes);
  return problem;
}

std::optional<std::string> CheckSuccess(const Reply& reply, const contract::ResponseRules& rules, std::size_t sent) {
  if (rules.accepted_pointer.empty()) {
    return IsHtml(reply) ? std::optional("the body is " + DescribeHtml(reply)) : std::nullopt;
  }
  const Parsed parsed = Parse(reply, sent);
  if (!parsed.error.empty()) {
    return parsed.error;
  }
  const auto accepted = Count(At(parsed.json, rules.accepted_pointer));
  if (!accepted) {
    return "it has no count of accepted records";
  }
  if (*accepted != sent) {
    return "accepted is " + std::to_string(*accepted) + ", but " + std::to_string(sent) + " records were sent";
  }
  // Accepted and yet refused: a partial failure must not pass as a success.
  for (const std::string* pointer : {&rules.rejected_pointer, &rules.retry_pointer}) {
    const Json* list = pointer->empty() ? nullptr : At(parsed.json, *pointer);
    if (list != nullptr && !list->is_null() && !(list->is_array() && list->empty())) {
      return "all records are accepted, but some are also refused";
    }
  }
  return std::nullopt;
}

Partial ReadPartial(const Reply& reply, const contract::ResponseRules& rules,
                    const std::vector<std::string>& record_ids) {
  const Parsed parsed = Parse(reply, record_ids.size());
  if (!parsed.error.empty()) {
    Partial partial;
    partial.contradiction = parsed.error;
    return partial;
  }
  return PartialReader(rules, record_ids).Read(parsed.json);
}

}  // namespace packhorse::outcome
