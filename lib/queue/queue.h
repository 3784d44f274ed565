#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "queue/limit_report.h"
#include "queue/lookups.h"
#include "queue/options.h"
#include "queue/queue_ids.h"
#include "queue/start_report.h"
#include "queue/values.h"
#include "queue/where.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// The store-and-forward queue: durable intake, pending ranges per destination and lane, frozen batches, dead letters,
// quarantine and the ledger. FORMAT.md says what is on the disk and why a crash cannot break it. Payload bytes are
// opaque.
//
// Threads: Append() from the ingest thread; everything that says "loop" from the loop thread only; Stop() from any.
// One internal store thread owns the writing connection and groups whatever is waiting into one commit.

// Stats::full while the disk is: nothing is taken, what is queued goes out.
inline constexpr std::string_view kFullDisk = "disk";

struct Stats {
  std::string queue_id;
  std::uint64_t messages = 0;                    // stored and still needed
  std::uint64_t retained_messages = 0;           // stored besides, in segments that are only kept for replays
  std::uint64_t retained_bytes = 0;              // of those segments
  std::uint64_t released_messages = 0;           // since start: that made room before their time
  std::uint64_t bytes = 0;                       // pages of the database in use: what counts against Limits::max_bytes
  std::uint64_t most_waiting = 0;                // messages that wait for the destination for which most do
  std::map<std::string, std::uint64_t> pending;  // messages by destination, of those for which there are any
  std::string full;                              // the limit that is reached: "max_bytes", "max_records", or kFullDisk
  std::uint64_t payload_bytes_stored = 0;        // of the segments that are kept
  std::uint64_t segments = 0;
  WallTime oldest_at{};                    // received_at of the oldest message still needed; epoch when there is none
  std::uint64_t at_risk = 0;               // acknowledged messages that a power cut would cost right now
  std::chrono::nanoseconds at_risk_for{};  // since the oldest of them came
  std::uint64_t dead_letters = 0;
  std::uint64_t suspects = 0;  // records that are set aside
  std::uint64_t quarantined = 0;
  std::map<std::string, std::uint64_t> undecodable;  // of these, by stream: they wait for a definition
  std::uint64_t commits = 0;                         // since start, each with a sync
  std::uint64_t journal_bytes = 0;                   // in use
  std::string last_error;                            // of the store thread, empty when the last commit succeeded
  WallTime failing_since{};                          // epoch when not failing
  Replaced replaced;                                 // since start
  std::string damage;  // found in the database while it is open: a start anew salvages what is left
};

struct PendingStats {
  std::uint64_t messages = 0;         // not frozen yet
  std::uint64_t withheld = 0;         // besides: they wait for the clock, behind all the others
  std::uint64_t frozen_messages = 0;  // in batches that are not settled
  std::uint64_t set_aside = 0;        // of which a record is set aside, on its way again or not
};

// What this boot's clock means for the stamps of messages that came before it was right.
struct BootClock {
  enum class State : std::uint8_t {
    kAwaited,    // not right yet: such messages wait, until clock_wait is over
    kLearnt,     // they are corrected
    kAsStamped,  // there are none
  };
  State state = State::kAsStamped;
  bool withholds = false;              // messages of this boot may not go out now
  std::chrono::microseconds offset{};  // of kLearnt: by how much the clock was put right since the queue was opened
};

class Queue : public Lookups {
 public:
  // Makes `message` safe and returns its number: in mode strict after a synced commit, else once it is in the journal.
  // Blocks while it is not; fails only once Stop() was called, and must not be acknowledged then. 0: dropped, counted.
  Result<Sequence> Append(RawMessage message);
  // Likewise, into this lane where the stream has destinations in it (StreamOptions::moves_to_bulk), else into its own.
  virtual Result<Slot> AppendTo(std::optional<Lane> lane, RawMessage message) = 0;
  // Stores a message of the daemon's own without waiting; false when there is no number for it right now. Loop.
  virtual bool TryAppend(const RawMessage& message) = 0;
  // Counts a message of `stream` that ends on arrival, without storing it. Ingest thread. Not synced by itself.
  virtual void CountDropped(StreamId stream, std::string_view reason) = 0;
  // Stores `message` in quarantine straight away and counts it so: it is over a limit that decoding could not heal.
  virtual Status Quarantine(RawMessage message, std::string_view reason, std::string_view detail) = 0;
  // Counts a message that no stream wants. Ingest thread.
  virtual void CountUnrouted() = 0;

  // Number of a configured stream. Any thread, after Open.
  virtual Result<StreamId> Stream(std::string_view name) const = 0;
  virtual std::string StreamName(StreamId id) const = 0;
  virtual const QueueIds& ids() const = 0;
  const std::string& id() const { return ids().current(); }
  virtual const StartReport& start() const = 0;

