#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "queue/values/ledger.h"
#include "queue/values/values.h"
#include "record/outcome.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// How the ledger counts (FORMAT.md). Plain values.

inline constexpr int kLedgerReceived = 0;
inline constexpr int kLedgerPending = 1;   // hour 0, the reason is the lane's letter
inline constexpr int kLedgerUnrouted = 2;  // stream and destination 0
inline constexpr int kLedgerReplayed = 3;  // delivered again: outside the identity
inline constexpr int LedgerCode(Outcome outcome) { return 10 + static_cast<int>(outcome); }

struct LedgerKey {
  std::int32_t hour;
  StreamId stream;
  DestinationId destination;
  int outcome;
  std::string reason;
  auto operator<=>(const LedgerKey&) const = default;
};
struct LedgerCount {
  std::int64_t messages = 0;
  std::int64_t records = 0;
  // Of these records, how many are in `id_hash`, the sum modulo 2^64 of what their ids hash to (IdHash).
  std::int64_t hashed = 0;
  std::uint64_t id_hash = 0;
};
using LedgerChanges = std::map<LedgerKey, LedgerCount>;

// A sum of a measurement of delivered records.
struct SumKey {
  DestinationId destination;
  std::int32_t hour;
  StreamId stream;
  std::string name;
  auto operator<=>(const SumKey&) const = default;
};
// Adds what was delivered to a sum. Without room for it the sum stays as it is, and its records say so.
inline void AddDelivered(DeliveredSum& to, const DeliveredSum& more) {
  if (to.sum.Add(more.sum)) {
    to.records += more.records;
  }
}

}  // namespace packhorse::queue
