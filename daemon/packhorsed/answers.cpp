#include "packhorsed/answers.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/units.h"
#include "base/version.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"

namespace packhorse::daemon {
namespace {

using Json = nlohmann::ordered_json;

// Topics and provider texts come from outside; what is not UTF-8 in them must not make an answer impossible.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json Time(WallTime time) { return time == WallTime{} ? Json() : Json(FormatUtc(time)); }

Json Milliseconds(const std::optional<std::chrono::microseconds>& value) {
  return value ? Json(static_cast<double>(value->count()) / 1000.0) : Json();
}

Json SourceJson(const SourceUnit& unit, const ingest::SourceStatus& status) {
  const ingest::IntakeStats intake = unit.intake->Stats();
  return {{"name", status.name},
          {"state", ingest::Name(status.state)},
          {"reason", status.reason},
          {"since", Time(status.since)},
          {"url", status.url},
          {"protocol", status.protocol},
          {"session_present", status.session_present},
          {"connects", status.connects},
          {"session_lost", status.session_lost},
          {"refused_filters", status.refused_filters},
          {"received", intake.received},
          {"unrouted", intake.unrouted},
          {"qos0", intake.qos0},
          {"redelivered", intake.redelivered},
          {"too_large", intake.too_large},
          {"properties_truncated", intake.properties_truncated},
          {"last_at", Time(intake.last_at)}};
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

Json DestinationJson(const delivery::DestinationStatus& status) {
  Json next;
  if (status.next_attempt_in) {
    next = status.next_attempt_in->count();
  }
  return {{"name", status.name},
          {"state", limit::Name(status.state)},
          {"reason", status.reason},
          {"since", Time(status.since)},
          {"url", status.url},
          {"pending", status.pending},
          {"in_flight", status.in_flight},
          {"oldest_at", Time(status.oldest_at)},
          {"next_attempt_in_ms", std::move(next)},
          {"p50_ms", Milliseconds(status.p50)},
          {"p95_ms", Milliseconds(status.p95)},
          {"p99_ms", Milliseconds(status.p99)},
          {"requests", status.requests},
          {"retries", status.retries},
          {"possible_duplicates", status.possible_duplicates},
          {"records_delivered", status.records_delivered},
          {"bytes_sent", status.bytes_sent},
          {"replies", status.replies},
          {"last_success_at", status.last_success_at ? Time(*status.last_success_at) : Json()},
          {"last_error", status.last_error}};
}

Json QueueJson(const Parts& parts, const queue::Stats& stats) {
  return {{"id", stats.queue_id},
          {"path", parts.config.queue.path},
          {"bytes", stats.bytes},
          {"max_bytes", parts.config.queue.max_bytes},
          {"records", stats.messages},
          {"messages", stats.messages},
          {"oldest_at", Time(stats.oldest_at)},
          {"at_risk", stats.at_risk},
          {"payload_bytes", stats.payload_bytes_stored},
          {"segments", stats.segments},
          {"dead_letters", stats.dead_letters},
          {"quarantined", stats.quarantined},
          {"commits", stats.commits},
          {"journal_bytes", stats.journal_bytes},
          {"last_error", stats.last_error},
          {"failing_since", Time(stats.failing_since)}};
}

Json CountsJson(const queue::LedgerRow& row) {
  return {{"received", row.received},
          {"delivered", row.delivered},
          {"rejected", row.rejected},
          {"quarantined", row.quarantined},
          {"deduplicated", row.deduplicated},
          {"expired", row.expired},
          {"dropped", row.dropped},
          {"pending", row.pending},
          {"records_delivered", row.records_delivered},
          {"records_rejected", row.records_rejected},
          {"balanced", row.Balanced()}};
}

Json TotalJson(const queue::Ledger& ledger) {
  Json total = CountsJson(ledger.Total());
  total["unrouted"] = ledger.unrouted;
  total["balanced"] = ledger.Balanced();
  return total;
}

Json EventJson(const health::Event& event) {
  return {{"id", event.id},
          {"severity", health::Name(event.severity)},
          {"name", event.name},
          {"subject", event.subject},
          {"message", event.message},
          {"since", Time(event.since)},
          {"resolved_at", event.resolved_at ? Time(*event.resolved_at) : Json()},
          {"count", event.count}};
}

Json DeadJson(const queue::DeadLetter& letter) {
  return {{"id", letter.id},
          {"record_id", letter.record_id},
          {"destination", letter.destination},
          {"stream", letter.stream},
          {"lane", Name(letter.lane)},
          {"sequence", letter.sequence},
          {"died_at", Time(letter.died_at)},
          {"reason", letter.reason},
          {"detail", letter.detail},
          {"http_status", letter.http_status},
          {"provider_request_id", letter.provider_request_id},
          {"batch_key", letter.batch_key},
          {"topic", letter.message.topic},
          {"server_received_at", Time(letter.message.received_at)},
          {"payload_bytes", letter.message.payload.size()}};
}

std::string Hex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace

std::string StatusJson(const Parts& parts, const Condition& condition, const queue::Ledger& ledger) {
  const Verdict verdict = Judge(condition);
  Json status = {{"state", Name(verdict.state)},
                 {"reasons", verdict.reasons},
                 {"version", kVersion},
                 {"pid", getpid()},
                 {"started_at", Time(parts.started_at)},
                 {"now", Time(parts.clock.Wall())},
                 {"clock", parts.clock.Synchronized() ? "synchronized" : "unsynchronized"},
                 {"gateway", {{"id", parts.config.gateway.id}, {"attributes", parts.config.gateway.attributes}}},
                 {"sources", Json::array()},
                 {"streams", Json::array()},
                 {"queue", QueueJson(parts, condition.queue)},
                 {"destinations", Json::array()},
                 {"ledger", TotalJson(ledger)},
                 {"events", Json::array()}};
  for (std::size_t i = 0; i < parts.sources.size() && i < condition.sources.size(); ++i) {
    status["sources"].push_back(SourceJson(*parts.sources[i], condition.sources[i]));
  }
  for (const config::Stream& stream : parts.config.streams) {
    status["streams"].push_back(StreamJson(stream, ledger));
  }
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    status["destinations"].push_back(DestinationJson(destination));
  }
  for (const health::Event& event : parts.events.Open()) {
    status["events"].push_back(EventJson(event));
  }
  return Dump(status);
}

std::string LedgerJson(const queue::Ledger& ledger, const std::vector<std::string>& problems, bool checked) {
  Json json = {{"balanced", ledger.Balanced() && problems.empty()},
               {"checked", checked},
               {"problems", problems},
               {"total", TotalJson(ledger)},
               {"rows", Json::array()}};
  for (const queue::LedgerRow& row : ledger.rows) {
    Json entry = {{"stream", row.stream}, {"destination", row.destination}};
    entry.update(CountsJson(row));
    entry["drop_reasons"] = Json::object();
    for (const auto& [reason, count] : row.drop_reasons) {
      entry["drop_reasons"][reason] = count;
    }
    json["rows"].push_back(std::move(entry));
  }
  return Dump(json);
}

std::string QueueStatsJson(const Parts& parts, const Condition& condition) {
  Json json = QueueJson(parts, condition.queue);
  json["destinations"] = Json::array();
  for (const delivery::DestinationStatus& destination : condition.destinations) {
    json["destinations"].push_back({{"name", destination.name},
                                    {"pending", destination.pending},
                                    {"in_flight", destination.in_flight},
                                    {"oldest_at", Time(destination.oldest_at)}});
  }
  return Dump(json);
}

std::string EventsJson(const health::Events& events) {
  Json json = {{"open", Json::array()}, {"recent", Json::array()}};
  for (const health::Event& event : events.Open()) {
    json["open"].push_back(EventJson(event));
  }
  for (const health::Event& event : events.Recent()) {
    json["recent"].push_back(EventJson(event));
  }
  return Dump(json);
}

std::string VersionJson(const Parts& parts) {
  return Dump({{"version", kVersion},
               {"pid", getpid()},
               {"started_at", Time(parts.started_at)},
               {"config", parts.config_file},
               {"queue_id", parts.queue->id()},
               {"device_contracts", contract::DeviceContractNames()},
               {"cloud_contracts", contract::CloudContractNames()}});
}

std::string ReloadJson(const ReloadReport& report) {
  return Dump({{"applied", report.applied}, {"problems", report.problems}, {"changes", report.changes}});
}

std::string DeadListJson(const std::vector<queue::DeadLetter>& letters, bool more) {
  Json json = {{"dead_letters", Json::array()}, {"more", more}};
  for (const queue::DeadLetter& letter : letters) {
    json["dead_letters"].push_back(DeadJson(letter));
  }
  return Dump(json);
}

std::string DeadLetterJson(const queue::DeadLetter& letter) {
  Json json = DeadJson(letter);
  const std::string& payload = letter.message.payload;
  const bool text = IsValidUtf8(payload) && payload.find('\0') == std::string::npos;
  json["payload_encoding"] = text ? "text" : "hex";
  json["payload"] = text ? payload : Hex(payload);
  return Dump(json);
}

}  // namespace packhorse::daemon
