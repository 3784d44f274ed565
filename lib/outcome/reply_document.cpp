#include "outcome/reply_document.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "contract/cloud/reply_place.h"
#include "outcome/reply_text.h"

namespace packhorse::outcome {
namespace {

// The specification of OTLP caps what a client reads at the same size.
constexpr std::size_t kMaxBodyBytes = 4ULL << 20U;
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxValues = 16'384;
// An entry of Elasticsearch's _bulk counts 40.
constexpr std::size_t kMaxValuesPerItem = 64;
constexpr std::size_t kMaxTypeBytes = 128;

// Counts brackets and commas outside of strings, so that a hostile body is refused before it becomes objects in memory.
// Behind a document that ends, it may tell where.
class Scanner {
 public:
  // False: beyond a bound.
  bool Take(char c, std::size_t max_values) {
    if (quoted_) {
      quoted_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      return true;
    }
    if (c == '"') {
      quoted_ = true;
    } else if (c == '{' || c == '[') {
      ++values_;
      ++depth_;
    } else if (c == '}' || c == ']') {
      depth_ -= depth_ > 0 ? 1 : 0;
    } else if (c == ',' || c == ':') {
      ++values_;
    }
    return depth_ <= kMaxDepth && values_ <= max_values;
  }
  bool between() const { return depth_ == 0 && !quoted_; }

