#include "outcome/reply_words.h"

#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "outcome/reply_text.h"

namespace packhorse::outcome {
namespace {

constexpr std::size_t kWordsBytes = 2'048;
constexpr std::size_t kExcerptBytes = 512;

// Title and detail of RFC 9457; a title that only repeats the status adds nothing.
std::string TitleAndDetail(const JsonValue& object, std::string_view status_line) {
  std::string title = TextMember(object, "title");
  const std::string detail = TextMember(object, "detail");
  if (!title.empty() && status_line.size() > title.size() &&
      Lower(status_line.substr(status_line.size() - title.size())) == Lower(title)) {
    title.clear();
  }
  return title.empty() || detail.empty() ? title + detail : title + ": " + detail;
}

// Where providers put their words when they do not use RFC 9457.
std::string OtherWords(const JsonValue& object) {
  static const std::vector<std::string> kPaths[] = {
      {"message"}, {"Message"}, {"error_description"}, {"error", "message"}, {"error", "detail"}, {"error"}, {"text"},
      {"errors"},  {"reason"}};
  for (const std::vector<std::string>& path : kPaths) {
    const JsonValue* value = At(object, path);
    if (value != nullptr && !value->is_null() &&
        !(value->is_string() && value->get_ref<const std::string&>().empty())) {
      return ValueText(*value);
    }
  }
  return "";
}

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
    const ReplyBody body = ParseOne(reply, 0);
    if (body.readable() && body.json.is_object()) {
      problem.type = OneLine(TextMember(body.json, "type"), kWordsBytes);
      std::string words = TitleAndDetail(body.json, StatusLine(reply.status));
      words = words.empty() ? OtherWords(body.json) : words;
      problem.detail = OneLine(words, kWordsBytes);
      if (!problem.type.empty() || !problem.detail.empty()) {
        return problem;
      }
    }
  }
  problem.detail = OneLine(reply.body, kExcerptBytes);
  return problem;
}

std::string WordsOf(const JsonValue* error) {
  if (error == nullptr || error->is_null()) {
    return "no reason given";
  }
  std::string words = ValueText(*error);
  if (error->is_object()) {
    const std::string readable = TitleAndDetail(*error, "");
    const std::string type = TextMember(*error, "type");
    if (!readable.empty()) {
      words = type.empty() ? readable : readable + " (" + type + ")";
    }
  }
  return OneLine(words, kWordsBytes);
}

}  // namespace packhorse::outcome
