#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace packhorse {

// How a message's story with one destination ended: exactly one of these per message and destination (P3,
// docs/PROMISES.md). Ordered from best to worst: a message takes the worst of its records.
enum class Outcome : std::uint8_t {
  kDelivered,     // the destination said so, explicitly
  kDeduplicated,  // the contract's dedupe key had been seen
  kExpired,       // older than max_age
  kDropped,       // given up for a stated reason (quota, retained repeat, ...)
  kQuarantined,   // could not be decoded; the raw bytes are kept
  kRejected,      // refused by the destination on its own merits; kept as dead letter
};
// Names of the ledger: "delivered", "deduplicated", "expired", "dropped", "quarantined", "rejected".
std::string_view Name(Outcome outcome);

// What a destination's reply means for one record.
enum class RecordVerdict : std::uint8_t {
  kDelivered,
  kRetry,     // again, later, by itself or with others
  kRejected,  // dead letter
};

}  // namespace packhorse