 private:
  std::size_t depth_ = 0;
  std::size_t values_ = 1;
  bool quoted_ = false;
  bool escaped_ = false;
};

bool WithinBounds(std::string_view text, std::size_t max_values) {
  Scanner scanner;
  return std::all_of(text.begin(), text.end(), [&](char c) { return scanner.Take(c, max_values); });
}

bool IsLinesOfJson(std::string_view type) {
  return type == "application/x-ndjson" || type == "application/ndjson" || type == "application/jsonl" ||
         type == "application/x-jsonlines" || type == "application/json-seq";
}

// Why the body is not parsed at all; empty: it is.
std::string WhyNot(const Reply& reply, std::size_t items, bool many) {
  if (reply.truncated && !many) {
    return "the body was cut after " + std::to_string(reply.body.size()) + " bytes";
  }
  if (reply.body.empty()) {
    return "the body is empty";
  }
  if (IsHtml(reply)) {
    return "the body is " + DescribeHtml(reply);
  }
  const std::string type = MediaType(reply);
  if (!type.empty() && !IsJsonType(type) && !(many && IsLinesOfJson(type))) {
    return "the content type is " + OneLine(type, kMaxTypeBytes);
  }
  if (reply.body.size() > kMaxBodyBytes || !WithinBounds(reply.body, std::max(kMaxValues, items * kMaxValuesPerItem))) {
    return "the body is larger or deeper than a reply may be";
  }
  return "";
}

const JsonValue* Child(const JsonValue& parent, const std::string& token) {
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

// Where a document that begins at `begin` ends.
std::size_t EndOfDocument(std::string_view text, std::size_t begin) {
  Scanner scanner;
  for (std::size_t at = begin; at < text.size(); ++at) {
    const char c = text[at];
    scanner.Take(c, text.size() + 1);
    if (scanner.between() && (c == '}' || c == ']' || IsSpace(c))) {
      return IsSpace(c) ? at : at + 1;
    }
  }
  return text.size();
}

}  // namespace

ReplyBody ParseOne(const Reply& reply, std::size_t items) {
  ReplyBody body;
  body.empty = reply.body.empty() && !reply.truncated;
  body.error = WhyNot(reply, items, false);
  if (!body.readable()) {
    return body;
  }
  body.json = JsonValue::parse(reply.body, nullptr, false);
  // The parser takes NUL for the end.
  if (body.json.is_discarded() || reply.body.find('\0') != std::string::npos) {
    body.json = nullptr;
    body.error = "the body is not JSON";
  }
  return body;
}

ReplyBody ParseMany(const Reply& reply, std::size_t items) {
  ReplyBody body;
  body.empty = reply.body.empty() && !reply.truncated;
  body.error = WhyNot(reply, items, true);
  if (!body.readable()) {
    return body;
  }
  body.json = JsonValue::array();
  body.cut = reply.truncated || reply.body.find('\0') != std::string::npos;
  const std::string_view text = reply.body;
  for (std::size_t at = 0; at < text.size();) {
    if (IsSpace(text[at])) {
      ++at;
      continue;
    }
    const std::size_t end = EndOfDocument(text, at);
    JsonValue document = JsonValue::parse(text.substr(at, end - at), nullptr, false);
    if (document.is_discarded()) {
      body.cut = true;
      break;
    }
    body.json.push_back(std::move(document));
    at = end;
  }
  if (body.json.empty()) {
    body.error = "the body is not JSON";
  }
  return body;
}

const JsonValue* At(const JsonValue& root, std::span<const std::string> tokens) {
  const JsonValue* value = &root;
  for (const std::string& token : tokens) {
    value = value == nullptr ? nullptr : Child(*value, token);
  }
  return value;
}

std::string TextMember(const JsonValue& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get_ref<const std::string&>() : std::string();
}

std::string ValueText(const JsonValue& value) {
  if (value.is_string()) {
    return value.get_ref<const std::string&>();
  }
  return value.dump(-1, ' ', false, JsonValue::error_handler_t::replace);
}

std::optional<std::uint64_t> Count(const JsonValue* value) {
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

std::optional<std::uint64_t> CountOrText(const JsonValue* value) {
  if (value != nullptr && value->is_string()) {
    std::uint64_t number = 0;
    return ReadNumber(value->get_ref<const std::string&>(), number) ? std::optional(number) : std::nullopt;
  }
  return Count(value);
}

// What stands at a place. Of a value that is a list or an object only that it is there.
struct ReplyView::Seen {
  enum class State : std::uint8_t { kUnknown, kAbsent, kThere };
  State state = State::kUnknown;
  bool comparable = false;
  std::string_view text = {};

  bool Is(const contract::Wanted& wanted) const {
    using Kind = contract::Wanted::Kind;
    switch (wanted.kind) {
      case Kind::kPresent:
        return state == State::kThere;
      case Kind::kAbsent:
        return state == State::kAbsent;
      case Kind::kLiteral:
        return comparable && text == wanted.text;
      case Kind::kPrefix:
        return comparable && text.starts_with(wanted.text);
      case Kind::kSuffix:
        return comparable && text.ends_with(wanted.text);
      case Kind::kContains:
        return comparable && text.find(wanted.text) != std::string_view::npos;
      case Kind::kClass:
        return comparable && text.size() == 3 && text[0] - '0' == wanted.hundreds && IsDigit(text[1]) &&
               IsDigit(text[2]);
    }
    return false;
  }
};

std::string_view ReplyView::HeaderText(const std::string& name) const {
  if (name == "retry-after" && !hints_.retry_after) {
    return {};
  }
  if (name == "ratelimit-remaining" && hints_.exhausted) {
    return "0";
  }
  return Header(reply_, name);
}

const ReplyBody& ReplyView::Body(bool many) {
  std::optional<ReplyBody>& body = many ? many_ : one_;
  if (!body) {
    body = many ? ParseMany(reply_, items_) : ParseOne(reply_, items_);
    if (!body->readable() && failure_.empty()) {
      failure_ = body->error;
    }
  }
  return *body;
}

const JsonValue* ReplyView::Value(const contract::Place& place, bool many, const JsonValue* element) {
  if (place.of == contract::Place::Of::kHeader || place.of == contract::Place::Of::kText) {
    return nullptr;
  }
  if (element == nullptr || place.of == contract::Place::Of::kDocument) {
    element = &Body(many).json;
  }
  return At(*element, place.path);
}

ReplyView::Seen ReplyView::Look(const contract::Place& place, bool many, const JsonValue* element) {
  using State = Seen::State;
  using Of = contract::Place::Of;
  if (place.of == Of::kHeader || place.of == Of::kText) {
    const std::string_view text = Trim(place.of == Of::kText ? reply_.body : HeaderText(place.path.front()));
    return {text.empty() ? State::kAbsent : State::kThere, place.of == Of::kText || !text.empty(), text};
  }
  if (element == nullptr || place.of == Of::kDocument) {
    const ReplyBody& body = Body(many);
    if (!body.readable()) {
      return {body.empty ? State::kAbsent : State::kUnknown, false, {}};
    }
    element = &body.json;
  }
  const JsonValue* value = At(*element, place.path);
  if (value == nullptr || value->is_null()) {
    // What is neither object nor list says nothing of members.
    return {element->is_structured() || place.path.empty() ? State::kAbsent : State::kUnknown, false, {}};
  }
  if (value->is_string()) {
    return {State::kThere, true, value->get_ref<const std::string&>()};
  }
  if (value->is_structured()) {
    return {State::kThere, false, {}};
  }
  scratch_ = value->is_number() ? contract::NumberText(value->dump()) : value->dump();
  return {State::kThere, true, scratch_};
}

bool ReplyView::Fits(const std::vector<contract::Condition>& conditions, bool many, const JsonValue* element) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const contract::Condition& condition) {
    const Seen seen = Look(condition.place, many, element);
    return std::any_of(condition.wanted.begin(), condition.wanted.end(),
                       [&](const contract::Wanted& wanted) { return seen.Is(wanted); });
  });
}

std::optional<std::string> ReplyView::Text(const contract::Place& place, bool many, const JsonValue* element) {
  if (const JsonValue* value = Value(place, many, element); value != nullptr) {
    return value->is_null() ? std::nullopt : std::optional(ValueText(*value));
  }
  const Seen seen = Look(place, many, element);
  return seen.state == Seen::State::kThere ? std::optional(std::string(seen.text)) : std::nullopt;
}

}  // namespace packhorse::outcome
