#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "queue/values/given_up.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// What became of one message, as far as the queue still knows. Plain values.

// A prepared batch that carries it.
struct CarryingBatch {
  std::string idempotency_key;
  std::string trace_id;
  WallTime prepared_at{};
  std::uint32_t records = 0;
  bool replayed = false;  // made of dead letters
};

// A row of the log of settled batches. It names the range of the batch's messages, not each of them.
struct SettledBatch {
  std::string idempotency_key;
  std::string trace_id;
  Sequence first = 0;
  Sequence last = 0;
  std::uint64_t messages = 0;
  std::uint64_t records = 0;
  std::uint64_t dead = 0;  // of the records
  WallTime at{};
  int http_status = 0;
  std::string provider_request_id;
  std::uint32_t attempts = 0;
  bool possible_duplicate = false;
  std::int64_t replay = 0;  // of this one; 0: of none
  // The batch carried every number of its range, hence also the one that was asked for.
  bool whole() const { return messages == last - first + 1; }
};

enum class PlaceState : std::uint8_t {
  kWaiting,      // not in a batch yet
  kInBatch,      // in a batch that is being sent, or will be
  kSetAside,     // refused or failed so far, and tried again now and then: see `set_aside`
  kRejected,     // refused: see `dead`, unless the letter is no longer kept
  kQuarantined,  // could not be decoded
  kDelivered,
  kExpired,  // given up: see `given_up`
  kDropped,  // likewise
  kEnded,    // ended somehow; how is no longer known
};
// Stable lower-case name: "in_batch".
std::string_view Name(PlaceState state);

// One destination of the message.
struct Place {
  std::string destination;
  PlaceState state = PlaceState::kEnded;
  // False: concluded from a batch, or something given up, whose range holds the number, but not every number of it.
  bool certain = true;
  std::vector<CarryingBatch> batches;
  std::vector<DeadLetter> dead;
  std::vector<Suspect> set_aside;
  std::vector<SettledBatch> settled;   // newest first, at most 10
  std::vector<SettledBatch> replayed;  // likewise, of replays: they decide nothing
  std::optional<GivenUpRange> given_up;
};

struct MessageTrace {
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  Sequence last = 0;   // that was given in this lane
  bool given = false;  // the number was given to a message, or skipped after a power cut
  // Of the message while its bytes are kept; else empty.
  std::string stream;
  std::string topic;
  WallTime received_at{};
  std::vector<QuarantinedMessage> quarantined;  // at most one
  std::vector<Place> places;                    // by name; empty when nothing is known any more
  // How far back the log of settled batches goes.
  std::uint64_t logged_batches = 0;
  WallTime logged_since{};  // epoch when it is empty
};

}  // namespace packhorse::queue
