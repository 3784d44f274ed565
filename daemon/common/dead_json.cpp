#include "common/dead_json.h"

#include <algorithm>
#include <utility>

#include "base/encode.h"

namespace packhorse::daemon {
namespace {

void PutPayload(Json& json, const std::string& payload) {
  const bool text = IsText(payload);
  json["payload_encoding"] = text ? "text" : "hex";
  json["payload"] = text ? payload : Hex(payload);
}

constexpr std::size_t kPageBytes = 4U << 20U;

std::string ExportLine(Json entry, const std::string& payload, std::size_t max_entry_bytes) {
  const bool text = IsText(payload);
  entry["payload_encoding"] = text ? "text" : "base64";
  entry["payload"] = text ? payload : Base64(payload);
  std::string line = Dump(entry);
  if (line.size() > max_entry_bytes) {
    entry["payload"] = nullptr;
    entry["payload_left_out"] = payload.size();
    line = Dump(entry);
  }
  return line;
}

}  // namespace

Json DeadJson(const queue::DeadLetter& letter) {
  return {{"id", letter.id},
          {"state", "dead"},
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

Json SuspectJson(const queue::Suspect& suspect) {
  const queue::Suspicion& known = suspect.suspicion;
  return {{"id", suspect.id},
          {"state", "suspect"},
          {"record_id", suspect.record_id},
          {"destination", suspect.destination},
          {"stream", suspect.stream_name},
          {"lane", Name(suspect.lane)},
          {"sequence", suspect.sequence},
          {"set_aside_at", Time(suspect.set_aside_at)},
          {"refusals", known.refusals},
          {"first_refused_at", Time(known.first_refused_at)},
          {"last_refused_at", Time(known.last_refused_at)},
          {"retrying", suspect.retrying},
          {"reason", known.reason},
          {"detail", known.detail},
          {"http_status", known.http_status},
          {"provider_request_id", known.provider_request_id},
          {"batch_key", suspect.batch_key},
          {"topic", suspect.message.topic},
          {"server_received_at", Time(suspect.message.received_at)},
          {"payload_bytes", suspect.message.payload.size()}};
}

std::string DeadListJson(const std::vector<queue::DeadLetter>& letters, const std::vector<queue::Suspect>& suspects,
                         std::size_t limit) {
  std::vector<Json> all;
  for (const queue::DeadLetter& letter : letters) {
    all.push_back(DeadJson(letter));
  }
  for (const queue::Suspect& suspect : suspects) {
    all.push_back(SuspectJson(suspect));
  }
  std::sort(all.begin(), all.end(), [](const Json& a, const Json& b) { return a["id"] < b["id"]; });
  const bool more = all.size() > limit;
  all.resize(std::min(all.size(), limit));
  return Dump({{"dead_letters", all}, {"more", more}});
}

std::string DeadLetterJson(const queue::DeadLetter& letter) {
  Json json = DeadJson(letter);
  PutPayload(json, letter.message.payload);
  return Dump(json);
}

std::string OneSuspectJson(const queue::Suspect& suspect) {
  Json json = SuspectJson(suspect);
  PutPayload(json, suspect.message.payload);
  return Dump(json);
}

std::string DeadExportJson(const std::vector<queue::DeadLetter>& letters, const std::vector<queue::Suspect>& suspects,
                           const std::string& destination, std::size_t max_entry_bytes) {
  std::string entries;
  std::int64_t last = 0;
  std::size_t looked_at = 0;
  auto letter = letters.begin();
  auto suspect = suspects.begin();
  while (looked_at < kDeadPage && entries.size() < kPageBytes &&
         (letter != letters.end() || suspect != suspects.end())) {
    const bool dead = suspect == suspects.end() || (letter != letters.end() && letter->id < suspect->id);
    last = dead ? letter->id : suspect->id;
    if (destination.empty() || destination == (dead ? letter->destination : suspect->destination)) {
      entries += entries.empty() ? "" : ",";
      entries += dead ? ExportLine(DeadJson(*letter), letter->message.payload, max_entry_bytes)
                      : ExportLine(SuspectJson(*suspect), suspect->message.payload, max_entry_bytes);
    }
    letter += dead ? 1 : 0;
    suspect += dead ? 0 : 1;
    ++looked_at;
  }
  const bool more = letter != letters.end() || suspect != suspects.end();
  return "{\"next\":" + (more ? std::to_string(last) : "null") + ",\"dead_letters\":[" + entries + "]}";
}

}  // namespace packhorse::daemon
