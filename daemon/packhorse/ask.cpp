#include "packhorse/ask.h"

#include <utility>

#include "control/client.h"

namespace packhorse::cli {

std::optional<Answerer> Answerer::Find(const Globals& globals, const std::string& command, int& exit_code,
                                       std::chrono::milliseconds patience) {
  auto client = control::ConnectWithin(SocketPath(globals), patience);
  if (client) {
    return Answerer(globals, std::move(client).value(), std::nullopt);
  }
  std::optional<Result<QueueFile>> file = QueueFile::Open(globals, client.error(), command);
  if (file && *file) {
    return Answerer(globals, nullptr, std::move(*file).value());
  }
  exit_code = file ? Report(globals, file->error(), false) : Report(globals, client.error(), true);
  return std::nullopt;
}

Reply Answerer::Ask(const std::string& command, const std::string& args) {
  Result<std::string> answer = client_ != nullptr ? client_->Ask(command, args) : file_->Ask(command, args);
  if (!answer) {
    return {Report(globals_, answer.error(), false), ""};
  }
  return {kExitFine, std::move(answer).value()};
}

Reply Ask(const Globals& globals, const std::string& command, const std::string& args,
          std::chrono::milliseconds patience) {
  int exit_code = kExitFine;
  std::optional<Answerer> answerer = Answerer::Find(globals, command, exit_code, patience);
  return answerer ? answerer->Ask(command, args) : Reply{exit_code, ""};
}

}  // namespace packhorse::cli
