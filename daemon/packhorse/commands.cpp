#include "packhorse/commands.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/units.h"
#include "base/version.h"
#include "common/load.h"
#include "packhorse/ask.h"
#include "packhorse/json_view.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::hours kLongestFlush{1};
// A large queue on a slow card takes its time to be read.
constexpr std::chrono::hours kVerifyPatience{1};
constexpr std::chrono::hours kReloadPatience{1};
constexpr std::chrono::minutes kReconcilePatience{10};
// What fits into a request to the daemon as hexadecimal digits.
constexpr std::size_t kMendedBytes = 30'000;

WallTime Now() { return SystemClock().Wall(); }

// Asks, shows the answer as JSON or by `view`, and lets `exit_code` judge it.
int Show(const Globals& globals, const std::string& command, const Json& args,
         const std::function<std::string(const std::string&)>& view,
         const std::function<int(const std::string&)>& exit_code = {}, std::chrono::milliseconds patience = kPatience) {
  const Reply reply = Ask(globals, command,
                          args.is_null() ? "{}" : args.dump(-1, ' ', false, Json::error_handler_t::replace), patience);
  if (!reply.ok()) {
    return reply.exit_code;
  }
  PrintOut(globals.json ? reply.json : FromFileText(reply.json, Style::Detect()) + view(reply.json));
  return exit_code ? exit_code(reply.json) : kExitFine;
}

int FineIf(bool fine) { return fine ? kExitFine : kExitProblem; }

Json ForDestination(const std::string& destination) {
  return destination.empty() ? Json::object() : Json({{"destination", destination}});
}

// False, and the mistake is printed: the option's text is no time.
bool AddTime(const char* option, const std::string& text, const char* member, Json& args) {
  const std::optional<WallTime> time = ParseTimeOrAgo(text, Now());
  if (!time) {
    std::fprintf(stderr, "packhorse: %s must be a time like 2026-11-20T09:12:01Z or how long ago, like 2h, not '%s'\n",
                 option, Printable(text).c_str());
    return false;
  }
  args[member] = time->time_since_epoch().count();
  return true;
}

std::string NameOrAll(const std::string& destination) {
  return destination.empty() ? "all destinations" : "destination " + destination;
}

}  // namespace

int ShowStatus(const Globals& globals) {
  return Show(
      globals, "status", {}, [](const std::string& json) { return StatusText(json, Style::Detect(), Now()); },
      [](const std::string& json) { return FineIf(StateOf(json) == "ok"); });
}

int ShowQueueStats(const Globals& globals) {
  return Show(globals, "queue_stats", {},
              [](const std::string& json) { return QueueText(json, Style::Detect(), Now()); });
}

int ShowLedger(const Globals& globals, bool check) {
  return Show(
      globals, "ledger", Json({{"check", check}}),
      [](const std::string& json) { return LedgerText(json, Style::Detect()); },
      [](const std::string& json) { return FineIf(LedgerBalanced(json)); }, check ? kVerifyPatience : kPatience);
}

int ShowEvents(const Globals& globals) {
  return Show(globals, "events", {}, [](const std::string& json) { return EventsText(json, Style::Detect(), Now()); });
}

int AcknowledgeEvent(const Globals& globals, const std::string& name, const std::string& subject) {
  return Show(globals, "events_ack", Json({{"name", name}, {"subject", subject}}),
              [](const std::string& json) { return EventsText(json, Style::Detect(), Now()); });
}

int ShowWhere(const Globals& globals, const std::string& record_id) {
  return Show(
      globals, "where", Json({{"record_id", record_id}}),
      [](const std::string& json) { return WhereText(json, Style::Detect(), Now()); },
      [](const std::string& json) { return FineIf(WhereKnown(json)); });
}

int VerifyQueue(const Globals& globals) {
  return Show(
      globals, "queue_verify", {}, [](const std::string& json) { return VerifyText(json, Style::Detect()); },
      [](const std::string& json) { return FineIf(VerifyOk(json)); }, kVerifyPatience);
}

int ShowQuarantine(const Globals& globals, const QuarantineOptions& options) {
  return Show(globals, "queue_quarantine", Json({{"limit", options.limit}, {"after", options.after}}),
              [](const std::string& json) { return QuarantineText(json, Style::Detect(), Now()); });
}

int RetryQuarantine(const Globals& globals, const RetryOptions& options) {
  Json args = ForDestination(options.destination);
  args["stream"] = options.stream;
  return Show(
      globals, "queue_retry", args, [](const std::string& json) { return RetryText(json, Style::Detect()); },
      [](const std::string& json) { return FineIf(RetryComplete(json)); }, kReloadPatience);
}

