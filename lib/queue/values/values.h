#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "queue/values/delivered.h"
#include "queue/values/suspect.h"
#include "record/outcome.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// What goes into the queue and comes out of it. Plain values.

inline constexpr std::size_t At(Lane lane) { return static_cast<std::size_t>(lane); }

// Which of the messages that wait for a destination in a lane: all of them or, once Queue::Split() has cut them, those
// behind the cut (live) or before it (backlog).
enum class Part : std::uint8_t { kAll, kLive, kBacklog };
struct LanePart {
  // NOLINTNEXTLINE(google-explicit-constructor): a lane alone means all of it.
  constexpr LanePart(Lane of, Part which = Part::kAll) : lane(of), part(which) {}
  Lane lane;
  Part part;
};

// Where a message stands in the queue.
struct Slot {
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
};

struct StoredMessage {
  Sequence sequence = 0;
  RawMessage message;
};

// The part of one message that a batch carries: records [first_record, first_record + records) of `total_records`.
struct Member {
  Sequence sequence = 0;
  StreamId stream = 0;
  std::uint32_t first_record = 0;
  std::uint32_t records = 1;
  std::uint32_t total_records = 1;
  std::int32_t received_hour = 0;  // server_received_at in hours since the epoch: the ledger's hour
};

using DestinationId = std::int64_t;
using BatchId = std::int64_t;   // of replays: negative
using ReplayId = std::int64_t;  // from 1

// A batch is prepared before its first attempt and never changes: every attempt sends these bytes under this key, also
// after a restart. A split or a remainder is a new batch with a new key.
struct PreparedBatch {
  BatchId id = 0;  // given by the queue
  std::string destination;
  Lane lane = Lane::kNormal;
  std::string idempotency_key;
  std::string trace_id;  // 32 hex digits, W3C Trace Context
  std::string contract;  // cloud contract, name@major.minor
  std::string content_type;
  std::string content_encoding;  // empty: identity
  std::string path;              // request path below the base URL
  std::string body;              // as sent
  std::uint64_t uncompressed_bytes = 0;
  std::uint32_t records = 0;
  std::vector<Member> members;  // ascending
  bool replayed = false;        // made of dead letters
  bool suspect = false;         // made of a record that was set aside
  ReplayId replay = 0;          // of this replay, outside the ledger's identity; 0: of none
  bool maybe_sent = false;      // taken up again after a restart: an earlier attempt may have succeeded
  WallTime created_at{};        // of a part or remainder of another batch: when that one was made
  WallTime oldest_at{};         // received_at of its oldest message
  // What its cloud contract made of it, for whoever cuts it again: see contract/cloud_contract.h.
  std::string part;                  // of a contract that makes one request per part
  std::vector<std::uint32_t> items;  // of each record; empty: one each
  std::uint64_t items_begin = 0;     // in the body before its coding; both 0: not noted
  std::uint64_t items_end = 0;
  std::vector<std::uint32_t> order;  // at each place of the body, which record of the members; empty: as they come
  // When its oldest record had no age yet, on the clock of Clock::Boot(): perhaps before 0. None: not known.
  std::optional<std::chrono::nanoseconds> born;

  // What the API counts.
  std::uint64_t item_count() const {
    return items.empty() ? records : std::accumulate(items.begin(), items.end(), std::uint64_t{0});
  }
  // Its records end without an upload: it only waits for the settlement that says how.
  bool unsent() const { return body.empty(); }
  // Sent again on request, hence flagged.
  bool again() const { return replayed || replay != 0; }
};

// A message that ends without an upload to this destination.
struct Resolution {
  Sequence sequence = 0;
  Outcome outcome = Outcome::kQuarantined;  // kQuarantined, kDropped, kDeduplicated, kSkipped or kIgnored
  std::string reason;                       // short and stable, becomes the ledger's reason
  std::string detail;                       // for people
  std::optional<RawMessage> message;        // where the caller has it at hand; else the queue reads it
};

// Takes [from, through] out of a destination's pending range: every message in it is in the batch or resolved, or
// belongs to a stream that this destination does not receive.
struct PrepareRequest {
  std::string destination;
  Lane lane = Lane::kNormal;
  Sequence from = 0;     // as Peek() gave it
  Sequence through = 0;  // last sequence covered
  std::vector<Resolution> resolutions;
  // Empty when every message of the range was resolved; several when one message has more records than a batch may
  // hold.
  std::vector<std::unique_ptr<PreparedBatch>> batches;
  // Of a replay: which, and how many messages up to `through` are not to be sent. What is resolved counts with those.
  ReplayId replay = 0;
  std::uint64_t skipped = 0;
};

