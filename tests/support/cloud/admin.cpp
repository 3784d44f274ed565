// Test equipment: statistics and remote control. A real receiver has none of this.
#include <nlohmann/json.hpp>

#include "problem.h"
#include "receiver.h"

namespace packhorse::cloud {
namespace {

using nlohmann::json;

// Long enough for the reply to the request itself to get out.
constexpr std::chrono::milliseconds kBeforeDown{50};

Reply Done() {
  Reply reply;
  reply.status = 204;
  return reply;
}

Reply BadRequest(const std::string& detail) {
  return Problem(400, "bad-admin-request", "The admin request is wrong", detail);
}

bool IsCount(const json& value) { return value.is_number_unsigned() && value.get<std::uint64_t>() > 0; }

}  // namespace

Reply Receiver::Admin(const Request& request) {
  if (request.path == "/admin/faults") {
    const Status set = faults_.Set(request.body, clock_.Mono());
    return set ? Done() : BadRequest(set.error().message);
  }
  if (request.path == "/admin/up") {
    faults_.Up();
    return Done();
  }
  if (request.path == "/admin/down") {
    const json body = json::parse(request.body, nullptr, false);
    const json seconds = body.is_object() ? body.value("seconds", json()) : json();
    if (!seconds.is_number() || seconds.get<double>() < 0 || seconds.get<double>() > 1e6) {
      return BadRequest("seconds must be a number; 0: until /admin/up, asked on the admin port");
    }
    const MonoTime from = clock_.Mono() + kBeforeDown;
    const auto length = std::chrono::milliseconds(static_cast<std::int64_t>(seconds.get<double>() * 1000));
    faults_.GoDown(from, length.count() > 0 ? std::optional<MonoTime>(from + length) : std::nullopt);
    return Done();
  }
  if (request.path == "/admin/forget") {
    return Forget(request);
  }
  if (request.path == "/admin/falsify") {
    return Falsify(request);
  }
  if (request.path == "/admin/settings") {
    return ChangeSettings(request);
  }
  return Problem(404, "not-found", "There is nothing here", "Admin paths: faults, down, up, forget, falsify, settings");
}

Reply Receiver::Forget(const Request& request) {
  const json body = json::parse(request.body, nullptr, false);
  const json id = body.is_object() ? body.value("record_id", json()) : json();
  const Result<bool> forgotten = id.is_string() ? store_.Forget(id.get<std::string>()) : false;
  return forgotten && *forgotten ? Done() : BadRequest("record_id must be that of a stored record");
}

Reply Receiver::Falsify(const Request& request) {
  const json body = json::parse(request.body, nullptr, false);
  const auto member = [&](const char* name) { return body.is_object() ? body.value(name, json()) : json(); };
  const json id = member("record_id");
  const json measurement = member("measurement");
  const json value = member("value");
  const bool whole = id.is_string() && measurement.is_string() && value.is_number();
  const Result<bool> changed =
      whole ? store_.Falsify(id.get<std::string>(), measurement.get<std::string>(), value.get<double>()) : false;
  return changed && *changed ? Done() : BadRequest("record_id (of a stored record), measurement and value are needed");
}

Reply Receiver::ChangeSettings(const Request& request) {
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) {
    return BadRequest("the body must be an object");
  }
  ReceiverSettings settings = Settings();
  for (const auto& [name, value] : body.items()) {
    if (name == "token" && value.is_string()) {
      settings.token = value.get<std::string>();
    } else if (name == "max_body_bytes" && IsCount(value)) {
      settings.max_body_bytes = value.get<std::uint64_t>();
    } else if (name == "max_records" && IsCount(value)) {
      settings.max_records = value.get<std::uint64_t>();
    } else if (name == "rate_limit" && value.is_object() && IsCount(value.value("requests", json())) &&
               IsCount(value.value("seconds", json()))) {
      rate_.Configure(value["requests"].get<std::uint64_t>(),
                      std::chrono::seconds(value["seconds"].get<std::int64_t>()));
    } else {
      return BadRequest(
          "settings are token (text), max_body_bytes, max_records (1 or more) and rate_limit {requests, "
          "seconds}; wrong: " +
          name);
    }
  }
  const std::lock_guard lock(mutex_);
  settings_ = settings;
  return Done();
}

void Receiver::Count(const Reply& reply, std::string_view fault) {
  const bool sent = reply.wire == Wire::kNormal || reply.wire == Wire::kTruncate;
  const std::lock_guard lock(mutex_);
  ++replies_[sent ? std::to_string(reply.status) : "none"];
  if (fault != Name(FaultKind::kNone)) {
    ++faults_applied_[std::string(fault)];
  }
}

Reply Receiver::Stats() {
  const StoreCounts counts = store_.Counts();
  json stats = {{"records", counts.records}, {"duplicates", counts.duplicates}, {"restamped", counts.restamped},
                {"batches", counts.batches}, {"replayed", counts.replayed},     {"keys_reused", counts.keys_reused}};
  {
    const std::lock_guard lock(mutex_);
    stats["requests"] = replies_;
    stats["faults"] = faults_applied_;
  }
  Reply reply;
  reply.body = stats.dump();
  return reply;
}

}  // namespace packhorse::cloud
