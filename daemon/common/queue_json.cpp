#include "common/queue_json.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "base/encode.h"
#include "base/units.h"
#include "common/dead_json.h"
#include "common/json_parts.h"

namespace packhorse::daemon {
namespace {

Json CountsJson(const queue::LedgerRow& row) {
  Json json = {{"received", row.received}};
  for (const queue::LedgerCounter& counter : queue::kLedgerCounters) {
    json[std::string(Name(counter.outcome))] = row.*counter.messages;
  }
  json["pending"] = row.pending;
  json["records_delivered"] = row.records_delivered;
  json["records_rejected"] = row.records_rejected;
  json["replayed"] = row.replayed;
  json["records_replayed"] = row.records_replayed;
  json["balanced"] = row.Balanced();
  return json;
}

Json QuarantinedJson(const std::string& queue_id, const queue::QuarantinedMessage& entry) {
  Json json = {{"record_id", RecordId(queue_id, entry.lane, entry.sequence, std::nullopt)},
               {"stream", entry.stream},
               {"lane", Name(entry.lane)},
               {"sequence", entry.sequence},
               {"at", Time(entry.at)},
               {"reason", entry.reason},
               {"detail", entry.detail},
               {"topic", entry.message.topic},
               {"server_received_at", Time(entry.message.received_at)}};
  PutBeginning(json, entry.message.payload);
  return json;
}

Json SettledJson(const queue::SettledBatch& batch) {
  return {{"idempotency_key", batch.idempotency_key},
          {"trace_id", batch.trace_id},
          {"first_sequence", batch.first},
          {"last_sequence", batch.last},
          {"messages", batch.messages},
          {"records", batch.records},
          {"dead", batch.dead},
          {"settled_at", Time(batch.at)},
          {"http_status", batch.http_status},
          {"provider_request_id", batch.provider_request_id},
          {"attempts", batch.attempts},
          {"possible_duplicate", batch.possible_duplicate},
          {"replay", batch.replay == 0 ? Json() : Json(batch.replay)}};
}

Json GivenUpJson(const queue::GivenUpRange& range) {
  return {{"reason", range.reason},        {"from_at", Time(range.from_at)}, {"until_at", Time(range.until_at)},
          {"first_sequence", range.first}, {"last_sequence", range.last},    {"messages", range.messages}};
}

Json PlaceJson(const queue::Place& place) {
  Json json = {{"name", place.destination}, {"state", Name(place.state)}, {"certain", place.certain},
               {"batches", Json::array()},  {"dead", Json::array()},      {"set_aside", Json::array()},
               {"settled", Json::array()}};
  for (const queue::CarryingBatch& batch : place.batches) {
    json["batches"].push_back({{"idempotency_key", batch.idempotency_key},
                               {"trace_id", batch.trace_id},
                               {"frozen_at", Time(batch.prepared_at)},
                               {"records", batch.records},
                               {"replayed", batch.replayed}});
  }
  for (const queue::DeadLetter& letter : place.dead) {
    json["dead"].push_back(DeadJson(letter));
  }
  for (const queue::Suspect& suspect : place.set_aside) {
    json["set_aside"].push_back(SuspectJson(suspect));
  }
  for (const queue::SettledBatch& batch : place.settled) {
    json["settled"].push_back(SettledJson(batch));
  }
  json["replayed"] = Json::array();
  for (const queue::SettledBatch& batch : place.replayed) {
    json["replayed"].push_back(SettledJson(batch));
  }
  json["given_up"] = place.given_up ? GivenUpJson(*place.given_up) : Json();
  return json;
}

Json StoredEntry(const queue::StoredMessages& from, Lane lane, const queue::StoredMessage& stored) {
  const RawMessage& message = stored.message;
  Json json = {{"record_id", RecordId(from.ids().Of(lane, stored.sequence), lane, stored.sequence, std::nullopt)},
               {"stream", from.StreamName(message.stream)},
               {"lane", Name(lane)},
               {"sequence", stored.sequence},
               {"server_received_at", Time(message.received_at)},
               {"gateway_clock", Name(message.clock)},
               {"topic", message.topic},
               {"qos", message.qos},
               {"retained", message.retained},
               {"redelivered", message.redelivered}};
  if (!message.content_type.empty()) {
    json["content_type"] = message.content_type;
  }
  for (const auto& [name, value] : message.user_properties) {
    json["user_properties"].push_back(Json::array({name, value}));
  }
  return json;
}

Json OverflowJson(const config::Queue& config) {
  Json overflow;
  for (const Lane lane : kAllLanes) {
    overflow[std::string(Name(lane))] = Name(config.overflow.at(static_cast<std::size_t>(lane)));
  }
  return overflow;
}

Json Queue(const config::Queue& config, const queue::Stats& stats) {
  return {{"id", stats.queue_id},
          {"path", config.path},
          {"bytes", stats.bytes},
          {"max_bytes", config.max_bytes},
          {"waiting", stats.most_waiting},
          {"max_records", config.max_records},
          {"max_age_s", std::chrono::duration_cast<std::chrono::seconds>(config.max_age).count()},
          {"overflow", OverflowJson(config)},
          {"full", stats.full},
          {"records", stats.messages},
          {"messages", stats.messages},
          {"retained_messages", stats.retained_messages},
          {"retained_bytes", stats.retained_bytes},
          {"released_messages", stats.released_messages},
          {"oldest_at", Time(stats.oldest_at)},
          {"at_risk", stats.at_risk},
          {"payload_bytes", stats.payload_bytes_stored},
          {"segments", stats.segments},
          {"dead_letters", stats.dead_letters},
          {"suspects", stats.suspects},
          {"quarantined", stats.quarantined},
          {"commits", stats.commits},
          {"journal_bytes", stats.journal_bytes},
          {"last_error", stats.last_error},
          {"failing_since", Time(stats.failing_since)}};
}

Json OneReplay(const queue::Replay& replay) {
  return {{"id", replay.id},
          {"stream", replay.what.stream},
          {"destination", replay.what.destination},
          {"from", Time(replay.what.from)},
          {"to", Time(replay.what.to)},
          {"rate", replay.what.rate},
          {"state", queue::Name(replay.state)},
          {"progress", replay.progress()},
          {"stored_from", Time(replay.stored_from)},
          {"asked_at", Time(replay.asked_at)},
          {"ended_at", Time(replay.ended_at)},
          {"messages", replay.messages},
          {"skipped", replay.skipped},
          {"records", replay.records},
          {"delivered", replay.delivered},
          {"refused", replay.refused}};
}

Json Total(const queue::Ledger& ledger) {
  Json total = CountsJson(ledger.Total());
  total["unrouted"] = ledger.unrouted;
  total["balanced"] = ledger.Balanced();
  return total;
}

}  // namespace

std::string QueueJson(const config::Queue& config, const queue::Stats& stats) { return Dump(Queue(config, stats)); }

std::string QueueStatsJson(const config::Queue& config, const queue::Stats& stats,
                           const std::vector<DestinationLoad>& destinations) {
  Json json = Queue(config, stats);
  json["destinations"] = Json::array();
  for (const DestinationLoad& destination : destinations) {
    json["destinations"].push_back({{"name", destination.name},
                                    {"pending", destination.pending},
                                    {"in_flight", destination.in_flight},
                                    {"oldest_at", Time(destination.oldest_at)}});
  }
  return Dump(json);
}

std::string TotalJson(const queue::Ledger& ledger) { return Dump(Total(ledger)); }

std::string LedgerJson(const queue::Ledger& ledger, const std::vector<std::string>& problems, bool checked) {
  Json json = {{"balanced", ledger.Balanced() && problems.empty()},
               {"checked", checked},
               {"problems", problems},
               {"total", Total(ledger)},
               {"rows", Json::array()}};
  for (const queue::LedgerRow& row : ledger.rows) {
    Json entry = {{"stream", row.stream}, {"destination", row.destination}};
    entry.update(CountsJson(row));
    entry["drop_reasons"] = Json::object();
    for (const auto& [reason, count] : row.drop_reasons) {
      entry["drop_reasons"][reason] = count;
    }
    entry["skip_reasons"] = Json::object();
    for (const auto& [reason, count] : row.skip_reasons) {
      entry["skip_reasons"][reason] = count;
    }
    json["rows"].push_back(std::move(entry));
  }
  return Dump(json);
}

std::string QuarantineJson(const queue::QueueIds& ids, const std::vector<queue::QuarantinedMessage>& messages,
                           bool more) {
  Json json = {{"quarantined", Json::array()}, {"more", more}};
  for (const queue::QuarantinedMessage& entry : messages) {
    json["quarantined"].push_back(QuarantinedJson(ids.Of(entry.lane, entry.sequence), entry));
  }
  return Dump(json);
}

bool CutPage(std::vector<queue::QuarantinedMessage>& messages, std::size_t limit) {
  if (messages.size() <= limit) {
    return false;
  }
  const auto begins = [&](std::size_t at) {
    return at == messages.size() || messages[at].sequence != messages[at - 1].sequence;
  };
  std::size_t end = limit;
  while (end > 0 && !begins(end)) {
    --end;
  }
  for (end = end > 0 ? end : limit; !begins(end);) {
    ++end;
  }
  const bool more = end < messages.size();
  messages.resize(end);
  return more;
}

std::string PeekJson(const queue::QueueIds& ids, const std::vector<Waiting>& waiting, const StreamNames& stream_name) {
  Json json = {{"waiting", Json::array()}};
  for (const Waiting& part : waiting) {
    Json next = Json::array();
    for (const queue::StoredMessage& stored : part.next) {
      Json entry = {
          {"record_id", RecordId(ids.Of(part.lane, stored.sequence), part.lane, stored.sequence, std::nullopt)},
          {"stream", stream_name(stored.message.stream)},
          {"topic", stored.message.topic},
          {"server_received_at", Time(stored.message.received_at)}};
      PutBeginning(entry, stored.message.payload);
      next.push_back(std::move(entry));
    }
    json["waiting"].push_back({{"destination", part.destination},
                               {"lane", Name(part.lane)},
                               {"messages", part.messages},
                               {"next", std::move(next)}});
  }
  return Dump(json);
}

Result<RecordKey> ReadRecordId(const std::string& text) {
  std::optional<RecordKey> key = ParseRecordId(text);
  if (!key) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + text + "' is no record id; one looks like k3f9ab2c.n.1001 (queue, lane u, n or b, number)"};
  }
  return *std::move(key);
}

