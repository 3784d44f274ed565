#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/fixed_point.h"
#include "record/outcome.h"

namespace packhorse::queue {

// The ledger as it is shown. Plain values.

// Streams of the daemon's own records, which no device sent, begin with this; a configuration cannot name one so. They
// are counted like any other, but apart: Ledger::Total() leaves them out.
inline constexpr std::string_view kOwnStreams = "gaps/";

// One row of the ledger, totals since the queue was made. Messages and records each fulfil the identity of P3,
// docs/PROMISES.md.
struct LedgerRow {
  std::string stream;
  std::string destination;
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t rejected = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t deduplicated = 0;
  std::uint64_t expired = 0;
  std::uint64_t dropped = 0;
  std::uint64_t skipped = 0;  // not for this destination's API
  std::uint64_t ignored = 0;  // nothing to upload
  std::uint64_t pending = 0;
  std::uint64_t records_delivered = 0;
  std::uint64_t records_rejected = 0;
  std::uint64_t replayed = 0;  // messages delivered again by a replay, besides
  std::uint64_t records_replayed = 0;
  std::vector<std::pair<std::string, std::uint64_t>> drop_reasons;
  std::vector<std::pair<std::string, std::uint64_t>> skip_reasons;  // "kind", "too_old", ...; empty: of an old release

  bool Balanced() const;
};

// Where a row counts the messages of each outcome, in the order in which people read them.
struct LedgerCounter {
  Outcome outcome;
  std::uint64_t LedgerRow::*messages;
};
inline constexpr std::array<LedgerCounter, 8> kLedgerCounters = {{{Outcome::kDelivered, &LedgerRow::delivered},
                                                                  {Outcome::kRejected, &LedgerRow::rejected},
                                                                  {Outcome::kQuarantined, &LedgerRow::quarantined},
                                                                  {Outcome::kDeduplicated, &LedgerRow::deduplicated},
                                                                  {Outcome::kExpired, &LedgerRow::expired},
                                                                  {Outcome::kDropped, &LedgerRow::dropped},
                                                                  {Outcome::kSkipped, &LedgerRow::skipped},
                                                                  {Outcome::kIgnored, &LedgerRow::ignored}}};

inline bool LedgerRow::Balanced() const {
  std::uint64_t ended = 0;
  for (const LedgerCounter& counter : kLedgerCounters) {
    ended += this->*counter.messages;
  }
  return received == ended + pending;
}

// Hours since the epoch, of server_received_at.
inline std::int32_t HourOf(WallTime time) {
  return static_cast<std::int32_t>(std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count());
}

// A stream in one hour of arrival.
struct StreamHour {
  std::string stream;
  std::int32_t hour = 0;
  auto operator<=>(const StreamHour&) const = default;
};

// What a destination has taken of it, in records.
struct DeliveredSum {
  std::uint64_t records = 0;  // whose value is in `sum` (FieldSum)
  FixedPoint sum = {};
  bool operator==(const DeliveredSum&) const = default;
};
struct DeliveredHour {
  StreamHour of;
  std::uint64_t records = 0;
  std::uint64_t hashed = 0;    // of these: in `id_hash`
  std::uint64_t id_hash = 0;   // the sum modulo 2^64 of what their ids hash to (IdHash)
  std::uint64_t replayed = 0;  // delivered again by a replay, besides
  std::uint64_t refused = 0;
  std::uint64_t set_aside = 0;                    // the destination may have some of these
  std::map<std::string, DeliveredSum> sums = {};  // by measurement, those that were added up
};

// From the first to the last of these hours counts may be missing: a start found that the last run had lost some.
struct ForgottenHours {
  std::int32_t first = 0;
  std::int32_t last = 0;
};

struct DeliveredHours {
  std::vector<DeliveredHour> hours;        // by stream, then hour; only where something was counted
  std::optional<std::int32_t> first_hour;  // of arrival, of anything that was ever counted for the destination
  std::vector<ForgottenHours> forgotten;
};

struct Ledger {
  std::vector<LedgerRow> rows;
  std::uint64_t unrouted = 0;
  bool Balanced() const;
  LedgerRow Total() const;
};

}  // namespace packhorse::queue
