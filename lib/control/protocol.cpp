#include "control/protocol.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace packhorse::control {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMaxCommandBytes = 64;
// Printing a JSON value recurses once per level.
constexpr std::size_t kMaxRequestDepth = 32;
constexpr std::size_t kMaxReplyDepth = 256;

// Whether brackets outside of strings nest at most this deep. On text that is not JSON the answer does not matter.
bool NestsAtMost(std::string_view text, std::size_t depth) {
  std::size_t open = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      i += c == '\\' ? 1U : 0U;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++open > depth) {
        return false;
      }
    } else if ((c == ']' || c == '}') && open > 0) {
      --open;
    }
  }
  return true;
}

template <typename T>
std::string Dump(const T& json) {
  return json.dump(-1, ' ', false, T::error_handler_t::replace);
}

// A line break may stand between tokens of JSON but not inside a string, so that a blank means the same.
std::string OneLine(std::string_view json) {
  std::string line(json);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

Error BadRequest(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

ErrorCode CodeOf(std::string_view name) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    if (Name(static_cast<ErrorCode>(code)) == name) {
      return static_cast<ErrorCode>(code);
    }
  }
  return ErrorCode::kInternal;  // a code of a later release
}

Error BadReply() {
  return Error{ErrorCode::kCorrupt, "packhorsed gave an answer that this program does not understand"};
}

std::string Text(const OrderedJson& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Result<Call> ParseRequest(std::string_view line) {
  if (!NestsAtMost(line, kMaxRequestDepth)) {
    return BadRequest("the request nests deeper than 32 levels");
  }
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) {
    return BadRequest("a request is one JSON object in one line, such as {\"command\":\"status\",\"args\":{}}");
  }
  const auto command = json.find("command");
  if (command == json.end() || !command->is_string()) {
    return BadRequest("the request has no \"command\" that is a string");
  }
  Call call;
  call.command = command->get<std::string>();
  if (call.command.empty() || call.command.size() > kMaxCommandBytes) {
    return BadRequest("\"command\" has 1 to 64 bytes");
  }
  call.args = "{}";
  if (const auto args = json.find("args"); args != json.end() && !args->is_null()) {
    if (!args->is_object()) {
      return BadRequest("\"args\" is not an object");
    }
    call.args = Dump(*args);
  }
  return call;
}

std::string FormatRequest(std::string_view command, std::string_view args_json) {
  return "{\"command\":" + Dump(Json(command)) + ",\"args\":" + OneLine(args_json.empty() ? "{}" : args_json) + "}";
}

std::string FormatResult(std::string_view result_json, bool more) {
  return "{\"ok\":true,\"result\":" + OneLine(result_json.empty() ? "null" : result_json) +
         (more ? ",\"more\":true}" : "}");
}

std::string FormatError(const Error& error) {
  const Json json = {{"ok", false}, {"error", {{"code", Name(error.code)}, {"message", error.message}}}};
  return Dump(json);
}

Result<std::string> ParseReply(std::string_view line) {
  if (!NestsAtMost(line, kMaxReplyDepth)) {
    return BadReply();
  }
  const OrderedJson json = OrderedJson::parse(line, nullptr, false);  // members in the daemon's order
  if (!json.is_object()) {
    return BadReply();
  }
  const auto ok = json.find("ok");
  if (ok == json.end() || !ok->is_boolean()) {
    return BadReply();
  }
  if (ok->get<bool>()) {
    const auto result = json.find("result");
    return result == json.end() ? std::string("null") : Dump(*result);
  }
  const auto error = json.find("error");
  if (error == json.end() || !error->is_object()) {
    return BadReply();
  }
  return Error{CodeOf(Text(*error, "code")), Text(*error, "message")};
}

}  // namespace packhorse::control
