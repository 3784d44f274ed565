#include "packhorsed/daemon.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/units.h"
#include "base/version.h"
#include "common/load.h"
#include "common/start_check.h"
#include "document/problems.h"
#include "health/log.h"
#include "packhorsed/app.h"
#include "packhorsed/loop.h"
#include "packhorsed/notify.h"
#include "packhorsed/start_wait.h"
#include "queue/recovery/start_obstacle.h"

namespace packhorse::daemon {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

constexpr char kUsage[] =
    "Usage: packhorsed [--config FILE] [--check] [--version]\n"
    "\n"
    "Bridges MQTT telemetry to cloud HTTP APIs. Usually started by systemd; stays in the foreground.\n"
    "\n"
    "  --config FILE  configuration, default /etc/packhorse/packhorse.json\n"
    "  --check        check configuration and queue, print every problem and end\n"
    "  --version      print the version and end\n"
    "\n"
    "SIGTERM stops it after what is under way is sent, SIGHUP makes it read its configuration again.\n"
    "Exit codes: 0 fine, 1 could not start, 2 usage, 78 bad configuration; 70, 74: start again.\n"
    "`packhorse status` shows how it is.\n";

void PrintLine(std::string_view line) { std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data()); }

int Fail(Notifier& notifier, const Error& error) {
  health::Log(health::LogLevel::kError, "start_failed", error.message, {{"code", std::string(Name(error.code))}});
  notifier.Say("not started: " + Shorten(error.message, kStatusBytes));
  // What a later try cannot mend is not tried again: the queue of a newer release, or a file that is none.
  return queue::IsLasting(error) ? kExitBadConfiguration : kExitFailure;
}

// One line for `systemctl status`; all problems are in the journal.
void SayRefused(Notifier& notifier, const std::vector<document::Problem>& problems) {
  const auto first = std::find_if(problems.begin(), problems.end(), [](const document::Problem& problem) {
    return problem.severity == document::Problem::Severity::kError;
  });
  if (first != problems.end()) {
    notifier.Say("not started, configuration refused (" + Summary(Count(problems)) +
                 "): " + Shorten(document::Describe(*first), kStatusBytes) + "; `packhorse check` names all");
  }
}

int Serve(const std::string& file, config::Loaded loaded, Notifier& notifier) {
  const config::Config& config = loaded.config;
  Result<Fd> signals = BlockSignals();
  if (!signals) {
    return Fail(notifier, signals.error());
  }
  if (Status logging = health::ConfigureLog(config.log.level, config.log.format); !logging) {
    return Fail(notifier, logging.error());
  }
  health::Log(health::LogLevel::kInfo, "starting", std::string("packhorsed ") + kVersion, {{"config", file}});
  for (const document::Problem& warning : loaded.problems) {
    health::Log(health::LogLevel::kWarning, "config_warning", document::Describe(warning));
  }
  if (geteuid() == 0) {
    health::Log(health::LogLevel::kWarning, "running_as_root",
                "packhorsed needs no privileges; the unit of the package runs it as user packhorse");
  }
  auto app = MakeApp(file, std::move(loaded.config), SystemClock());
  if (!app) {
    return Fail(notifier, app.error());
  }
  const Result<QueueStart> queue = OpenQueueOrWait(**app, notifier, signals->get());
  if (!queue) {
    return Fail(notifier, queue.error());
  }
  if (*queue == QueueStart::kStopped) {
    notifier.Stopping();
    health::Log(health::LogLevel::kInfo, "stopped", "while it waited for its queue");
    return 0;
  }
  if (Status assembled = Assemble(**app); !assembled) {
    return Fail(notifier, assembled.error());
  }
  Loop loop(**app, notifier, std::move(signals).value());
  if (Status started = loop.Start(); !started) {
    return Fail(notifier, started.error());
  }
  health::Log(health::LogLevel::kInfo, "started", "receiving and delivering",
              {{"queue", (*app)->queue->id()}, {"gateway", (*app)->config.gateway.id}});
  return loop.Run();
}

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  CommandLine parsed;
  parsed.config_file = kDefaultConfigFile;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    constexpr std::string_view kConfigEquals = "--config=";
    if (argument == "--check") {
      parsed.mode = CommandLine::Mode::kCheck;
    } else if (argument == "--version") {
      parsed.mode = CommandLine::Mode::kVersion;
    } else if (argument == "--help" || argument == "-h") {
      parsed.mode = CommandLine::Mode::kHelp;
    } else if (argument == "--config" && i + 1 < argc) {
      parsed.config_file = argv[++i];
    } else if (argument.starts_with(kConfigEquals)) {
      parsed.config_file = argument.substr(kConfigEquals.size());
    } else {
      parsed.mode = CommandLine::Mode::kUsageError;
      parsed.error =
          argument == "--config" ? "--config needs a file" : "unknown argument '" + std::string(argument) + "'";
      return parsed;
    }
  }
  return parsed;
}

int Main(const CommandLine& command_line) {
  switch (command_line.mode) {
    case CommandLine::Mode::kUsageError:
      PrintLine("packhorsed: " + command_line.error);
      std::fputs(kUsage, stderr);
      return kExitUsage;
    case CommandLine::Mode::kHelp:
      std::fputs(kUsage, stdout);
      return 0;
    case CommandLine::Mode::kVersion:
      std::printf("packhorsed %s\n", kVersion);
      return 0;
    case CommandLine::Mode::kCheck:
    case CommandLine::Mode::kRun:
      break;
  }
  umask(0077);
  config::Loaded loaded = LoadConfiguration(command_line.config_file);
  if (command_line.mode == CommandLine::Mode::kRun) {
    TuneMemory();
    Notifier notifier = Notifier::FromEnvironment();
    if (loaded.ok()) {
      return Serve(command_line.config_file, std::move(loaded), notifier);
    }
    SayRefused(notifier, loaded.problems);
  } else if (loaded.ok()) {
    CheckQueue(command_line.config_file, loaded);
    CheckRates(command_line.config_file, loaded);
  }
  // Whoever asked for a check reads all of it; a service manager that reads nothing must not keep us from ending.
  const auto print = command_line.mode == CommandLine::Mode::kRun ? &health::LogPlain : &PrintLine;
  for (const document::Problem& problem : loaded.problems) {
    print(document::Describe(problem));
  }
  if (!loaded.ok()) {
    print(command_line.config_file + ": " + Summary(Count(loaded.problems)));
    return kExitBadConfiguration;
  }
  std::printf("%s: OK\n", command_line.config_file.c_str());
  return 0;
}

}  // namespace packhorse::daemon
