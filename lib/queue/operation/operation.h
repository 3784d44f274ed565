#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "queue/clock/clock_op.h"
#include "queue/ledger/ledger.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// Everything that ever happens to a queue, as values: what the journal holds, entry by entry, and what the queue state
// applies. An operation carries all that applying it needs (numbers, times, raw bytes), so that applying cannot fail
// and gives the same result when it is read back after a crash. FORMAT.md has the bytes.

using BatchPtr = std::shared_ptr<const PreparedBatch>;

// A message arrived: into the lane, or straight into quarantine when `reason` is not empty.
struct ArrivalOp {
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  RawMessage message;
  std::string reason;
  std::string detail;
};

// Counts without a message: unrouted, dropped on arrival.
struct CountOp {
  LedgerChanges changes;
};

// A message that ends without an upload; `message` is its stored form (EncodeMessage) when it goes into quarantine.
struct Ending {
  Sequence sequence = 0;
  StreamId stream = 0;
  std::int32_t received_hour = 0;
  Outcome outcome = Outcome::kQuarantined;
  std::string reason;
  std::string detail;
  std::string message;
};

// [start of the range, through] leaves a pending range: into batches, or it ends.
struct PrepareOp {
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  std::int64_t range = 0;
  Sequence through = 0;
  std::uint64_t messages = 0;  // that leave
  std::vector<Ending> endings;
  std::vector<BatchPtr> batches;  // with their ids
  WallTime at{};
};

// A record that goes to the dead letters, with its raw message in stored form.
struct NewDeadLetter {
  DeadRecord record;
  StreamId stream = 0;
  std::uint32_t total_records = 1;
  std::string message;
};

// A record that is set aside, likewise.
struct NewSuspect {
  SetAsideRecord what;
  StreamId stream = 0;
  std::uint32_t total_records = 1;
  std::int32_t received_hour = 0;
  std::string message;
};

struct SettleOp {
  BatchId batch = 0;
  std::vector<NewDeadLetter> dead_letters;
  std::vector<BatchPtr> successors;
  int http_status = 0;
  std::string provider_request_id;
  std::uint32_t attempts = 0;
  bool possible_duplicate = false;
  WallTime at{};
  std::vector<NewSuspect> new_suspects;
  std::vector<SkippedRecord> skipped;
  std::vector<IdHash> id_hashes;
  std::vector<FieldSum> sums;
};

// Of a dead letter or of a suspect.
struct DeadKey {
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  DestinationId destination = 0;
  std::uint32_t record = 0;
  auto operator<=>(const DeadKey&) const = default;
};

// Dead letters go on their way again as `batch`.
struct RedriveOp {
  struct Message {
    Sequence sequence = 0;
    Outcome worst = Outcome::kDelivered;  // of the records that stay dead
  };
  DestinationId destination = 0;
  std::vector<DeadKey> letters;
  std::vector<Message> messages;
  BatchPtr batch;
};

// A range of a lane is cut: a new one begins at `at`. Where the open range is cut behind all that has arrived, that is
// the backlog.
struct SplitOp {
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  Sequence at = 0;
  std::int64_t range = 0;   // id of the new one
  std::int64_t cut = 0;     // id of the one that is cut; 0: the open one
  std::uint64_t moved = 0;  // messages that wait in the new one
};

// [start of the range, through] is given up: expired or over the quota.
struct GiveUpOp {
  struct Count {
    StreamId stream = 0;
    std::int32_t received_hour = 0;
    std::uint64_t messages = 0;
  };
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  std::int64_t range = 0;
  Sequence through = 0;
  Outcome outcome = Outcome::kDropped;
  std::string reason;
  std::vector<Count> counts;
  WallTime at{};  // epoch: written by a release that did not note it
};

// A replay of what was delivered begins, or ends before its time: as it is to be. Without the names of `what`.
struct ReplayStateOp {
  Replay replay;
};

// Messages of the replay up to `through` go into batches, or are skipped.
struct ReplayPrepareOp {
  ReplayId replay = 0;
  Lane lane = Lane::kNormal;
  Sequence through = 0;
  std::uint64_t messages = 0;
  std::uint64_t skipped = 0;
  std::vector<BatchPtr> batches;  // with their ids
  WallTime at{};
};

// A suspect goes on its way again as `batch`.
struct SuspectRetryOp {
  DeadKey suspect;
  BatchPtr batch;
};

// A suspect ends without being sent again: as a dead letter or, without a burial, as nothing.
struct SuspectEndOp {
  DeadKey suspect;
  Outcome outcome = Outcome::kRejected;  // or kDropped, for room
  std::optional<NewDeadLetter> dead_letter;
  WallTime at{};
  // For the log of settled batches: of the batch in which it was refused last.
  std::string batch_key;
  int http_status = 0;
  std::string provider_request_id;
  std::uint32_t attempts = 0;
};

// Messages leave the quarantine of a destination: into batches, or they end after all.
struct QuarantineRetryOp {
  struct Message {
    Sequence sequence = 0;
    StreamId stream = 0;
    std::int32_t received_hour = 0;
    std::string reason;      // why it was in quarantine
    bool ends = false;       // else it is in a batch
    std::string end_reason;  // of one that ends
    Outcome end = Outcome::kDropped;
  };
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  std::vector<Message> messages;
  std::vector<BatchPtr> batches;  // with their ids
};

// A dead letter is let go on request: its message has ended as rejected before.
struct LetterEndOp {
  DeadKey letter;
};

using Operation =
    std::variant<ArrivalOp, CountOp, PrepareOp, SettleOp, RedriveOp, SplitOp, GiveUpOp, ClockOp, ReplayStateOp,
                 ReplayPrepareOp, SuspectRetryOp, SuspectEndOp, QuarantineRetryOp, LetterEndOp>;

std::string EncodeOperation(const Operation& operation);
// The same bytes as EncodeOperation(ArrivalOp{...}), without a copy of the message: the way of every message.
void EncodeArrival(std::string& out, Lane lane, Sequence sequence, const RawMessage& message, std::string_view reason,
                   std::string_view detail);
// A batch as the journal has it: also how a suspect keeps one.
std::string EncodeBatch(const PreparedBatch& batch);
Result<BatchPtr> DecodeBatch(std::string_view bytes);
// kCorrupt when the bytes contradict their format.
Result<Operation> DecodeOperation(std::string_view bytes);

}  // namespace packhorse::queue