Status CheckOfQueue(const RecordKey& key, const queue::QueueIds& ids) {
  const std::string& expected = ids.Of(key.lane, key.sequence);
  if (key.queue_id == expected) {
    return {};
  }
  std::string message = "the record is of queue " + key.queue_id + ", but this is queue " + ids.current();
  if (expected != ids.current()) {
    message += " (" + expected + " at that number)";
  }
  return Error{ErrorCode::kNotFound, message + ": ask the gateway that has it (packhorse queue stats names its queue)"};
}

std::string WhereJson(const RecordKey& key, const queue::MessageTrace& found) {
  Json json = {{"record_id", RecordId(key.queue_id, key.lane, key.sequence, key.index)},
               {"queue_id", key.queue_id},
               {"lane", Name(key.lane)},
               {"sequence", key.sequence},
               {"record", key.index ? Json(*key.index) : Json()},
               {"given", found.given},
               {"last_sequence", found.last},
               {"stream", found.stream},
               {"topic", found.topic},
               {"server_received_at", Time(found.received_at)},
               {"quarantined", nullptr},
               {"destinations", Json::array()},
               {"log", {{"batches", found.logged_batches}, {"since", Time(found.logged_since)}}}};
  if (!found.quarantined.empty()) {
    json["quarantined"] = QuarantinedJson(key.queue_id, found.quarantined.front());
  }
  for (const queue::Place& place : found.places) {
    json["destinations"].push_back(PlaceJson(place));
  }
  return Dump(json);
}