int PeekQueue(const Globals& globals, const PeekOptions& options) {
  Json args = ForDestination(options.destination);
  args["lane"] = options.lane;
  args["limit"] = options.limit;
  return Show(globals, "queue_peek", args,
              [](const std::string& json) { return PeekText(json, Style::Detect(), Now()); });
}

int ShowVersion(const Globals& globals) {
  // The CLI's own version needs no daemon; the daemon's stands beside it where there is one.
  auto client = control::Connect(SocketPath(globals));
  const Result<std::string> answer = client ? (*client)->Ask("version", "{}") : Result<std::string>(client.error());
  if (globals.json) {
    Json json = {{"cli", kVersion}, {"daemon", nullptr}};
    if (answer) {
      json["daemon"] = Json::parse(*answer, nullptr, false);
    }
    PrintOut(json.dump(-1, ' ', false, Json::error_handler_t::replace));
    return kExitFine;
  }
  PrintOut(std::string("packhorse ") + kVersion);
  PrintOut("packhorsed " + (answer ? VersionOf(*answer) : "not running here"));
  return kExitFine;
}

int Reload(const Globals& globals) {
  return Show(
      globals, "reload", {}, [](const std::string& json) { return ReloadText(json, Style::Detect()); },
      [](const std::string& json) { return ReloadComplete(json) ? kExitFine : daemon::kExitBadConfiguration; },
      kReloadPatience);
}

int DeadList(const Globals& globals, const DeadListOptions& options) {
  return Show(globals, "dead_list", Json({{"limit", options.limit}, {"after", options.after}}),
              [](const std::string& json) { return DeadListText(json, Style::Detect(), Now()); });
}

int DeadShow(const Globals& globals, std::int64_t id) {
  return Show(globals, "dead_show", Json({{"id", id}}),
              [](const std::string& json) { return DeadLetterText(json, Style::Detect(), Now()); });
}

int DeadReplay(const Globals& globals, const DeadReplayOptions& options) {
  if (options.ids.empty() && options.destination.empty() && !options.all) {
    std::fputs("packhorse: dead replay needs IDs, --destination NAME or --all; see: packhorse dead list\n", stderr);
    return kExitUsage;
  }
  Json args = ForDestination(options.destination);
  args["ids"] = options.ids;
  args["all"] = options.all;
  if (!options.payload_file.empty()) {
    const Result<std::string> payload = ReadFile(options.payload_file, kMendedBytes);
    if (!payload || payload->empty()) {
      std::fprintf(stderr, "packhorse: %s\n",
                   Printable(payload ? options.payload_file + " is empty" : payload.error().message).c_str());
      return kExitUsage;
    }
    args["payload_hex"] = Hex(*payload);
  }
  return Show(globals, "dead_replay", args, ReplayText,
              [](const std::string& json) { return FineIf(ReplayComplete(json)); });
}

int DeadDrop(const Globals& globals, const std::vector<std::int64_t>& ids) {
  return Show(
      globals, "dead_drop", Json({{"ids", ids}}),
      [](const std::string& json) { return DroppedText(json, Style::Detect()); },
      [](const std::string& json) { return FineIf(ReplayComplete(json)); });
}

int ShowExchanges(const Globals& globals, const std::string& destination) {
  return Show(globals, "exchanges", ForDestination(destination),
              [](const std::string& json) { return ExchangesText(json, Style::Detect(), Now()); });
}

int StartReplay(const Globals& globals, const ReplayOptions& options) {
  if (options.stream.empty() || options.destination.empty() || options.from.empty() || options.to.empty()) {
    std::fputs("packhorse: replay needs --stream, --from, --to and --destination; see: packhorse help replay\n",
               stderr);
    return kExitUsage;
  }
  Json args = {{"stream", options.stream}, {"destination", options.destination}, {"rate", options.rate}};
  if (!AddTime("--from", options.from, "from_us", args) || !AddTime("--to", options.to, "to_us", args)) {
    return kExitUsage;
  }
  return Show(globals, "replay_start", args,
              [](const std::string& json) { return ReplayStartedText(json, Style::Detect(), Now()); });
}

int ListReplays(const Globals& globals) {
  return Show(globals, "replay_list", {},
              [](const std::string& json) { return ReplaysText(json, Style::Detect(), Now()); });
}

