#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace packhorse::demo {

// What `packhorse status --json` says, as far as the demonstration shows it.
struct Status {
  std::string state;  // ok, degraded, down
  std::string source_state;
  std::string protocol;
  std::string destination_state;
  std::string destination_reason;
  std::optional<std::int64_t> next_attempt_ms;
  std::optional<double> p50_ms;
  std::optional<double> p95_ms;
  std::uint64_t retries = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t queue_bytes = 0;
  // The ledger, in messages.
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t pending = 0;
  std::uint64_t records_delivered = 0;
  std::uint64_t otherwise = 0;  // rejected, quarantined, deduplicated, expired, dropped or unrouted
  bool ledger_balanced = false;
};

// None when the text is not a status.
std::optional<Status> ParseStatus(const std::string& text);

}  // namespace packhorse::demo
