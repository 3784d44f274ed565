#include "packhorse/globals.h"

#include <cstdio>

#include "common/load.h"
#include "config/config.h"

namespace packhorse::cli {
namespace {

void Hint(const char* text) { std::fprintf(stderr, "  %s\n", text); }

void HintsForUnreachable(const Globals& globals) {
  Hint("start it:   sudo systemctl start packhorsed");
  Hint("check it:   packhorse check; journalctl -u packhorsed -e");
  if (globals.socket.empty() && globals.config_file.empty()) {
    Hint("elsewhere:  --config FILE or --socket PATH names another daemon");
  }
  Hint("What is not yet delivered is safe in the queue on the disk until it runs");
  Hint("again. Without it, ledger, where, queue, dead list and dead show read the queue's");
  Hint("file that the configuration names.");
}

}  // namespace

std::string ConfigFile(const Globals& globals) {
  return globals.config_file.empty() ? daemon::kDefaultConfigFile : globals.config_file;
}

std::string SocketPath(const Globals& globals) {
  if (!globals.socket.empty()) {
    return globals.socket;
  }
  const config::Loaded loaded = config::Load(ConfigFile(globals));
  return loaded.config.control.socket.empty() ? daemon::kDefaultSocket : loaded.config.control.socket;
}

int Report(const Globals& globals, const Error& error, bool while_connecting) {
  std::fprintf(stderr, "packhorse: %s\n", error.message.c_str());
  if (while_connecting) {
    if (error.code != ErrorCode::kPermissionDenied) {
      HintsForUnreachable(globals);
    }
    return kExitUnreachable;
  }
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return kExitUnreachable;
    case ErrorCode::kInvalidArgument:
      return kExitUsage;
    default:
      return kExitProblem;
  }
}

void PrintOut(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  if (text.empty() || text.back() != '\n') {
    std::fputc('\n', stdout);
  }
}

}  // namespace packhorse::cli
