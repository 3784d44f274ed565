#include "packhorsed/answers.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/units.h"
#include "base/version.h"
#include "common/json_parts.h"
#include "common/queue_json.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"
#include "packhorsed/rollout_json.h"

namespace packhorse::daemon {
namespace {

Json Milliseconds(const std::optional<std::chrono::microseconds>& value) {
  return value ? Json(static_cast<double>(value->count()) / 1000.0) : Json();
}

Json Texts(const std::vector<monitor::Reason>& reasons) {
  Json texts = Json::array();
  for (const monitor::Reason& reason : reasons) {
    texts.push_back(reason.text);
  }
  return texts;
}

Json SourceJson(const App& app, const bridge::SourceUnit& unit, const ingest::SourceStatus& status) {
  const ingest::IntakeStats intake = unit.intake->Stats();
  return {{"name", status.name},
          {"state", ingest::Name(status.state)},
          {"reason", status.reason},
          {"reasons", Texts(monitor::ReasonsOf(status))},
          {"since", Time(status.since)},
          {"url", status.url},
          {"protocol", status.protocol},
          {"session_present", status.session_present},
          {"connects", status.connects},
          {"session_lost", status.session_lost},
          {"refused_filters", status.refused_filters},
          {"advice", status.state == ingest::SourceState::kDown ? ingest::AdviceFor(status) : std::string_view()},
          {"received", intake.received},
          {"unrouted", intake.unrouted},
          {"qos0", intake.qos0},
          {"redelivered", intake.redelivered},
          {"too_large", intake.too_large},
          {"properties_truncated", intake.properties_truncated},
          {"last_at", Time(app.wall_history.Corrected(intake.last_at))}};
}

Json StreamJson(const config::Stream& stream, const queue::Ledger& ledger) {
  std::uint64_t received = 0;
  std::uint64_t pending = 0;
  for (const queue::LedgerRow& row : ledger.rows) {
    if (row.stream == stream.name) {
      received = std::max(received, row.received);  // each message counts once per destination
      pending = std::max(pending, row.pending);
    }
  }
  return {{"name", stream.name},         {"source", stream.source},   {"topics", stream.topics},
          {"contract", stream.contract}, {"lane", Name(stream.lane)}, {"destinations", stream.destinations},
          {"received", received},        {"pending", pending}};
}

Json DeprecationJson(const std::optional<delivery::Deprecation::Notice>& notice, WallTime wall) {
  if (!notice) {
    return {};
  }
  return {{"text", delivery::DescribeDeprecation(*notice, wall)},
          {"since", notice->since ? Time(*notice->since) : Json()},
          {"ends_at", notice->ends ? Time(*notice->ends) : Json()},
          {"days_left", notice->ends ? Json(delivery::DaysLeft(*notice->ends, wall)) : Json()}};
}

Json BudgetJson(const std::optional<delivery::BudgetStatus>& budget) {
  if (!budget) {
    return {};
  }
  return {{"bytes", budget->options.bytes},
          {"per", budget->options.per == limit::BudgetOptions::Per::kDay ? "day" : "month"},
          {"used", budget->used},
          {"spent", budget->spent},
          {"ends_at", Time(budget->ends)}};
}

Json AnnouncedJson(const std::vector<limit::Announcement>& announced, WallTime wall) {
  Json all = Json::array();
  for (const limit::Announcement& limit : announced) {
    all.push_back({{"name", limit.name},
                   {"unit", limit::Name(limit.unit)},
                   {"count", limit.count ? Json(*limit.count) : Json()},
                   {"at_once", limit.at_once},
                   {"per_s", limit.per ? Json(limit.per->count() / 1'000) : Json()},
                   {"left", limit.left ? Json(*limit.left) : Json()},
                   {"resets_at", limit.resets ? Time(wall + *limit.resets) : Json()}});
  }
  return all;
}

// Lanes for which something waits, and for it their window.
Json ClosedJson(const delivery::DestinationStatus& status) {
  Json closed = Json::array();
  for (const Lane lane : kAllLanes) {
    if (const auto& opens = status.opens.at(static_cast<std::size_t>(lane))) {
      closed.push_back({{"lane", Name(lane)}, {"opens_at", Time(*opens)}});
    }
  }
  return closed;
}

Json DestinationJson(const delivery::DestinationStatus& status, const std::vector<monitor::Reason>& reasons,
                     WallTime wall) {
  Json next;
  if (status.next_attempt_in) {
    next = status.next_attempt_in->count();
  }
  return {{"name", status.name},
          {"state", limit::Name(status.state)},
          {"reason", status.reason},
          {"reasons", Texts(reasons)},
          {"since", Time(status.since)},
          {"url", status.url},
          {"pending", status.pending},
          {"in_flight", status.in_flight},
          {"oldest_at", Time(status.oldest_at)},
          {"backlog", status.backlog},
          {"backlog_eta_s", status.backlog_eta ? Json(status.backlog_eta->count()) : Json()},
          {"next_attempt_in_ms", std::move(next)},
          {"waits_for", status.waits_for ? Json(delivery::Name(*status.waits_for)) : Json()},
          {"p50_ms", Milliseconds(status.p50)},
          {"p95_ms", Milliseconds(status.p95)},
          {"p99_ms", Milliseconds(status.p99)},
          {"requests", status.requests},
          {"retries", status.retries},
          {"possible_duplicates", status.possible_duplicates},
          {"suspects", status.suspects},
          {"refused_share", status.share_refused},
          {"learnt_max_records", status.learnt_max_records > 0 ? Json(status.learnt_max_records) : Json()},
          {"learnt_max_bytes", status.learnt_max_bytes > 0 ? Json(status.learnt_max_bytes) : Json()},
          {"learnt_requests_per_second",
           status.learnt_requests_per_second > 0 ? Json(status.learnt_requests_per_second) : Json()},
          {"requests_in_flight", status.requests_in_flight},
          {"max_in_flight", status.max_in_flight},
          {"learnt_in_flight", status.learnt_in_flight},
          {"learnt_max_in_flight", status.learnt_max_in_flight > 0 ? Json(status.learnt_max_in_flight) : Json()},
          {"announced_limits", AnnouncedJson(status.announced, wall)},
          {"records_delivered", status.records_delivered},
          {"bytes_sent", status.bytes_sent},
          {"budget", BudgetJson(status.budget)},
          {"closed_lanes", ClosedJson(status)},
          {"replies", status.replies},
          {"last_success_at", status.last_success_at ? Time(*status.last_success_at) : Json()},
          {"last_error", status.last_error},
          {"deprecation", DeprecationJson(status.deprecation, wall)},
          {"rollout", RolloutJson(status.rollout)}};
}

Json ShadowJson(const bridge::ShadowStatus& shadow) {
  return {{"name", shadow.destination.name},
          {"state", limit::Name(shadow.destination.state)},
          {"reason", shadow.destination.reason},
          {"url", shadow.destination.url},
          {"waiting", shadow.destination.pending},
          {"requests", shadow.destination.requests},
          {"replies", shadow.destination.replies},
          {"accepted", shadow.counts.accepted},
          {"refused", shadow.counts.refused},
          {"skipped", shadow.counts.skipped},
          {"missed", shadow.counts.missed},
          {"last_words", shadow.counts.last_words},
          {"last_error", shadow.destination.last_error}};
}

// How the clock of this boot of the machine began.
Json BootClockJson(const queue::BootClock& clock) {
  using State = queue::BootClock::State;
  const bool learnt = clock.state == State::kLearnt;
  return {{"state", learnt                           ? "learnt"
                    : clock.state == State::kAwaited ? "awaited"
                                                     : "as_stamped"},
          {"withholds", clock.withholds},
          {"offset_ms", learnt ? Json(std::chrono::floor<std::chrono::milliseconds>(clock.offset).count()) : Json()}};
}

Json ObserverJson(const observer::Stats& stats) {
  return {{"observed", stats.observed}, {"shed", stats.shed}, {"followers", stats.followers}};
}

Json EventJson(const App& app, const health::Event& event) {
  return {
      {"id", event.id},
      {"severity", health::Name(event.severity)},
      {"name", event.name},
      {"subject", event.subject},
      {"message", event.message},
      {"since", Time(app.wall_history.Corrected(event.since))},
      {"resolved_at", event.resolved_at ? Time(app.wall_history.Corrected(*event.resolved_at)) : Json()},
      {"acknowledged_at", event.acknowledged_at ? Time(app.wall_history.Corrected(*event.acknowledged_at)) : Json()},
      {"ends", event.ends()},
      {"count", event.count}};
}

}  // namespace

std::string StatusJson(const App& app, const monitor::Condition& condition, const queue::Ledger& ledger) {
  const monitor::Verdict verdict = monitor::Judge(condition);
  Json status = {{"state", Name(verdict.state)},
                 {"reasons", verdict.reasons},
                 {"version", kVersion},
                 {"pid", getpid()},
                 {"started_at", Time(app.wall_history.Corrected(app.started_at))},
                 {"now", Time(app.clock.Wall())},
                 {"clock", app.clock.Synchronized() ? "synchronized" : "unsynchronized"},
                 {"boot_clock", BootClockJson(app.queue->ClockOfBoot())},
                 {"gateway", {{"id", app.config.gateway.id}, {"attributes", app.config.gateway.attributes}}},
                 {"sources", Json::array()},
                 {"old_sessions", Json::array()},
                 {"streams", Json::array()},
                 {"queue", Json::parse(QueueJson(app.config.queue, condition.queue))},
                 {"destinations", Json::array()},
                 {"shadows", Json::array()},
                 {"left_behind", monitor::LeftBehind(condition)},
                 {"replays", Json::parse(ReplaysJson(app.queue->Replays(), true))["replays"]},
                 {"observer", ObserverJson(app.observer->Snapshot())},
                 {"ledger", Json::parse(TotalJson(ledger))},
                 {"events", Json::array()}};
  for (std::size_t i = 0; i < app.sources->units().size() && i < condition.sources.size(); ++i) {
    status["sources"].push_back(SourceJson(app, *app.sources->units()[i], condition.sources[i]));
  }
  for (const auto& unit : app.sources->old_sessions()) {
    const ingest::SourceStatus old = StatusOf(*unit);
    status["old_sessions"].push_back({{"client_id", unit->config.client_id},
                                      {"url", old.url},
                                      {"source", old.name},
                                      {"state", ingest::Name(old.state)},
                                      {"reason", old.reason},
                                      {"received", unit->intake->Stats().received}});
  }
  for (const config::Stream& stream : app.config.streams) {
    status["streams"].push_back(StreamJson(stream, ledger));
  }
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    status["destinations"].push_back(
        DestinationJson(destination, monitor::ReasonsOf(condition, destination), app.clock.Wall()));
  }
  for (const bridge::ShadowStatus& shadow : app.shadows->Snapshot(app.clock.Mono())) {
    status["shadows"].push_back(ShadowJson(shadow));
  }
  for (const health::Event& event : app.events.Open()) {
    status["events"].push_back(EventJson(app, event));
  }
  return Dump(status);
}

std::string QueueStatsJson(const App& app, const monitor::Condition& condition) {
  std::vector<DestinationLoad> destinations;
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    destinations.push_back({destination.name, destination.pending, destination.in_flight, destination.oldest_at});
  }
  return QueueStatsJson(app.config.queue, condition.queue, destinations);
}

std::string EventsJson(const App& app) {
  Json json = {{"open", Json::array()}, {"recent", Json::array()}};
  for (const health::Event& event : app.events.Open()) {
    json["open"].push_back(EventJson(app, event));
  }
  for (const health::Event& event : app.events.Recent()) {
    json["recent"].push_back(EventJson(app, event));
  }
  return Dump(json);
}

std::string VersionJson(const App& app) {
  return Dump({{"version", kVersion},
               {"pid", getpid()},
               {"started_at", Time(app.wall_history.Corrected(app.started_at))},
               {"config", app.config_file},
               {"queue_id", app.queue->id()},
               {"device_contracts", contract::DeviceContractNames()},
               {"cloud_contracts", contract::CloudContractNames()}});
}

std::string ReloadJson(const bridge::ReloadReport& report) {
  Json refused = Json::array();
  for (const bridge::RefusedReport& file : report.refused) {
    refused.push_back({{"name", file.name}, {"kept", file.kept}, {"mistakes", file.mistakes}});
  }
  return Dump({{"applied", report.applied},
               {"problems", report.problems},
               {"changes", report.changes},
               {"refused", std::move(refused)}});
}

std::string FlushJson(const bridge::FlushOutcome& outcome) {
  Json json = {{"complete", outcome.complete()},
               {"folded", outcome.checkpointed},
               {"waited_ms", outcome.waited.count()},
               {"destinations", Json::array()}};
  for (const bridge::FlushOutcome::Part& part : outcome.destinations) {
    json["destinations"].push_back({{"name", part.name},
                                    {"complete", part.complete},
                                    {"state", part.state},
                                    {"reason", part.reason},
                                    {"pending", part.pending}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string RedriveJson(const bridge::RedriveReport& report) {
  return Dump({{"replayed", report.letters}, {"failures", report.failures}, {"remaining", report.remaining}});
}

std::string RetryJson(const bridge::RetryReport& report) {
  return Dump({{"retried", report.sent},
               {"nothing_to_upload", report.ended},
               {"still_quarantined", report.stay},
               {"still_because", report.still_because},
               {"remaining", report.remaining}});
}

}  // namespace packhorse::daemon
