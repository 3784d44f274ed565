#include "status.h"

#include <nlohmann/json.hpp>

namespace packhorse::demo {
namespace {

using nlohmann::json;

const json& Member(const json& object, const char* name) {
  static const json kNothing;
  return object.is_object() && object.contains(name) ? object[name] : kNothing;
}

const json& First(const json& array) {
  static const json kNothing;
  return array.is_array() && !array.empty() ? array[0] : kNothing;
}

std::string Text(const json& object, const char* name) {
  const json& value = Member(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::uint64_t Count(const json& object, const char* name) {
  const json& value = Member(object, name);
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

std::optional<double> Number(const json& object, const char* name) {
  const json& value = Member(object, name);
  return value.is_number() ? std::optional<double>(value.get<double>()) : std::nullopt;
}

}  // namespace

std::optional<Status> ParseStatus(const std::string& text) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object() || !Member(root, "ledger").is_object()) {
    return std::nullopt;
  }
  const json& source = First(Member(root, "sources"));
  const json& destination = First(Member(root, "destinations"));
  const json& ledger = Member(root, "ledger");
  Status status;
  status.state = Text(root, "state");
  status.source_state = Text(source, "state");
  status.protocol = Text(source, "protocol");
  status.destination_state = Text(destination, "state");
  status.destination_reason = Text(destination, "reason");
  if (const std::optional<double> next = Number(destination, "next_attempt_in_ms")) {
    status.next_attempt_ms = static_cast<std::int64_t>(*next);
  }
  status.p50_ms = Number(destination, "p50_ms");
  status.p95_ms = Number(destination, "p95_ms");
  status.retries = Count(destination, "retries");
  status.in_flight = Count(destination, "in_flight");
  status.queue_bytes = Count(Member(root, "queue"), "bytes");
  status.received = Count(ledger, "received");
  status.delivered = Count(ledger, "delivered");
  status.pending = Count(ledger, "pending");
  status.records_delivered = Count(ledger, "records_delivered");
  for (const char* name : {"rejected", "quarantined", "deduplicated", "expired", "dropped", "unrouted"}) {
    status.otherwise += Count(ledger, name);
  }
  status.ledger_balanced = status.received == status.delivered + status.pending + status.otherwise;
  return status;
}

}  // namespace packhorse::demo
