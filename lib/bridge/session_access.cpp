#include "bridge/session_access.h"

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

namespace packhorse::bridge {
namespace {

nlohmann::json SecretJson(const config::SecretRef& secret) {
  nlohmann::json json = {{"kind", static_cast<int>(secret.kind)}, {"name", secret.name}};
  if (secret.next) {
    json["next"] = SecretJson(*secret.next);
  }
  return json;
}

config::SecretRef SecretOf(const nlohmann::json& json) {
  config::SecretRef secret;
  secret.kind = static_cast<config::SecretRef::Kind>(json.at("kind").get<int>());
  secret.name = json.at("name").get<std::string>();
  if (json.contains("next")) {
    secret.next = std::make_shared<config::SecretRef>(SecretOf(json.at("next")));
  }
  return secret;
}

}  // namespace

std::string AccessOf(const config::Source& source) {
  const nlohmann::json json = {{"username", source.username},
                               {"password", SecretJson(source.password)},
                               {"ca", source.tls.ca},
                               {"certificate", source.tls.certificate},
                               {"key", source.tls.key},
                               {"pins", source.tls.pins},
                               {"protocol", source.protocol},
                               {"keep_alive_ms", source.keep_alive.count()},
                               {"session_expiry_ms", source.session_expiry.count()},
                               {"receive_maximum", source.receive_maximum},
                               {"max_payload_bytes", source.max_payload_bytes},
                               {"max_topic_bytes", source.max_topic_bytes},
                               {"connect_timeout_ms", source.connect_timeout.count()},
                               {"reconnect_min_ms", source.reconnect_min.count()},
                               {"reconnect_max_ms", source.reconnect_max.count()}};
  return json.dump();
}

Result<config::Source> SourceOf(const std::string& access) {
  const auto milliseconds = [](const nlohmann::json& json) {
    return std::chrono::milliseconds(json.get<std::int64_t>());
  };
  try {
    const nlohmann::json json = nlohmann::json::parse(access);
    config::Source source;
    json.at("username").get_to(source.username);
    source.password = SecretOf(json.at("password"));
    json.at("ca").get_to(source.tls.ca);
    json.at("certificate").get_to(source.tls.certificate);
    json.at("key").get_to(source.tls.key);
    json.at("pins").get_to(source.tls.pins);
    json.at("protocol").get_to(source.protocol);
    source.keep_alive = milliseconds(json.at("keep_alive_ms"));
    source.session_expiry = milliseconds(json.at("session_expiry_ms"));
    json.at("receive_maximum").get_to(source.receive_maximum);
    json.at("max_payload_bytes").get_to(source.max_payload_bytes);
    json.at("max_topic_bytes").get_to(source.max_topic_bytes);
    source.connect_timeout = milliseconds(json.at("connect_timeout_ms"));
    source.reconnect_min = milliseconds(json.at("reconnect_min_ms"));
    source.reconnect_max = milliseconds(json.at("reconnect_max_ms"));
    return source;
  } catch (const nlohmann::json::exception& failure) {
    return Error{ErrorCode::kCorrupt,
                 std::string("how its broker was reached is not known any more: ") + failure.what()};
  }
}

}  // namespace packhorse::bridge
