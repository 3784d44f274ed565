#include "packhorsed/handlers.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "bridge/redrive.h"
#include "common/dead_json.h"
#include "common/export.h"
#include "common/queue_json.h"
#include "health/log.h"
#include "packhorsed/answers.h"
#include "packhorsed/exchanges_json.h"
#include "packhorsed/observe.h"

namespace packhorse::daemon {
namespace {

constexpr std::int64_t kMaxListed = 1'000;
constexpr std::chrono::milliseconds kLongestPause = std::chrono::hours(24 * 30);
// A client waits at most a minute for an answer, unless it knows better.
constexpr std::chrono::milliseconds kFlushTimeout = std::chrono::seconds(30);
constexpr std::chrono::milliseconds kLongestFlush = std::chrono::hours(1);
// A longer line would not fit what the control socket holds for a client.
constexpr std::size_t kExportEntryBytes = 8U << 20U;

std::string Done(std::size_t count) { return "{\"destinations\":" + std::to_string(count) + "}"; }

}  // namespace

Handlers::Handlers(App& app, bridge::Reloader& reloader, reconcile::Reconciler& reconciler, Tail& tail)
    : app_(app),
      reloader_(reloader),
      reconciler_(reconciler),
      tail_(tail),
      long_calls_(*app.queue, *app.destinations, app.config.queue.path),
      retries_(*app.queue, *app.destinations) {}

const std::vector<Handlers::Command>& Handlers::Commands() {
  static const std::vector<Command> commands = {
      {"status", false, &Handlers::ShowStatus},
      {"ledger", false, &Handlers::ShowLedger},
      {"queue_stats", false, &Handlers::ShowQueueStats},
      {"queue_verify", false, &Handlers::VerifyQueue},
      {"queue_export", false, &Handlers::ExportQueue},
      {"queue_quarantine", false, &Handlers::ListQuarantine},
      {"queue_retry", true, &Handlers::RetryQuarantine},
      {"queue_peek", false, &Handlers::PeekQueue},
      {"where", false, &Handlers::ShowWhere},
      {"events", false, &Handlers::ShowEvents},
      {"events_ack", true, &Handlers::AcknowledgeEvent},
      {"version", false, &Handlers::ShowVersion},
      {"dead_list", false, &Handlers::ListDead},
      {"dead_show", false, &Handlers::ShowDead},
      {"tail", false, &Handlers::Follow},
      {"dead_replay", true, &Handlers::RedriveDead},
      {"dead_drop", true, &Handlers::DropDead},
      {"dead_export", false, &Handlers::ExportDead},
      {"exchanges", false, &Handlers::ShowExchanges},
      {"replay_list", false, &Handlers::ListReplays},
      {"replay_start", true, &Handlers::StartReplay},
      {"replay_cancel", true, &Handlers::CancelReplay},
      {"rollout", false, &Handlers::ShowRollouts},
      {"rollout_change", true, &Handlers::ChangeRollout},
      {"reconcile", true, &Handlers::Reconcile},
      {"reload", true, &Handlers::Reload},
      {"pause", true, &Handlers::Pause},
      {"resume", true, &Handlers::Resume},
      {"flush", true, &Handlers::Flush},
  };
  return commands;
}

control::Answer Handlers::Handle(const control::Call& call) {
  const auto command = std::find_if(Commands().begin(), Commands().end(),
                                    [&](const Command& entry) { return entry.name == call.command; });
  if (command == Commands().end()) {
    return Error{ErrorCode::kUnsupported,
                 "this packhorsed does not know the command '" + call.command + "'; is the CLI of a newer release?"};
  }
  if (command->changes && !call.may_change) {
    return Error{ErrorCode::kPermissionDenied,
                 std::string("only root and the service user may ") + command->name +
                     "; try again with sudo (looking is allowed to the group of the socket)"};
  }
  const Result<Args> args = Args::Parse(call.args);
  RETURN_IF_ERROR(args);
  return (this->*command->handler)(call, *args);
}

MonoTime Handlers::Serve(control::Server& server, MonoTime now) {
  const MonoTime next = std::min(long_calls_.Step(now, ready_), retries_.Step(now, reloader_.applied()));
  for (const auto& [connection, answer] : std::exchange(ready_, {})) {
    server.AnswerLater(connection, answer);
  }
  return next;
}

control::Answer Handlers::ShowStatus(const control::Call&, const Args&) {
  monitor::Condition condition = Observe(app_, app_.clock.Mono());
  const Result<queue::Ledger> ledger = app_.queue->ReadLedger();
  if (!ledger) {
    return ledger.error().With("read the ledger");
  }
  condition.ledger_balanced = condition.ledger_balanced && ledger->Balanced();
  return StatusJson(app_, condition, *ledger);
}

control::Answer Handlers::ShowLedger(const control::Call& call, const Args& args) {
  const Result<bool> check = args.Flag("check");
  RETURN_IF_ERROR(check);
  const auto answer = [this, checked = *check](const std::vector<std::string>& problems) -> control::Answer {
    const Result<queue::Ledger> ledger = app_.queue->ReadLedger();
    return ledger ? control::Answer(LedgerJson(*ledger, problems, checked)) : ledger.error().With("read the ledger");
  };
  if (!*check) {
    return answer({});
  }
  Status begun = long_calls_.Verify(
      call.connection, [answer](const queue::CheckReport& report) { return answer(report.problems); },
      app_.clock.Mono());
  return begun ? Later() : begun.error();
}

control::Answer Handlers::ShowQueueStats(const control::Call&, const Args&) {
  return QueueStatsJson(app_, Observe(app_, app_.clock.Mono()));
}

control::Answer Handlers::VerifyQueue(const control::Call& call, const Args&) {
  Status begun = long_calls_.Verify(
      call.connection, [this](const queue::CheckReport& report) { return CheckJson(app_.queue->id(), report); },
      app_.clock.Mono());
  return begun ? Later() : begun.error();
}

control::Answer Handlers::ExportQueue(const control::Call& call, const Args& args) {
  const auto stream = args.Text("stream", "");
  const auto lane = args.Text("lane", "");
  const auto place = args.Text("at", "");
  const auto from = args.Integer("from_us", 0, INT64_MIN, INT64_MAX);
  const auto to = args.Integer("to_us", 0, INT64_MIN, INT64_MAX);
  const auto limit = args.Integer("limit", 0, 0, INT64_MAX);
  for (const auto* text : {&stream, &lane, &place}) {
    if (!*text) {
      return text->error();
    }
  }
  for (const auto* number : {&from, &to, &limit}) {
    if (!*number) {
      return number->error();
    }
  }
  Result<ExportRequest> request = ReadExportRequest({*stream, *lane, *from, *to, *place, *limit});
  RETURN_IF_ERROR(request);
  const std::string& path = app_.config.queue.path;
  if (request->at) {
    return ReadExportPage(path, *request, kExportEntryBytes);
  }
  // The first page: what is only in the journal comes first into the database.
  return AfterCheckpoint(
      call, [path, request = *std::move(request)](bool) { return ReadExportPage(path, request, kExportEntryBytes); });
}

control::Answer Handlers::AfterCheckpoint(const control::Call& call,
                                          std::function<control::Answer(bool checkpointed)> answer) {
  long_calls_.AfterCheckpoint(call.connection, std::move(answer), app_.clock.Mono());
  return Later();
}

control::Answer Handlers::ListQuarantine(const control::Call& call, const Args& args) {
  const auto limit = args.Integer("limit", 100, 1, kMaxListed);
  const auto after = args.Integer("after", 0, 0, INT64_MAX);
  if (!limit || !after) {
    return !limit ? limit.error() : after.error();
  }
  const auto count = static_cast<std::size_t>(*limit);
  return AfterCheckpoint(call, [this, count, from = static_cast<Sequence>(*after)](bool) -> control::Answer {
    auto messages = app_.queue->Quarantined(count + kLanes, from, queue::Queue::Reading::kAsStored);
    RETURN_IF_ERROR(messages);
    const bool more = CutPage(*messages, count);
    return QuarantineJson(app_.queue->ids(), *messages, more);
  });
}

control::Answer Handlers::RetryQuarantine(const control::Call& call, const Args& args) {
  const auto stream = args.Text("stream", "");
  const auto destination = args.Text("destination", "");
  if (!stream || !destination) {
    return !stream ? stream.error() : destination.error();
  }
  health::Log(health::LogLevel::kInfo, "quarantine_retried", "messages in quarantine are decoded again on request",
              {{"stream", *stream}, {"destination", *destination}});
  retries_.Begin(
      {*stream, *destination, false}, [this, connection = call.connection](const Result<bridge::RetryReport>& report) {
        ready_.emplace_back(connection, report ? control::Answer(RetryJson(*report)) : control::Answer(report.error()));
      });
  return Later();
}

control::Answer Handlers::PeekQueue(const control::Call&, const Args& args) {
  const auto chosen = Chosen(args);
  const auto limit = args.Integer("limit", 10, 1, kMaxListed);
  const auto only = args.Text("lane", "");
  if (!chosen || !limit || !only) {
    return !chosen ? chosen.error() : !limit ? limit.error() : only.error();
  }
  std::vector<Waiting> waiting;
  for (const bridge::DestinationUnit* unit : *chosen) {
    for (const Lane lane : kAllLanes) {
      if (!only->empty() && *only != Name(lane)) {
        continue;
      }
      const std::string& name = unit->config.name;
      auto next = app_.queue->Peek(name, lane, static_cast<std::size_t>(*limit), kPeekBytes);
      if (!next) {
        return next.error().With("read what waits for " + name);
      }
      const std::uint64_t messages = app_.queue->Waiting(name, lane).messages;
      if (messages > 0) {
        waiting.push_back(Waiting{name, lane, messages, std::move(next->messages)});
      }
    }
  }
  return PeekJson(app_.queue->ids(), waiting, [this](StreamId id) { return app_.queue->StreamName(id); });
}

control::Answer Handlers::ShowWhere(const control::Call& call, const Args& args) {
  const auto text = args.Text("record_id", "");
  RETURN_IF_ERROR(text);
  const Result<RecordKey> key = ReadRecordId(*text);
  RETURN_IF_ERROR(key);
  RETURN_IF_ERROR(CheckOfQueue(*key, app_.queue->ids()));
  return AfterCheckpoint(call, [this, at = *key](bool checkpointed) -> control::Answer {
    if (!checkpointed) {
      const std::string refusal = app_.queue->Snapshot().last_error;
      return Error{ErrorCode::kUnavailable,
                   refusal.empty() ? "the disk takes too long: what happened last is not in the database yet"
                                   : "the disk refuses: " + refusal};
    }
    const Result<queue::MessageTrace> found =
        app_.queue->Trace(at.lane, at.sequence, at.index, queue::Queue::Reading::kAsStored);
    return found ? control::Answer(WhereJson(at, *found)) : control::Answer(found.error());
  });
}

control::Answer Handlers::ShowEvents(const control::Call&, const Args&) { return EventsJson(app_); }

control::Answer Handlers::AcknowledgeEvent(const control::Call&, const Args& args) {
  const auto name = args.Text("name", "");
  const auto subject = args.Text("subject", "");
  if (!name || !subject) {
    return !name ? name.error() : subject.error();
  }
  RETURN_IF_ERROR(app_.events.Acknowledge(*name, *subject, app_.clock.Wall()));
  return EventsJson(app_);
}

control::Answer Handlers::ShowVersion(const control::Call&, const Args&) { return VersionJson(app_); }

control::Answer Handlers::ListDead(const control::Call& call, const Args& args) {
  const auto limit = args.Integer("limit", 100, 1, kMaxListed);
  const auto after = args.Integer("after", 0, 0, INT64_MAX);
  if (!limit || !after) {
    return !limit ? limit.error() : after.error();
  }
  const auto count = static_cast<std::size_t>(*limit);
  return AfterCheckpoint(call, [this, count, from = *after](bool) -> control::Answer {
    const Result<std::vector<queue::DeadLetter>> letters =
        app_.queue->DeadLetters(count + 1, from, queue::Queue::Reading::kAsStored);
    const Result<std::vector<queue::Suspect>> suspects = app_.queue->Suspects("", count + 1, from);
    if (!letters || !suspects) {
      return letters ? suspects.error() : letters.error();
    }
    return DeadListJson(*letters, *suspects, count);
  });
}

control::Answer Handlers::ShowDead(const control::Call&, const Args& args) {
  const auto id = args.Integer("id", -1, 0, INT64_MAX);
  RETURN_IF_ERROR(id);
  const Result<queue::Suspect> suspect = app_.queue->FindSuspect(*id);
  if (suspect || suspect.error().code != ErrorCode::kNotFound) {
    return suspect ? control::Answer(OneSuspectJson(*suspect)) : control::Answer(suspect.error());
  }
  const Result<queue::DeadLetter> letter = app_.queue->FindDeadLetter(*id);
  return letter ? control::Answer(DeadLetterJson(*letter)) : control::Answer(letter.error());
}

control::Answer Handlers::RedriveDead(const control::Call& call, const Args& args) {
  auto ids = args.Integers("ids", 10'000);
  const auto destination = args.Text("destination", "");
  const auto all = args.Flag("all");
  auto payload = ReadMendedPayload(args);
  if (!ids || !destination || !all || !payload) {
    return !ids ? ids.error() : !destination ? destination.error() : !all ? all.error() : payload.error();
  }
  if (ids->empty() && destination->empty() && !*all) {
    return Error{ErrorCode::kInvalidArgument, "say which dead letters: their ids, a destination, or all"};
  }
  health::Log(health::LogLevel::kInfo, "dead_letters_replayed", "dead letters are taken back into delivery on request",
              {{"ids", std::to_string(ids->size())},
               {"destination", *destination},
               {"mended", payload->has_value() ? "true" : "false"}});
  bridge::RedriveDeadLetters(*app_.queue, *app_.destinations,
                             {std::move(ids).value(), *destination, *all, *std::move(payload)},
                             [this, connection = call.connection](const Result<bridge::RedriveReport>& report) {
                               ready_.emplace_back(connection, report ? control::Answer(RedriveJson(*report))
                                                                      : control::Answer(report.error()));
                             });
  return Later();
}

control::Answer Handlers::ShowExchanges(const control::Call&, const Args& args) {
  const auto chosen = Chosen(args);
  RETURN_IF_ERROR(chosen);
  std::vector<std::pair<std::string, const delivery::Exchanges*>> exchanges;
  for (const bridge::DestinationUnit* unit : *chosen) {
    exchanges.emplace_back(unit->config.name, &unit->destination->exchanges());
  }
  return ExchangesJson(exchanges);
}

control::Answer Handlers::Follow(const control::Call& call, const Args& args) {
  auto stream = args.Text("stream", "");
  auto device = args.Text("device", "");
  if (!stream || !device) {
    return !stream ? stream.error() : device.error();
  }
  const auto known = std::any_of(app_.config.streams.begin(), app_.config.streams.end(),
                                 [&](const config::Stream& entry) { return entry.name == *stream; });
  if (!stream->empty() && !known) {
    return Error{ErrorCode::kNotFound, "no stream is named '" + *stream + "'"};
  }
  tail_.Follow(call.connection, {std::move(stream).value(), std::move(device).value()});
  return std::string("{\"outcome\":\"following\"}");
}

control::Answer Handlers::Reload(const control::Call& call, const Args&) {
  if (reloader_.active()) {
    return Error{ErrorCode::kBusy,
                 "a reload is under way: it counts what is stored or waits for uploads to end; ask again "
                 "in a moment"};
  }
  reloader_.Begin([this, connection = call.connection](
                      const bridge::ReloadReport& report) { ready_.emplace_back(connection, ReloadJson(report)); },
                  app_.clock.Mono());
  return Later();
}

Result<std::vector<bridge::DestinationUnit*>> Handlers::Chosen(const Args& args) {
  const auto name = args.Text("destination", "");
  RETURN_IF_ERROR(name);
  std::vector<bridge::DestinationUnit*> chosen;
  std::string known;
  for (bridge::DestinationUnit& unit : app_.destinations->units()) {
    known += (known.empty() ? "" : ", ") + unit.config.name;
    if (name->empty() || unit.config.name == *name) {
      chosen.push_back(&unit);
    }
  }
  if (chosen.empty()) {
    return Error{ErrorCode::kNotFound, "no destination is named '" + *name + "'; there is: " + known};
  }
  return chosen;
}

control::Answer Handlers::Pause(const control::Call&, const Args& args) {
  const auto chosen = Chosen(args);
  const auto duration = args.Integer("for_ms", 0, 0, kLongestPause.count());
  if (!chosen || !duration) {
    return !chosen ? chosen.error() : duration.error();
  }
  const MonoTime now = app_.clock.Mono();
  for (bridge::DestinationUnit* unit : *chosen) {
    const std::chrono::milliseconds length(*duration);
    unit->paused = true;
    unit->paused_since = app_.clock.Wall();
    unit->paused_until = *duration == 0 ? std::nullopt : std::optional<MonoTime>(now + length);
    unit->destination->Pause(*duration == 0 ? std::nullopt : std::optional(length), now);
    health::Log(health::LogLevel::kInfo, "destination_paused", "uploads are paused on request; messages are kept",
                {{"destination", unit->config.name}});
  }
  return Done(chosen->size());
}

control::Answer Handlers::Resume(const control::Call&, const Args& args) {
  const auto chosen = Chosen(args);
  RETURN_IF_ERROR(chosen);
  Json forgotten = Json::array();
  for (bridge::DestinationUnit* unit : *chosen) {
    unit->paused = false;
    const delivery::Pacing::Forgotten what = unit->destination->Resume(app_.clock.Mono());
    health::Log(health::LogLevel::kInfo, "destination_resumed", "uploads go on", {{"destination", unit->config.name}});
    if (what.requests_per_second > 0 || what.announced > 0) {
      forgotten.push_back(
          {{"destination", unit->config.name},
           {"requests_per_second", what.requests_per_second > 0 ? Json(what.requests_per_second) : Json()},
           {"announced_limits", what.announced}});
    }
  }
  return Dump({{"destinations", chosen->size()}, {"forgotten", std::move(forgotten)}});
}

control::Answer Handlers::Flush(const control::Call& call, const Args& args) {
  const auto chosen = Chosen(args);
  const auto timeout = args.Integer("timeout_ms", kFlushTimeout.count(), 0, kLongestFlush.count());
  if (!chosen || !timeout) {
    return !chosen ? chosen.error() : timeout.error();
  }
  std::vector<std::string> names;
  for (const bridge::DestinationUnit* unit : *chosen) {
    names.push_back(unit->config.name);
  }
  long_calls_.Flush(
      call.connection, std::move(names), std::chrono::milliseconds(*timeout),
      [](const bridge::FlushOutcome& outcome) { return control::Answer(FlushJson(outcome)); }, app_.clock.Mono());
  return Later();
}

}  // namespace packhorse::daemon
