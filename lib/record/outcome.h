#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace packhorse {

// How a message's story with one destination ended: exactly one of these per message and destination (P3,
// docs/PROMISES.md). The numbers are part of the queue's format.
enum class Outcome : std::uint8_t {
  kDelivered,     // the destination said so, explicitly
  kDeduplicated,  // the contract's dedupe key had been seen
  kExpired,       // older than max_age
  kDropped,       // given up for a stated reason (quota, retained repeat, ...)
  kQuarantined,   // could not be decoded; the raw bytes are kept
  kRejected,      // refused by the destination on its own merits; kept as dead letter
  kSkipped,       // the destination's API does not take what it carries
  kIgnored,       // its device contract says that it carries nothing to upload
};
inline constexpr Outcome kLastOutcome = Outcome::kIgnored;
// Names of the ledger: "delivered", "deduplicated", "expired", "dropped", "quarantined", "rejected", "skipped",
// "ignored".
std::string_view Name(Outcome outcome);

// What a message with records of both outcomes ends as: the worse of them. What is skipped or ignored counts least: a
// message is skipped when nothing of it was for the destination.
constexpr Outcome WorseOf(Outcome a, Outcome b) {
  const auto rank = [](Outcome outcome) {
    const int number = static_cast<int>(outcome);
    return outcome == Outcome::kSkipped || outcome == Outcome::kIgnored ? -number : number;
  };
  return rank(a) < rank(b) ? b : a;
}

// What a destination's reply means for one record.
enum class RecordVerdict : std::uint8_t {
  kDelivered,
  kRetry,     // again, later, by itself or with others
  kRejected,  // dead letter
};

}  // namespace packhorse
