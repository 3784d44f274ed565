#include "control/wire.h"

#include <sys/socket.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

namespace packhorse::control {
namespace {

using nlohmann::json;

constexpr std::array kCodes = {ErrorCode::kInvalidArgument,
                               ErrorCode::kNotFound,
                               ErrorCode::kAlreadyExists,
                               ErrorCode::kPermissionDenied,
                               ErrorCode::kUnavailable,
                               ErrorCode::kTimeout,
                               ErrorCode::kIo,
                               ErrorCode::kDiskFull,
                               ErrorCode::kCorrupt,
                               ErrorCode::kUnsupported,
                               ErrorCode::kLimitExceeded,
                               ErrorCode::kBusy,
                               ErrorCode::kInternal};

ErrorCode CodeNamed(const std::string& name) {
  for (const ErrorCode code : kCodes) {
    if (Name(code) == name) {
      return code;
    }
  }
  return ErrorCode::kInternal;
}

std::string Text(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Replaces invalid UTF-8 instead of throwing.
std::string Dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

Result<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::kInvalidArgument, "the control socket's path must have 1 to " +
                                                  std::to_string(sizeof address.sun_path - 1) + " bytes: " + path};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

std::string RequestLine(const std::string& command, const std::string& args_json) {
  return "{\"command\":" + Dump(json(command)) + ",\"args\":" + (args_json.empty() ? "{}" : args_json) + "}\n";
}

Result<Call> ParseCall(const std::string& line) {
  if (line.size() > kMaxRequestBytes) {
    return Error{ErrorCode::kLimitExceeded, "a request may have at most 65536 bytes"};
  }
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object()) {
    return Error{ErrorCode::kInvalidArgument, "a request is one JSON object per line"};
  }
  Call call;
  call.command = Text(request, "command");
  if (call.command.empty()) {
    return Error{ErrorCode::kInvalidArgument, "a request needs a \"command\""};
  }
  call.args = "{}";
  if (const auto args = request.find("args"); args != request.end()) {
    if (!args->is_object()) {
      return Error{ErrorCode::kInvalidArgument, "\"args\" must be an object"};
    }
    call.args = Dump(*args);
  }
  return call;
}

std::string ResultLine(const std::string& result_json, bool more) {
  return "{\"ok\":true,\"result\":" + (result_json.empty() ? "null" : result_json) +
         (more ? ",\"more\":true}\n" : "}\n");
}

std::string ErrorLine(const Error& error) {
  const json line = {{"ok", false}, {"error", {{"code", Name(error.code)}, {"message", error.message}}}};
  return Dump(line) + "\n";
}

Answer ParseAnswer(const std::string& line) {
  const json answer = json::parse(line, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok")) {
    return Error{ErrorCode::kCorrupt, "the daemon's answer is not understood; are CLI and daemon of the same release?"};
  }
  if (answer["ok"] == true) {
    return answer.contains("result") ? Dump(answer["result"]) : std::string("null");
  }
  const json error = answer.value("error", json::object());
  return Error{CodeNamed(Text(error, "code")), Text(error, "message")};
}

}  // namespace packhorse::control