  // --- loop ---
  // The next pending messages of a destination's lane, oldest first, at most `max_messages` and about `max_bytes` of
  // payload, at least one if there is one. Does not move anything. Stamps are as they go out; messages whose stamp is
  // still open are withheld (BootClock).
  virtual Result<Pending> Peek(const std::string& destination, LanePart of, std::size_t max_messages,
                               std::uint64_t max_bytes) = 0;
  // Likewise the newest ones, for a probe; at least one if there is one, fewer than asked for where they lie apart.
  // Freeze() may begin there, within the range. Nothing where the lane has kMaxRanges ranges: each probe leaves one.
  virtual Result<Pending> PeekNewest(const std::string& destination, LanePart of, std::size_t max_messages,
                                     std::uint64_t max_bytes) = 0;
  static constexpr std::size_t kMaxRanges = 64;
  // What of a destination's lane is pending and not frozen; cheap.
  virtual PendingStats Waiting(const std::string& destination, LanePart of) = 0;
  // Wakes the loop once that many messages wait, and not before; without it each first one does.
  virtual void WakeAt(const std::string& destination, LanePart of, std::uint64_t messages) = 0;
  // Cuts what waits behind the last cut when the oldest of it came at least `age` ago: all of it is backlog then, and
  // what comes is live. At most kMaxBacklogs cuts stand at a time; with as many it does nothing. Whether it cut.
  virtual bool Split(const std::string& destination, Lane lane, std::chrono::milliseconds age) = 0;
  static constexpr std::size_t kMaxBacklogs = 8;
  // received_at of the oldest message that a destination has not settled; epoch when there is none.
  virtual WallTime OldestPending(const std::string& destination) = 0;
  // One stored message, for a split or for showing. kNotFound once its segment is gone.
  virtual Result<StoredMessage> Read(Lane lane, Sequence sequence) = 0;
  // Moves the range at once; `done` runs in Poll() with the ids of the batches, in order, as soon as no crash can undo
  // it. A batch must not be sent before that.
  virtual void Freeze(FreezeRequest request, std::function<void(Result<std::vector<BatchId>>)> done) = 0;
  // The ids of the successors, in order.
  virtual void Settle(Settlement settlement, std::function<void(Result<std::vector<BatchId>>)> done) = 0;
  // The highest number that was taken into a batch for the destination in this lane, or given up before that; cheap.
  // What is frozen with a number up to it is sent behind a later one.
  virtual Sequence HighestTaken(const std::string& destination, Lane lane) = 0;
  // Frozen batches of a destination in the order in which they must be sent. After a restart they carry maybe_sent.
  virtual Result<std::vector<FrozenBatch>> FrozenBatches(const std::string& destination) = 0;
  // Brings everything so far into the database without waiting until a fold is due; `done` runs in Poll() when that is
  // so, with an error only when the queue stops before.
  virtual void Fold(std::function<void(const Status&)> done) = 0;
  // The last number that each lane has given: urgent, normal, bulk.
  using LastNumbers = std::array<Sequence, 3>;
  virtual LastNumbers Last() = 0;
  // Whether nothing up to these numbers waits for this destination any more, in a batch or not.
  virtual bool SettledThrough(const std::string& destination, const LastNumbers& last) = 0;
  // Runs the completions that wait.
  virtual void Poll() = 0;
  virtual BootClock ClockOfBoot() const = 0;
  // The boot's clock is right for the first time: what waits for it is corrected by what it shows now, as soon as that
  // is on the disk. kInvalidArgument when it is not right, or was before.
  virtual Status LearnClock() = 0;

