#include "packhorse/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/version.h"
#include "document/suggest.h"
#include "packhorse/check.h"
#include "packhorse/commands.h"
#include "packhorse/contract_commands.h"
#include "packhorse/decode.h"
#include "packhorse/format.h"
#include "packhorse/globals.h"
#include "packhorse/render.h"
#include "record/raw_message.h"

namespace packhorse::cli {
namespace {

constexpr char kAbout[] =
    "Looks after the Packhorse bridge on this gateway: what arrived by MQTT, what waits,\n"
    "what the cloud took, and what is wrong.";

constexpr char kExamples[] =
    "Examples:\n"
    "  packhorse status                      is everything well, and if not, why\n"
    "  packhorse check                       every mistake in /etc/packhorse/packhorse.json\n"
    "  packhorse tail --device th-01         messages of one device as they arrive\n"
    "  packhorse ledger --check              where every message went, recounted\n"
    "  packhorse where k3f9ab2c.n.1001       what became of one message\n"
    "  packhorse dead list                   what a cloud API refused, and why\n"
    "  packhorse replay --stream telemetry --from 6h --to 2h --destination cloud\n"
    "                                        send four hours of it again\n"
    "  packhorse reconcile cloud             does the cloud have what was delivered\n"
    "  packhorse queue quarantine            what could not be decoded, and why\n"
    "  packhorse pause cloud --for 2h        no uploads for two hours; nothing is lost\n"
    "  packhorse decode --topic site/a/dev/th-01/telemetry < payload.json\n"
    "                                        what the bridge makes of a payload\n"
    "  packhorse contract test acme@1.0.json try an API of your own, as a file\n"
    "  packhorse render TOPIC PAYLOAD        the request that would be sent\n"
    "\n"
    "`packhorse help COMMAND` explains a command. Exit codes: 0 fine, 1 a problem was found,\n"
    "2 usage, 3 daemon not reachable, 78 bad configuration.";

// What the parser fills in. It lives as long as the parser refers to it.
struct Arguments {
  Globals globals;
  std::string file;
  std::string user;
  std::string destination;
  std::string duration;
  bool check_ledger = false;
  std::int64_t dead_id = 0;
  std::vector<std::int64_t> dead_ids;
  std::string dead_destination;
  std::string record_id;
  std::string event_name;
  std::string event_subject;
  QuarantineOptions quarantine;
  RetryOptions retry;
  PeekOptions peek;
  ExportOptions queue_export;
  std::string flush_timeout = "30s";
  DeadListOptions dead_list;
  DeadReplayOptions dead_replay;
  ReplayOptions replay;
  ReconcileOptions reconcile;
  std::int64_t replay_id = 0;
  TailOptions tail;
  ReadingOptions decode;
  RenderOptions render;
  std::string contract;
  std::string newer_contract;
  std::string action;
  std::function<int()> run;  // of the command that was named
};

std::vector<std::string> LaneNames() {
  std::vector<std::string> names;
  for (const Lane lane : kAllLanes) {
    names.emplace_back(Name(lane));
  }
  return names;
}

CLI::App* Add(CLI::App& parent, Arguments& arguments, const char* name, const char* about, std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, about);
  command->callback([&arguments, run = std::move(run)] { arguments.run = run; });
  return command;
}

void AddLookCommands(CLI::App& app, Arguments& a) {
  Add(app, a, "status", "Is everything well, and if not, why and since when", [&a] { return ShowStatus(a.globals); });
  CLI::App* tail = Add(app, a, "tail", "Show messages as they arrive, decoded; end with Ctrl-C",
                       [&a] { return Tail(a.globals, a.tail); });
  tail->add_option("--stream", a.tail.stream, "Only this stream");
  tail->add_option("--device", a.tail.device, "Only this device");
  tail->add_option("--count", a.tail.count, "End after so many records");
  CLI::App* ledger = Add(app, a, "ledger", "Where every message went, per stream and destination",
                         [&a] { return ShowLedger(a.globals, a.check_ledger); });
  ledger->add_flag("--check", a.check_ledger, "Recount from the stored messages; exit code 1 when it does not balance");
  CLI::App* events = app.add_subcommand("events", "What is wrong now, and what was");
  events->callback([&a, events] {
    if (events->get_subcommands().empty()) {  // else that has said what to run
      a.run = [&a] { return ShowEvents(a.globals); };
    }
  });
  CLI::App* ack = Add(*events, a, "ack", "Say that an open one is known: it no longer makes the bridge degraded",
                      [&a] { return AcknowledgeEvent(a.globals, a.event_name, a.event_subject); });
  ack->add_option("NAME", a.event_name, "As the list shows it: dead_letters")->required();
  ack->add_option("SUBJECT", a.event_subject, "What it is about, if the list shows that: cloud");
  CLI::App* where = Add(app, a, "where", "What became of one message, per destination",
                        [&a] { return ShowWhere(a.globals, a.record_id); });
  where->add_option("RECORD_ID", a.record_id, "As the cloud or a list shows it: queue.lane.number[.index]")->required();
  CLI::App* exchanges =
      Add(app, a, "exchanges", "The last failed exchanges with a cloud API: what was sent, and what came back",
          [&a] { return ShowExchanges(a.globals, a.destination); });
  exchanges->add_option("DESTINATION", a.destination, "Only this one, default all");
  Add(app, a, "version", "Versions of this program and of the running daemon", [&a] { return ShowVersion(a.globals); });
}

void AddQueueCommands(CLI::App& app, Arguments& a) {
  CLI::App* queue = app.add_subcommand("queue", "The store-and-forward queue");
  queue->require_subcommand(1);
  Add(*queue, a, "stats", "How much waits, how large it is, how old", [&a] { return ShowQueueStats(a.globals); });
  CLI::App* quarantine =
      queue->add_subcommand("quarantine", "Messages that could not be decoded, oldest first, and why");
  quarantine->callback([&a, quarantine] {
    if (quarantine->get_subcommands().empty()) {  // else that has said what to run
      a.run = [&a] { return ShowQuarantine(a.globals, a.quarantine); };
    }
  });
  CLI::App* retry = Add(*quarantine, a, "retry", "Decode them again, and send what can be decoded now",
                        [&a] { return RetryQuarantine(a.globals, a.retry); });
  retry->add_option("--stream", a.retry.stream, "Only those of this stream");
  retry->add_option("--destination", a.retry.destination, "Only for this one, default all");
  quarantine->add_option("--limit", a.quarantine.limit, "At most so many, default 100")->check(CLI::Range(1, 1000));
  quarantine->add_option("--after", a.quarantine.after, "Only those with a larger number");
  Add(*queue, a, "verify", "Check all of it and count again; exit code 1 when something is wrong",
      [&a] { return VerifyQueue(a.globals); });
  CLI::App* out = Add(*queue, a, "export", "Stored messages as JSON lines, oldest first in each lane",
                      [&a] { return ExportQueue(a.globals, a.queue_export); });
  out->add_option("--stream", a.queue_export.stream, "Only this stream");
  out->add_option("--lane", a.queue_export.lane, "Only this one")->check(CLI::IsMember(LaneNames()));
  out->add_option("--from", a.queue_export.from, "Arrived at this time (RFC 3339) or later");
  out->add_option("--to", a.queue_export.to, "Arrived before this time");
  out->add_option("--limit", a.queue_export.limit, "At most so many, default all")->check(CLI::PositiveNumber);
  CLI::App* peek =
      Add(*queue, a, "peek", "The messages that wait, the next first", [&a] { return PeekQueue(a.globals, a.peek); });
  peek->add_option("--destination", a.peek.destination, "Only for this one, default all");
  peek->add_option("--lane", a.peek.lane, "Only this one")->check(CLI::IsMember(LaneNames()));
  peek->add_option("--limit", a.peek.limit, "At most so many of each, default 10")->check(CLI::Range(1, 1000));
}

void AddDeadCommands(CLI::App& app, Arguments& a) {
  CLI::App* dead = app.add_subcommand("dead", "Records that a cloud API refused on their own merits, or fails at");
  dead->require_subcommand(1);
  CLI::App* list = Add(*dead, a, "list", "List them, oldest first", [&a] { return DeadList(a.globals, a.dead_list); });
  list->add_option("--limit", a.dead_list.limit, "At most so many, default 100")->check(CLI::Range(1, 1000));
  list->add_option("--after", a.dead_list.after, "Only those with a larger ID");
  CLI::App* show = Add(*dead, a, "show", "One of them with the reason and its payload",
                       [&a] { return DeadShow(a.globals, a.dead_id); });
  show->add_option("ID", a.dead_id, "Its number from the list")->required();
  CLI::App* replay = Add(*dead, a, "replay", "Send them again under the same record ids; a suspect: try now",
                         [&a] { return DeadReplay(a.globals, a.dead_replay); });
  auto* ids = replay->add_option("ID", a.dead_replay.ids, "Their numbers from the list");
  auto* destination = replay->add_option("--destination", a.dead_replay.destination, "All of one destination");
  auto* all = replay->add_flag("--all", a.dead_replay.all, "All there are");
  replay->add_option("--payload", a.dead_replay.payload_file,
                     "Of one dead letter: send what is in this file instead of its payload");
  ids->excludes(destination)->excludes(all);
  destination->excludes(all);
  CLI::App* drop = Add(*dead, a, "drop", "Give them up: they stay rejected in the ledger, and are not kept",
                       [&a] { return DeadDrop(a.globals, a.dead_ids); });
  drop->add_option("ID", a.dead_ids, "Their numbers from the list")->required();
  CLI::App* out = Add(*dead, a, "export", "All of them as JSON lines, with their payloads",
                      [&a] { return DeadExport(a.globals, a.dead_destination, a.file); });
  out->add_option("--destination", a.dead_destination, "Only of this one, default all");
  out->add_option("FILE", a.file, "Where to; - for standard output")->required();
}

void AddReconcileCommand(CLI::App& app, Arguments& a) {
  CLI::App* reconcile = Add(app, a, "reconcile", "Compare what the clouds have with what was delivered to them",
                            [&a] { return Reconcile(a.globals, a.reconcile); });
  reconcile->add_option("DESTINATION", a.reconcile.destination, "Only this one, default all");
  reconcile->add_option("--from", a.reconcile.from,
                        "Hours from this time (RFC 3339) on; 2h: two hours ago; default: as far as the cloud tells");
  reconcile->add_option("--to", a.reconcile.to, "Hours before this time; default: up to the present hour");
}

void AddReplayCommands(CLI::App& app, Arguments& a) {
  CLI::App* replay = app.add_subcommand("replay", "Send stored messages of a stream again, under the same record ids");
  replay->callback([&a, replay] {
    if (replay->get_subcommands().empty()) {  // else that has said what to run
      a.run = [&a] { return StartReplay(a.globals, a.replay); };
    }
  });
  replay->add_option("--stream", a.replay.stream, "The stream; it needs retain_delivered");
  replay->add_option("--from", a.replay.from, "Arrived at this time (RFC 3339) or later; 2h: two hours ago");
  replay->add_option("--to", a.replay.to, "Arrived before this time; 0s: now");
  replay->add_option("--destination", a.replay.destination, "Where to");
  replay->add_option("--rate", a.replay.rate, "At most so many messages a second, default 100")
      ->check(CLI::Range(1, 100'000));
  Add(*replay, a, "list", "Those that run, and the last that ended", [&a] { return ListReplays(a.globals); });
  CLI::App* cancel = Add(*replay, a, "cancel", "End one; what is in a batch already still goes",
                         [&a] { return CancelReplay(a.globals, a.replay_id); });
  cancel->add_option("ID", a.replay_id, "Its number from the list")->required();
}

void AddChangeCommands(CLI::App& app, Arguments& a) {
  Add(app, a, "reload", "Check the configuration file, and put it in force if it is fine",
      [&a] { return Reload(a.globals); });
  CLI::App* pause = Add(app, a, "pause", "Stop uploading; messages are kept",
                        [&a] { return Pause(a.globals, a.destination, a.duration); });
  pause->add_option("DESTINATION", a.destination, "Only this one, default all");
  pause->add_option("--for", a.duration, "End by itself after 90s, 15m, 2h, 3d");
  CLI::App* resume = Add(app, a, "resume", "Go on after a pause; a held destination tries at once",
                         [&a] { return Resume(a.globals, a.destination); });
  resume->add_option("DESTINATION", a.destination, "Only this one, default all");
  CLI::App* rollout =
      Add(app, a, "rollout", "A newer contract on its way to all devices: look, or move it by hand", [&a] {
        return Rollout(a.globals, {a.destination, a.action});
      });
  rollout->add_option("DESTINATION", a.destination, "Only this one, default all");
  rollout->add_option("ACTION", a.action, "status, pause, resume, advance or rollback, default status");
  CLI::App* flush =
      Add(app, a, "flush", "Send what waits now, and write all to the disk; exit code 0 when that is done",
          [&a] { return Flush(a.globals, a.destination, a.flush_timeout); });
  flush->add_option("DESTINATION", a.destination, "Only this one, default all");
  flush->add_option("--timeout", a.flush_timeout, "Wait at most so long, default 30s; exit code 1 then");
}

void AddLocalCommands(CLI::App& app, Arguments& a) {
  CLI::App* check = Add(app, a, "check", "Check a configuration file; needs no daemon",
                        [&a] { return Check(a.globals, a.file, a.user); });
  check->add_option("FILE", a.file, "Default: the file of --config");
  check->add_option("--user", a.user, "Judge as this user; root's default: packhorse, which runs the service");
  CLI::App* decode = Add(app, a, "decode", "What becomes of a payload on standard input; needs no daemon",
                         [&a] { return Decode(a.globals, a.decode, std::cin); });
  decode->add_option("--topic", a.decode.topic, "The topic it was published to")->required();
  decode->add_option("--contract", a.decode.contract,
                     "Device contract; default: that of the stream of the topic, else what fits");
  decode->add_option("--pattern", a.decode.pattern, "Topic pattern with captures, e.g. 'site/{site}/dev/{device}/+'");
  decode->add_option("--received-at", a.decode.received_at, "Moment of arrival (RFC 3339), default now");
  decode->add_flag("--retained", a.decode.retained, "As a retained message");
}

void AddContractCommands(CLI::App& app, Arguments& a) {
  CLI::App* contract = app.add_subcommand("contract", "Cloud contracts: how requests are made and replies are read");
  contract->require_subcommand(1);
  Add(*contract, a, "list", "All that are known; * is beside the configuration",
      [&a] { return ListContracts(a.globals); });
  CLI::App* show = Add(*contract, a, "show", "What it needs and takes, and its file",
                       [&a] { return ShowContract(a.globals, a.contract); });
  show->add_option("NAME", a.contract, "name, name@major or name@major.minor (the newest that fits), or a file")
      ->required();
  CLI::App* test = Add(*contract, a, "test", "Run the samples beside a file, and say what is probably not meant in it",
                       [&a] { return TestContract(a.globals, a.contract); });
  test->add_option("FILE", a.contract, "A file, or the name of a contract")->required();
  test->footer(
      "Examples:\n"
      "  packhorse contract test /etc/packhorse/contracts/acme@1.0.json\n"
      "                                        with the samples in acme@1.0.samples/ beside it\n"
      "  packhorse contract test influxdb@2    a contract of the program");
  CLI::App* check = Add(*contract, a, "check", "What a receiver of the old one may not stand in the new one",
                        [&a] { return CheckContracts(a.globals, a.contract, a.newer_contract); });
  check->add_option("OLD", a.contract, "A file, or the name of a contract")->required();
  check->add_option("NEW", a.newer_contract, "Likewise")->required();
  CLI::App* render = Add(app, a, "render", "The requests that would be sent for messages; sends nothing",
                         [&a] { return Render(a.globals, a.render, std::cin); });
  render->add_option("MESSAGE", a.render.messages, "TOPIC PAYLOAD, as often as wanted; '-' is standard input");
  render->add_flag("--pending", a.render.pending, "What waits in the queue instead");
  render->add_option("--limit", a.render.limit, "At most so many that wait, default 10")->check(CLI::Range(1, 1000));
  render->add_option("--contract", a.render.contract, "File or name; default: that of the destination");
  render->add_option("--set", a.render.settings, "NAME=VALUE: a setting of the contract")
      ->take_all()
      ->allow_extra_args(false);
  render->add_option("--destination", a.render.destination, "As this one would send, default the first");
  render->add_option("--device-contract", a.render.reading.contract, "How payloads are read; default as `decode`");
  render->add_option("--pattern", a.render.reading.pattern, "Topic pattern with captures");
  render->add_option("--received-at", a.render.reading.received_at, "Moment of arrival (RFC 3339), default now");
}

void Define(CLI::App& app, Arguments& arguments) {
  app.name("packhorse");
  app.footer(kExamples);
  app.get_formatter()->column_width(18);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return "packhorse: " + std::string(error.what()) + "\n  see: packhorse help\n";
  });
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", std::string("packhorse ") + kVersion, "Print the version and end");
  app.add_option("--config", arguments.globals.config_file, "Configuration, default /etc/packhorse/packhorse.json");
  app.add_option("--socket", arguments.globals.socket, "Control socket, default the one of the configuration");
  app.add_flag("--json", arguments.globals.json, "JSON instead of text");
  AddLookCommands(app, arguments);
  AddQueueCommands(app, arguments);
  AddDeadCommands(app, arguments);
  AddReconcileCommand(app, arguments);
  AddReplayCommands(app, arguments);
  AddChangeCommands(app, arguments);
  AddLocalCommands(app, arguments);
  AddContractCommands(app, arguments);
}

// Where the command stands: behind the options that every command knows.
std::size_t CommandIndex(const std::vector<std::string>& words) {
  std::size_t at = 0;
  while (at < words.size() && words[at].starts_with('-')) {
    at += words[at] == "--config" || words[at] == "--socket" ? 2U : 1U;
  }
  return std::min(at, words.size());
}

// What is wrong with the name of a command below others; empty: nothing. The parser would only say that one is missing.
std::string WrongCommand(CLI::App& app, const std::vector<std::string>& words) {
  const auto all = [](const CLI::App*) { return true; };
  CLI::App* above = &app;
  std::string path;
  for (std::size_t from = 0; above->get_require_subcommand_min() > 0;) {
    const std::vector<std::string> rest(words.begin() + static_cast<std::ptrdiff_t>(from), words.end());
    const std::size_t at = CommandIndex(rest);
    if (at >= rest.size()) {
      return "";
    }
    std::vector<std::string> names;
    CLI::App* found = nullptr;
    for (CLI::App* command : above->get_subcommands(all)) {
      names.push_back(command->get_name());
      found = command->get_name() == rest[at] ? command : found;
    }
    if (found == nullptr) {
      const std::string meant = document::DidYouMean(rest[at], names);
      return "there is no command '" + path + Printable(rest[at]) + "'" + (meant.empty() ? "" : ", " + meant) +
             (path.empty() ? "" : "; there are: " + Join(names)) + "\n  see: packhorse help" +
             (path.empty() ? "" : " " + path.substr(0, path.size() - 1));
    }
    path += rest[at] + " ";
    from += at + 1;
    above = found;
  }
  return "";
}

// -1 when there is a command to run, else the exit code.
int Parse(CLI::App& app, std::vector<std::string> words) {
  const std::size_t at = CommandIndex(words);
  const bool help = at < words.size() && words[at] == "help";
  if (help) {
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
  }
  if (const std::string wrong = WrongCommand(app, words); !wrong.empty()) {
    std::cerr << "packhorse: " << wrong << "\n";
    return kExitUsage;
  }
  if (help) {  // `packhorse help queue` means `packhorse queue --help`
    words.emplace_back("--help");
  }
  std::reverse(words.begin(), words.end());  // the parser takes them from the back
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitUsage;
  }
  return -1;
}

// Those that can be run: a command that only has others below it is none.
void AddNames(CLI::App& of, const std::string& above, std::vector<std::string>& names) {
  for (CLI::App* command : of.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string name = above + command->get_name();
    if (command->get_require_subcommand_min() == 0) {
      names.push_back(name);
    }
    AddNames(*command, name + " ", names);
  }
}

}  // namespace

std::vector<std::string> CommandNames() {
  Arguments arguments;
  CLI::App app(kAbout);
  Define(app, arguments);
  std::vector<std::string> names;
  AddNames(app, "", names);
  return names;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(kAbout);
  Define(app, arguments);
  if (argc < 2) {
    std::cerr << app.help();
    return kExitUsage;
  }
  const int ended = Parse(app, {argv + 1, argv + argc});
  return ended >= 0 || !arguments.run ? ended : arguments.run();
}

}  // namespace packhorse::cli