// A record that the destination refused on its own merits.
struct DeadRecord {
  Sequence sequence = 0;
  std::uint32_t record = 0;  // index within its message
  std::string reason;        // short and stable: "rejected", "too_large"
  std::string detail;        // the provider's words, bounded by the caller
  std::string provider_request_id;
  int http_status = 0;
};

// A record of a batch that ends as skipped.
struct SkippedRecord {
  Sequence sequence = 0;
  std::uint32_t record = 0;  // index within its message
  std::string reason = {};   // short and stable, becomes the ledger's reason
};

// What became of a prepared batch. Every record of it is delivered, dead, set aside, skipped, or in exactly one
// successor.
struct Settlement {
  BatchId batch = 0;
  std::vector<DeadRecord> dead;
  std::vector<SetAsideRecord> set_aside;
  std::vector<SkippedRecord> skipped;
  std::vector<IdHash> id_hashes;                           // of what is delivered; empty: not asked for
  std::vector<FieldSum> sums;                              // likewise
  std::vector<std::unique_ptr<PreparedBatch>> successors;  // prepared with it; they go first
  // For the log of settled batches.
  int http_status = 0;
  std::string provider_request_id;
  std::uint32_t attempts = 0;
  bool possible_duplicate = false;  // an attempt ended without a known outcome before this one
};

struct Pending {
  Sequence from = 0;                    // where the range starts
  std::vector<StoredMessage> messages;  // ascending, only streams of this destination
  Sequence through = 0;                 // last sequence looked at; >= the last message's
};

// What of a stream is to be sent to a destination again.
struct ReplayRequest {
  std::string stream;
  std::string destination;
  WallTime from{};           // of server_received_at, included
  WallTime to{};             // not included
  std::uint32_t rate = 100;  // messages a second, at most
};

// At a time; of those that have ended the newest stay.
inline constexpr std::size_t kMaxReplays = 16;

// A replay and how far it is. Its batches lie outside the ledger's identity: no message ends a second time.
struct Replay {
  enum class State : std::uint8_t { kRunning, kDone, kCancelled };
  ReplayId id = 0;
  ReplayRequest what;
  StreamId stream = 0;
  std::int64_t destination = 0;
  State state = State::kRunning;
  WallTime asked_at{};
  WallTime ended_at{};     // epoch while it runs
  WallTime stored_from{};  // received_at of the oldest message that there was; known only to who has just asked for it
  // It looks at the lanes one after the other, at what each held when it was asked for.
  Lane lane = Lane::kUrgent;
  Sequence next = 1;
  std::array<Sequence, kLanes> first{1, 1, 1};
  std::array<Sequence, kLanes> through{};
  std::uint64_t messages = 0;   // in batches so far
  std::uint64_t skipped = 0;    // pending, refused or undecodable: not sent again
  std::uint64_t records = 0;    // in batches so far
  std::uint64_t delivered = 0;  // of these records
  std::uint64_t refused = 0;    // by the destination

  bool looked_through() const { return lane == Lane::kBulk && next > through.back(); }
  double progress() const;  // 0 to 1: of the numbers to look at
};
// Stable lower-case name: "running".
std::string_view Name(Replay::State state);

// The next messages of a replay, at least none.
struct ReplayPart {
  Lane lane = Lane::kNormal;
  Pending pending;
  std::vector<Sequence> skipped;  // ascending: of that time, but not to be sent
};

struct DeadLetter {
  std::int64_t id = 0;
  std::string destination;
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  std::uint32_t record = 0;
  std::uint32_t total_records = 1;
  std::string record_id;
  std::string stream;
  WallTime died_at{};
  std::string reason;
  std::string detail;
  std::string provider_request_id;
  int http_status = 0;
  std::string batch_key;  // idempotency key of the batch in which it was refused
  RawMessage message;
  bool mended = false;  // by whoever sends it again: its payload is not the stored one
};

struct QuarantinedMessage {
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  std::string stream;
  WallTime at{};
  std::string reason;
  std::string detail;
  RawMessage message;
  bool retrying = false;  // on its way again
};

}  // namespace packhorse::queue
