#include "document/schema_text.h"

#include <map>
#include <mutex>
#include <regex>

#include "base/units.h"
#include "document/suggest.h"

namespace packhorse::document {
namespace {

std::string WordsOfType(const std::string& type) {
  if (type == "boolean") {
    return "true or false";
  }
  if (type == "integer") {
    return "a whole number";
  }
  return (type == "array" || type == "object" ? "an " : "a ") + type;
}

}  // namespace

std::string TypeText(const Schema& schema) {
  const std::string kind = schema.Text("x-kind");
  if (kind == "duration") {
    return "a duration in quotes: " + std::string(kDurationForm);
  }
  if (kind == "size") {
    return "a size: " + std::string(kSizeForm);
  }
  if (kind == "secret") {
    return "an object that says where the secret is: " + std::string(kSecretForm);
  }
  if (schema.Text("type").empty()) {  // several, or whatever is read by somebody else
    if (std::string allowed = schema.Text("x-allowed"); !allowed.empty()) {
      return allowed;
    }
  }
  std::string text;
  for (const std::string& type : schema.Texts("type")) {
    text += (text.empty() ? "" : " or ") + WordsOfType(type);
  }
  return text;
}

std::optional<std::int64_t> Bound(const Schema& schema, std::string_view keyword) {
  const Node* bound = schema.Get(keyword);
  if (bound == nullptr) {
    return std::nullopt;
  }
  if (bound->kind == Node::Kind::kInteger) {
    return bound->integer;
  }
  if (schema.Text("x-kind") == "duration") {
    const auto duration = ParseDuration(bound->text);
    return duration ? std::optional(static_cast<std::int64_t>(duration->count())) : std::nullopt;
  }
  const auto bytes = ParseBytes(bound->text);
  return bytes ? std::optional(static_cast<std::int64_t>(*bytes)) : std::nullopt;
}

bool MatchesPattern(std::string_view text, const std::string& pattern) {
  // Compiling one takes far longer than matching a short text, and a list of topics asks for the same one a thousand
  // times. As many are kept as the schema in the program has.
  static std::mutex mutex;
  static std::map<std::string, std::regex> compiled;  // guarded by mutex; what is in it stays as it is
  try {
    const std::regex* regex = nullptr;
    {
      const std::lock_guard lock(mutex);
      auto found = compiled.find(pattern);
      if (found == compiled.end()) {
        found = compiled.emplace(pattern, std::regex(pattern, std::regex::ECMAScript)).first;
      }
      regex = &found->second;
    }
    return std::regex_search(text.begin(), text.end(), *regex);
  } catch (const std::regex_error&) {
    return false;  // a test compiles every pattern of the schema
  }
}

std::string AllowedText(const Schema& schema) {
  if (const std::string text = schema.Text("x-allowed"); !text.empty() && !schema.HasType("object")) {
    return text;
  }
  if (schema.Get("enum") != nullptr) {
    return List(schema.Texts("enum"));
  }
  const auto text_of = [&](std::string_view annotated, std::string_view plain) {
    const Node* bound = schema.Get(annotated) != nullptr ? schema.Get(annotated) : schema.Get(plain);
    return bound == nullptr ? std::string() : bound->text;
  };
  std::string low = text_of("x-minimum", "minimum");
  std::string high = text_of("x-maximum", "maximum");
  std::string unit;
  if (schema.HasType("array")) {
    low = text_of("", "minItems");
    high = text_of("", "maxItems");
    unit = " entries";
  } else if (schema.HasType("string") && schema.Get("x-maximum") == nullptr) {
    low = text_of("", "minLength");
    high = text_of("", "maxLength");
    unit = " characters";
  }
  if (low.empty() && high.empty()) {
    return "";
  }
  std::string text = low.empty() ? "at most " + high : high.empty() ? "at least " + low : low + " to " + high;
  text += unit;
  return schema.Get("x-multiple") == nullptr ? text : text + ", in steps of " + schema.Text("x-multiple");
}

}  // namespace packhorse::document
