#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

struct Ledger {
  std::vector<LedgerRow> rows;
  std::uint64_t unrouted = 0;
  bool Balanced() const;
  LedgerRow Total() const;
};

}  // namespace packhorse::queue