std::string CheckJson(const std::string& queue_id, const queue::CheckReport& report) {
  return Dump({{"ok", report.problem_count == 0},
               {"queue_id", queue_id},
               {"segments", report.segments},
               {"messages", report.messages},
               {"payload_bytes", report.payload_bytes},
               {"batches", report.batches},
               {"dead_letters", report.dead_letters},
               {"suspects", report.suspects},
               {"quarantined", report.quarantined},
               {"problem_count", report.problem_count},
               {"problems", report.problems}});
}

std::string StoredJson(const queue::StoredMessages& stored, const queue::StoredPage& page,
                       std::size_t max_entry_bytes) {
  // Put together from texts, so that the length of each is known.
  std::string text = "{\"next\":" + (page.next ? Json(queue::Format(*page.next)).dump() : "null") + ",\"messages\":[";
  const char* comma = "";
  for (const auto& [lane, message] : page.messages) {
    Json entry = StoredEntry(stored, lane, message);
    const std::string& payload = message.message.payload;
    const bool is_text = IsText(payload);
    entry["payload_encoding"] = is_text ? "text" : "base64";
    entry["payload"] = is_text ? payload : Base64(payload);
    std::string line = Dump(entry);
    if (line.size() > max_entry_bytes) {
      entry["payload"] = nullptr;
      entry["payload_left_out"] = payload.size();
      line = Dump(entry);
    }
    text += comma + line;
    comma = ",";
  }
  return text + "]}";
}

std::string ReplayJson(const queue::Replay& replay) { return Dump(OneReplay(replay)); }

std::string ReplaysJson(const std::vector<queue::Replay>& replays, bool running) {
  Json json = {{"replays", Json::array()}};
  for (const queue::Replay& replay : replays) {
    if (!running || replay.state == queue::Replay::State::kRunning) {
      json["replays"].push_back(OneReplay(replay));
    }
  }
  return Dump(json);
}

}  // namespace packhorse::daemon
