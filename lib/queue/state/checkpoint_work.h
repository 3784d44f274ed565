#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "queue/clock/clock_epochs.h"
#include "queue/journal/journal.h"
#include "queue/ledger/ledger.h"
#include "queue/operation/operation.h"
#include "queue/segment/segment.h"
#include "queue/segment/trim.h"
#include "queue/values/given_up.h"

namespace packhorse::queue {

// What is to be written into the database in one transaction: the sum of all operations since the last checkpoint.
// Plain values.

struct RangeRow {
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  Sequence from = 1;
  std::optional<Sequence> through;  // none: open end
  std::uint64_t waiting = 0;        // messages in it that the destination is to get
  bool gone = false;
};

// A destination gets the stream's messages of [from, through] in that lane; no `through`: open end.
struct Subscription {
  DestinationId destination = 0;
  StreamId stream = 0;
  Lane lane = Lane::kNormal;
  Sequence from = 1;
  std::optional<Sequence> through;

  // Of a message in this lane.
  bool Holds(StreamId other, Sequence sequence) const {
    return other == stream && sequence >= from && (!through || sequence <= *through);
  }
};

struct BatchRow {
  DestinationId destination = 0;
  BatchPtr batch;  // null: settled, the row goes
};

struct PartialKey {
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  auto operator<=>(const PartialKey&) const = default;
};
// A message of which some records are settled; 0 of them: the row goes.
struct Partial {
  std::uint32_t settled = 0;
  Outcome worst = Outcome::kIgnored;  // of what is settled: nothing yet
};

struct DeadRow {
  enum class State : std::uint8_t { kDead, kReplaying, kGone };
  State state = State::kDead;
  NewDeadLetter dead_letter;  // of kDead only
  std::string batch_key;
  WallTime died_at{};
  std::int64_t id = 0;  // unless the letter has one already
};

struct SuspectContent {
  std::int64_t id = 0;
  NewSuspect new_suspect;
  std::string batch_key;  // of the batch in which it was refused last
  WallTime at{};
  BatchPtr kept;  // with Suspicion of an unknown outcome; null: none
};
struct SuspectRow {
  bool gone = false;
  bool retrying = false;
  std::shared_ptr<const SuspectContent> content;  // null: as the database has it
};

struct QuarantineRow {
  StreamId stream = 0;
  WallTime at{};
  std::string reason;
  std::string detail;
  std::string message;  // stored form
};

// A message that is in quarantine for a destination, on its way to it again, or neither any more.
struct QuarantinedFor {
  enum class State : std::uint8_t { kHeld, kRetrying, kGone };
  State state = State::kHeld;
  std::string reason;  // of kHeld
};

struct SettledRow {
  DestinationId destination = 0;
  Lane lane = Lane::kNormal;
  std::string idempotency_key;
  std::string trace_id;
  Sequence first = 0;
  Sequence last = 0;
  std::uint64_t messages = 0;
  std::uint64_t records = 0;
  std::uint64_t dead = 0;
  WallTime at{};
  int http_status = 0;
  std::string provider_request_id;
  std::uint32_t attempts = 0;
  bool possible_duplicate = false;
  ReplayId replay = 0;
};

// Rows that changed since the last checkpoint, as they are now.
struct Changes {
  LedgerChanges ledger;                 // differences
  std::map<SumKey, DeliveredSum> sums;  // likewise
  std::map<std::int64_t, RangeRow> ranges;
  std::map<BatchId, BatchRow> batches;
  std::map<PartialKey, Partial> partials;
  std::map<DeadKey, DeadRow> dead;
  std::map<DeadKey, SuspectRow> suspects;
  std::map<std::pair<Lane, Sequence>, QuarantineRow> quarantine;
  std::map<PartialKey, QuarantinedFor> quarantined_for;
  std::vector<SettledRow> settled;
  std::map<std::pair<DestinationId, Lane>, std::vector<GivenUpRange>> given_up;  // ascending in time
  std::map<ReplayId, std::optional<Replay>> replays;                             // none: the row goes
  ClockEpochChanges boots;
  // Dead letters, suspects and quarantine hold bytes that are nowhere else: written within the window.
  std::optional<MonoTime> kept_since;

  bool empty() const {
    return ledger.empty() && sums.empty() && ranges.empty() && batches.empty() && partials.empty() && dead.empty() &&
           suspects.empty() && quarantine.empty() && quarantined_for.empty() && settled.empty() && given_up.empty() &&
           replays.empty() && boots.empty();
  }
};

struct Numbers {
  Sequence next = 1;
};

struct CheckpointWork {
  struct PerLane {
    Numbers numbers;
    std::vector<RamSegmentPtr> segments;  // not stored yet, and needed by somebody
  };
  LogPosition through = 0;
  std::uint64_t pending = 0;  // messages then, as QueueState::pending()
  std::shared_ptr<const Changes> changes;
  std::array<PerLane, kLanes> lanes;
  TrimWork trim;
  Retention retention;  // how long messages of which streams stay although nobody needs them
  // These subscriptions and the changed ranges, which are all there are, take the place of those of the database.
  std::optional<std::vector<Subscription>> configuration;
  bool clean = false;    // the last one of an orderly end
  bool bounded = false;  // also trims tables that only grow
};

// What a checkpoint did beside writing `changes`.
struct CheckpointResult {
  TrimResult trim;
  std::int64_t dead_removed = 0;
  std::int64_t quarantine_removed = 0;
  bool changed = false;   // something else went in with it: the `change` of CheckpointWriter::Write()
  LedgerChanges counted;  // by that
};

}  // namespace packhorse::queue