int CancelReplay(const Globals& globals, std::int64_t id) {
  return Show(globals, "replay_cancel", Json({{"id", id}}), [id](const std::string&) {
    return "replay " + std::to_string(id) + ": cancelled; what is in a batch already still goes\n";
  });
}

int Rollout(const Globals& globals, std::vector<std::string> words) {
  std::erase(words, "");
  static const std::vector<std::string> kActions = {"status", "pause", "resume", "advance", "rollback"};
  const auto is_action = [](const std::string& word) {
    return std::find(kActions.begin(), kActions.end(), word) != kActions.end();
  };
  const std::string action = !words.empty() && is_action(words.back()) ? words.back() : "status";
  const bool named = words.size() == 2 || (words.size() == 1 && !is_action(words.front()));
  if (words.size() == 2 && !is_action(words.back())) {
    std::fprintf(stderr,
                 "packhorse: a rollout has no action '%s'; there is: status, pause, resume, advance, rollback\n",
                 Printable(words.back()).c_str());
    return kExitUsage;
  }
  Json args = ForDestination(named ? words.front() : "");
  if (action != "status") {
    args["action"] = action;
  }
  return Show(globals, action == "status" ? "rollout" : "rollout_change", args,
              [](const std::string& json) { return RolloutsText(json, Style::Detect()); });
}

int Reconcile(const Globals& globals, const ReconcileOptions& options) {
  Json args = ForDestination(options.destination);
  if ((!options.from.empty() && !AddTime("--from", options.from, "from_us", args)) ||
      (!options.to.empty() && !AddTime("--to", options.to, "to_us", args))) {
    return kExitUsage;
  }
  return Show(
      globals, "reconcile", args, [](const std::string& json) { return ReconcileText(json, Style::Detect(), Now()); },
      [](const std::string& json) { return FineIf(ReconcileEqual(json)); }, kReconcilePatience);
}

int Pause(const Globals& globals, const std::string& destination, const std::string& duration) {
  Json args = ForDestination(destination);
  std::string until = "until `packhorse resume`, or a restart";
  if (!duration.empty()) {
    const auto parsed = ParseDuration(duration);
    if (!parsed || parsed->count() == 0) {
      std::fprintf(stderr, "packhorse: --for must be a duration like 90s, 15m, 2h or 3d, not '%s'\n",
                   Printable(duration).c_str());
      return kExitUsage;
    }
    args["for_ms"] = parsed->count();
    until = "for " + FormatDuration(*parsed) + " (or until `packhorse resume`, or a restart)";
  }
  return Show(globals, "pause", args,
              [&](const std::string&) { return NameOrAll(destination) + ": paused " + until + "; messages are kept"; });
}

int Resume(const Globals& globals, const std::string& destination) {
  return Show(globals, "resume", ForDestination(destination),
              [&](const std::string& json) { return NameOrAll(destination) + ": resumed\n" + ForgottenText(json); });
}

int Flush(const Globals& globals, const std::string& destination, const std::string& timeout) {
  const auto parsed = ParseDuration(timeout);
  if (!parsed || *parsed > kLongestFlush) {
    std::fprintf(stderr, "packhorse: --timeout must be a duration like 500ms, 30s or 5m, at most 1h, not '%s'\n",
                 Printable(timeout).c_str());
    return kExitUsage;
  }
  Json args = ForDestination(destination);
  args["timeout_ms"] = parsed->count();
  return Show(
      globals, "flush", args, [](const std::string& json) { return FlushText(json, Style::Detect()); },
      [](const std::string& json) { return FineIf(FlushComplete(json)); }, *parsed + kPatience);
}

int Tail(const Globals& globals, const TailOptions& options) {
  const Json args = {{"stream", options.stream}, {"device", options.device}};
  auto client = control::Connect(SocketPath(globals));
  if (!client) {
    return Report(globals, client.error(), true);
  }
  Result<std::string> line = (*client)->Ask("tail", args.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!line) {
    return Report(globals, line.error(), false);
  }
  const Style style = Style::Detect();
  std::uint64_t shown = 0;
  while (options.count == 0 || shown < options.count) {
    line = (*client)->Next();
    if (!line) {
      return Report(globals, line.error(), false);
    }
    const std::string text = TailLine(*line, style, Now());
    if (text.empty()) {
      continue;
    }
    shown += IsRecord(*line) ? 1U : 0U;
    PrintOut(globals.json ? *line : text);
    std::fflush(stdout);
    if (std::ferror(stdout) != 0) {
      return kExitFine;  // who reads has gone
    }
  }
  return kExitFine;
}

}  // namespace packhorse::cli
