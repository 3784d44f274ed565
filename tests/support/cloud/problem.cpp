#include "problem.h"

#include <nlohmann/json.hpp>

namespace packhorse::cloud {

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string ProblemJson(int status, std::string_view type, std::string_view title, std::string_view detail,
                        std::string_view extensions) {
  std::string text = "{\"type\":" + Quoted(std::string(kProblemPrefix) + std::string(type));
  text += ",\"title\":" + Quoted(title);
  text += ",\"status\":" + std::to_string(status);
  text += ",\"detail\":" + Quoted(detail);
  if (!extensions.empty()) {
    text += ",";
    text += extensions;
  }
  return text + "}";
}

Reply Problem(int status, std::string_view type, std::string_view title, std::string_view detail,
              std::string_view extensions) {
  Reply reply;
  reply.status = status;
  reply.content_type = "application/problem+json";
  reply.body = ProblemJson(status, type, title, detail, extensions);
  return reply;
}

Reply RefusedBody(const Refusal& refusal) {
  if (!refusal.is_json) {
    return Problem(400, "not-json", "The body is not JSON", refusal.syntax);
  }
  std::string list;
  for (const Violation& violation : refusal.violations) {
    list += list.empty() ? "" : ",";
    list += "{\"pointer\":" + Quoted(violation.pointer) + ",\"detail\":" + Quoted(violation.detail) + "}";
  }
  const std::string count = std::to_string(refusal.violation_count);
  const Violation& first = refusal.violations.front();
  return Problem(422, "invalid-body", "The body does not follow packhorse-ingest@1",
                 count + " violations, the first: " + first.pointer + " " + first.detail,
                 "\"violations\":[" + list + "],\"violation_count\":" + count);
}

}  // namespace packhorse::cloud
