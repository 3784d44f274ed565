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

}  // namespace packhorse::daemon