  // Takes dead letters back into delivery: they leave the dead letters and become `batch` (replayed, rendered by the
  // caller from these letters, all of one destination and lane) in one transaction; the ledger moves their messages
  // from rejected to pending.
  virtual void ReplayDead(std::vector<std::int64_t> ids, std::unique_ptr<FrozenBatch> batch,
                          std::function<void(Result<BatchId>)> done) = 0;
  // A suspect goes on its way again as `batch`, rendered by the caller from it alone, or, where it has one, as the
  // batch that was kept (null), byte for byte. It stays a suspect until that batch settles: then it goes, becomes a
  // dead letter, or is set aside again. kNotFound: none has this id, or it is on its way already.
  virtual void RetrySuspect(std::int64_t id, std::unique_ptr<FrozenBatch> batch,
                            std::function<void(Result<BatchId>)> done) = 0;
  // Gives it up on request: it ends as rejected and is not kept as a dead letter. kNotFound as above.
  virtual void DropSuspect(std::int64_t id, std::function<void(const Status&)> done) = 0;
  // Begins to send messages of a stream with retain_delivered again: all of that time that are stored, except what is
  // pending, refused or quarantined. `done` gets it once no crash can lose it. kInvalidArgument and kNotFound say why
  // it makes no sense, kLimitExceeded that kMaxReplays run already.
  virtual void StartReplay(const ReplayRequest& request, std::function<void(Result<Replay>)> done) = 0;
  static constexpr std::size_t kMaxReplays = 16;
  // What is frozen already still goes. kNotFound when no such replay runs.
  virtual void CancelReplay(ReplayId id, std::function<void(Result<Replay>)> done) = 0;
  // The newest kMaxReplays, oldest first.
  virtual std::vector<Replay> Replays() = 0;
  // The replay from which the destination takes the next messages, and its rate; cheap.
  struct ReplayTurn {
    ReplayId id = 0;
    std::uint32_t rate = 0;
  };
  virtual std::optional<ReplayTurn> NextReplay(const std::string& destination) = 0;
  // As Peek(), of a bounded piece of what is stored: a part without messages only moves on. Freeze() takes it.
  virtual Result<ReplayPart> PeekReplay(ReplayId id, std::size_t max_messages, std::uint64_t max_bytes) = 0;
  // Takes messages out of a destination's quarantine: those in batches, and those resolved as dropped. All or nothing.
  virtual void RetryQuarantined(FreezeRequest request, std::function<void(Result<std::vector<BatchId>>)> done) = 0;
  virtual Result<Ledger> ReadLedger() = 0;
  // Recounts pending from the stored messages and compares with the counters, and all that Check (check.h) looks at
  // beside: the full check of P3. One line per gap, at most 100. Reads every stored message before it answers.
  virtual Result<std::vector<std::string>> VerifyLedger() = 0;

  // Damage that a check has found: noted, as if it had been met while reading, for the next start to salvage.
  virtual void NoteDamage(const std::string& because) = 0;

  // How the messages of each stream are decoded now, and before: by stream, the one in use last first.
  virtual Result<std::vector<KeptDefinition>> Definitions() = 0;

  // Streams and destinations of a new configuration. Streams keep their ids; a new destination starts where it says,
  // and what it catches up with counts as received for it; one that is gone keeps its backlog until it is configured
  // again (its messages stay pending and visible). All of it or nothing. Blocks, and holds arrivals up: for a fold, and
  // while what is stored is counted for a destination that catches up, as far as CountAhead() has not done that.
  virtual Status Reconfigure(std::vector<StreamOptions> streams, std::vector<DestinationOptions> destinations) = 0;
  enum class Ahead : std::uint8_t { kWaits, kMore, kDone };
  // Does that counting beforehand, in pieces: each call about `bytes` of what is stored, and nobody else waits for it.
  // kWaits: a fold has to end first. kDone: there is nothing to count now; what is stored from now on is counted by the
  // next call. From the first call to the end of Reconfigure() or to ForgetCount(), no stored message goes, and what
  // max_bytes would drop waits for that. kUnavailable: the disk refuses. The count is forgotten with any error.
  virtual Result<Ahead> CountAhead(const std::vector<StreamOptions>& streams,
                                   const std::vector<DestinationOptions>& destinations, std::uint64_t bytes) = 0;
  virtual void ForgetCount() = 0;

  // Replaces Options::limits.
  virtual void SetLimits(const Limits& limits) = 0;
  // Gives up what is older than max_age and, over the other limits, what the overflow policies say; over max_bytes what
  // is only kept for replays goes first. To be called about once a second: each call does a bounded piece of work (64
  // segments or 50 ms), and up to that the queue may be over its limits for a moment. Messages in frozen batches stay.
  // What is older than max_age, as measured (age.h), is told for a while before it goes (expiry.h).
  virtual LimitReport EnforceLimits(MonoTime now) = 0;

  virtual Stats Snapshot() = 0;

  // Lets waiting Append() calls fail and ends the store thread after a last commit. Idempotent. Any thread.
  virtual void Stop() = 0;
};

inline Result<Sequence> Queue::Append(RawMessage message) {
  const Result<Slot> slot = AppendTo(std::nullopt, std::move(message));
  return slot ? Result<Sequence>(slot->sequence) : Result<Sequence>(slot.error());
}

// Opens or makes the queue. kBusy when another process holds it (the message names its pid); kUnsupported when its
// format major is newer than ours; kCorrupt when the database is damaged.
Result<std::unique_ptr<Queue>> Open(Options options, const Clock& clock);

}  // namespace packhorse::queue
