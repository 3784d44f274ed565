#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/ledger/ledger.h"
#include "queue/operation/operation.h"
#include "queue/state/checkpoint_work.h"
#include "queue/state/counter_cache.h"
#include "queue/state/pending_ranges.h"
#include "queue/state/replays.h"
#include "queue/state/retained.h"
#include "queue/state/suspects.h"
#include "queue/values/ledger.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// The present state of the queue, as far as it is known without reading the disk: names, pending ranges, unsettled
// batches, ledger totals, the newest messages, and what of it the database does not have yet. Operations change it at
// once (apply.cpp) and cannot fail. Size: bounded by configuration, in-flight limits, the journal and
// `cache_bytes`, never by the backlog. Not thread-safe: its owner holds a lock.
class QueueState {
 public:
  explicit QueueState(std::uint64_t cache_bytes) : cache_bytes_(cache_bytes), changes_(std::make_shared<Changes>()) {}

  using Unsettled = BatchRow;

  // --- filled when opening ---
  void AddStream(StreamId id, std::string name);
  void AddDestination(DestinationId id, std::string name);
  void AddSubscription(Subscription subscription) { subscriptions_.push_back(subscription); }
  void AddRange(DestinationId destination, Lane lane, PendingRange range);
  void AddUnsettled(DestinationId destination, BatchPtr batch);
  void AddPartial(const PartialKey& key, Partial partial) { partials_[key] = partial; }
  void AddTotals(const LedgerChanges& totals);
  void SetNumbers(Lane lane, Numbers numbers) { numbers_[At(lane)] = numbers; }
  void SetSegmentTotals(Lane lane, SegmentTotals held) { held_[At(lane)] = held; }
  void SetKept(std::int64_t dead, std::int64_t quarantined);
  void SetNextLetter(std::int64_t id) { next_letter_ = id; }
  void SetStoredThrough(Lane lane, Sequence last) { stored_through_[At(lane)] = last; }
  void SetClockEpochs(ClockEpochs boots) { clock_epochs_ = std::move(boots); }
  void BeginClockEpoch(const ClockEpochs::Now& now);
  // Where the database does not know how many messages wait in each range: all of them are counted anew, one by one.
  void ForgetWaiting();
  void CountWaiting(Lane lane, Sequence sequence, StreamId stream);
  // Stored messages have become pending for new destinations, as the database says. REQUIRES: all that is needed is
  // stored. What only memory has was of use to nobody and would be gone after a power cut: it must not be shown.
  void CatchUp(const LedgerChanges& counted);
  // Forgets names, subscriptions and ranges, to be filled again from the database.
  void ClearConfiguration();

  // --- names ---
  std::optional<StreamId> FindStream(std::string_view name) const;
  std::optional<DestinationId> FindDestination(std::string_view name) const;
  std::string StreamName(StreamId id) const;
  std::string DestinationName(DestinationId id) const;
  std::vector<std::string> Destinations() const;
  void SetLane(StreamId id, Lane lane);
  Lane LaneOf(StreamId id) const;
  // `wanted` where the stream has destinations in that lane, else its own lane.
  Lane LaneFor(StreamId id, std::optional<Lane> wanted) const;
  std::vector<DestinationId> Recipients(StreamId stream, Lane lane) const;  // of its next message in this lane
  bool Subscribed(DestinationId destination, StreamId stream, Lane lane, Sequence sequence) const;
  std::vector<Subscription> SubscriptionsOf(DestinationId destination, Lane lane) const;
  // Whether subscriptions of one destination and lane hold the message.
  static bool Holds(const std::vector<Subscription>& subscriptions, StreamId stream, Sequence sequence);

  // --- operations (apply.cpp) ---
  // Whether the loop wants to know.
  bool ApplyArrival(Lane lane, Sequence sequence, const RawMessage& message, std::string_view reason,
                    std::string_view detail, MonoTime now);
  void Apply(const Operation& operation, MonoTime now);
  // Whether an operation read back from a journal fits the state. REQUIRES for Apply of one that was read back.
  Status Check(const Operation& operation) const;
  BatchId TakeBatchId() { return next_batch_++; }
  std::int64_t TakeRangeId() { return next_range_++; }

  // --- clocks ---
  const ClockEpochs& clock_epochs() const { return clock_epochs_; }
  void ReleaseClock() { clock_epochs_.Release(); }
  void NoteClock(const ClockReading& reading) { clock_epochs_.Note(reading); }
  // How many of its messages in a lane wait for a stamp that is still open: those in ranges that begin behind it.
  std::uint64_t Withheld(DestinationId destination, LanePart of, std::optional<Sequence> open_from) const;

  // --- replays (replay.cpp) ---
  Replays& replays() { return replays_; }
  const Replays& replays() const { return replays_; }
  Retained& retained() { return retained_; }
  const Retained& retained() const { return retained_; }
  // Whether it waits in a range of the destination, or is about to be written down as refused by it or as quarantined.
  bool Busy(DestinationId destination, Lane lane, Sequence sequence, StreamId stream) const;
  // Messages that are in batches for the destination or set aside, those of replays apart.
  std::set<Sequence> InBatches(DestinationId destination, Lane lane) const;
  bool WasIn(StreamId stream, Lane lane) const;  // it has or had subscriptions there

  // --- suspects (suspect_moves.cpp) ---
  Suspects& suspects() { return suspects_; }
  const Suspects& suspects() const { return suspects_; }
  // What the database may not have yet; null: it has it.
  std::shared_ptr<const SuspectContent> UncheckpointedSuspect(const DeadKey& key) const;
  bool LeavesLetters(const DeadKey& key) const;  // a dead letter that the database still has: let go, or sent again
  std::optional<StoredMessage> UncheckpointedSuspectMessage(Lane lane, Sequence sequence) const;
  Sequence HighestTaken(DestinationId destination, Lane lane) const;  // as Queue::HighestTaken()

  // --- quarantine (quarantine.cpp) ---
  void AddRetrying(const PartialKey& key) { retrying_.insert(key); }
  std::set<PartialKey> LeftQuarantine() const;  // on their way again, also where the database does not know it yet
  bool MayRetry(DestinationId destination, Lane lane, const QuarantineRetryOp::Message& message) const;
  std::map<std::string, std::uint64_t> Undecodable() const;  // as Stats::undecodable

  // --- checkpointing ---
  const Numbers& numbers(Lane lane) const { return numbers_[At(lane)]; }
  // The next checkpoint makes the database have the configuration that is here, and takes back what the other one
  // `counted`.
  void RestoreConfiguration(const LedgerChanges& counted);
  // Everything up to `through` as one piece of work; what follows collects anew.
  CheckpointWork TakeCheckpoint(LogPosition through);
  void Checkpointed(const CheckpointWork& work, const CheckpointResult& result);
  const Changes& changes() const { return *changes_; }
  // When the oldest message that somebody still needs, and that only the journal has, came into memory.
  std::optional<MonoTime> OldestUnstored() const;
  std::uint64_t Unstored() const;  // such messages: what a power cut would cost
  // Messages that wait or are on their way, once for each destination; the daemon's own apart.
  std::uint64_t pending() const { return pending_ < 0 ? 0 : static_cast<std::uint64_t>(pending_); }

  // --- questions ---
  PendingRanges& pending_ranges(DestinationId destination, Lane lane) { return pending_ranges_[{destination, lane}]; }
  const std::map<std::pair<DestinationId, Lane>, PendingRanges>& all_pending_ranges() const { return pending_ranges_; }
  const PendingRanges* FindPendingRanges(DestinationId destination, Lane lane) const;
  const std::map<BatchId, Unsettled>& unsettled() const { return unsettled_; }
  const Unsettled* FindUnsettled(BatchId id) const;
  // Whether a prepared batch reaches into [first, last], so that these messages are still needed as they are.
  bool Prepared(Lane lane, Sequence first, Sequence last) const;
  Partial FindPartial(const PartialKey& key, bool& exists) const;
  Sequence last(Lane lane) const { return numbers_[At(lane)].next - 1; }
  Sequence stored_through(Lane lane) const { return stored_through_[At(lane)]; }
  Sequence LowWater(Lane lane) const;    // nothing below it is needed by any destination
  Sequence LowestKept(Lane lane) const;  // nor kept for replays
  // Segments in memory that end at or after `from`, oldest first. `complete`: none between `from` and them is missing.
  std::vector<RamSegmentPtr> Cached(Lane lane, Sequence from, bool& complete) const;
  std::uint64_t PendingMessages(DestinationId destination, Lane lane) const;
  std::map<std::string, std::uint64_t> Pending() const;    // messages by destination, where there are any
  std::map<DestinationId, std::uint64_t> Waiting() const;  // messages in ranges
  std::uint64_t MostWaiting() const;                       // for one destination
  std::optional<WallTime> OldestUnsettled(DestinationId destination) const;
  Ledger BuildLedger() const;
  // Where the counters contradict the identity of P3, or each other (contradictions.cpp). One line each.
  std::vector<std::string> LedgerContradictions() const;
  // Whether nothing up to this number waits for the destination, in a batch or not, but suspects. A number that was
  // never this destination's may hold it up until the next one that is moves.
  bool SettledThrough(DestinationId destination, Lane lane, Sequence through) const;
  SegmentTotals held() const { return Sum(held_); }
  std::int64_t dead() const { return dead_; }
  std::int64_t quarantined() const { return quarantined_; }
  std::vector<NeededSpan> Needed() const;

 private:
  void Apply(const ArrivalOp& op, MonoTime now);
  void Apply(const CountOp& op, MonoTime now);
  void Apply(const PrepareOp& op, MonoTime now);
  void Apply(const SettleOp& op, MonoTime now);
  void Apply(const RedriveOp& op, MonoTime now);
  void Apply(const SplitOp& op, MonoTime now);
  void Apply(const GiveUpOp& op, MonoTime now);
  void Apply(const ClockOp& op, MonoTime now);
  void Apply(const ReplayStateOp& op, MonoTime now);
  void Apply(const ReplayPrepareOp& op, MonoTime now);
  void Apply(const QuarantineRetryOp& op, MonoTime now);
  void Apply(const SuspectRetryOp& op, MonoTime now);
  void Apply(const SuspectEndOp& op, MonoTime now);
  void Apply(const LetterEndOp& op, MonoTime now);
  void SetAside(const Unsettled& unsettled, const NewSuspect& new_suspect, WallTime at, MonoTime now);
  // Its id goes to the dead letter that it becomes; of one that was none, a new one.
  std::int64_t ForgetSuspect(const DeadKey& key);
  void ForgetLetter(const DeadKey& key);
  std::int64_t TakeLetterId() { return next_letter_++; }
  std::uint64_t UncheckpointedSuspects() const;  // messages
  // Whether a settlement says so of a record: else it is dead, set aside, or in a successor.
  static bool IsDelivered(const SettleOp& op, Sequence sequence, std::uint32_t record);
  void SettleReplay(const Unsettled& settled, const SettleOp& op);
  void ForgetBatch(DestinationId destination, BatchId id);
  void Count(std::int32_t hour, StreamId stream, DestinationId destination, int outcome, std::string_view reason,
             std::int64_t messages, std::int64_t records);
  void Quarantine(Lane lane, Sequence sequence, QuarantineRow&& row, MonoTime now);
  void LeaveQuarantine(const PartialKey& key);  // its last record is settled
  void QuarantineFor(DestinationId destination, Lane lane, Sequence sequence, std::string_view reason);
  void CountEnd(DestinationId destination, Lane lane, StreamId stream, std::int32_t hour, Outcome outcome,
                std::string_view reason);
  void SettleMember(const Unsettled& unsettled, const Member& member, const SettleOp& op);
  // So many records of the message end; with the last one the message does, for this reason where all are skipped.
  void SettleRecords(const PartialKey& key, const Member& member, std::uint32_t records, Outcome worst,
                     std::string_view why_skipped = "");
  void Prepare(DestinationId destination, const BatchPtr& batch);
  void DropEmptyRanges(DestinationId destination, Lane lane);  // before the open one, in which nothing waits
  void SaveRange(DestinationId destination, Lane lane, const PendingRange& range, bool gone);
  void CutRange(DestinationId destination, Lane lane, std::int64_t id, Sequence through, std::uint64_t messages);
  const CounterCache& CountersFor(StreamId stream, Lane lane, std::int32_t hour);
  void CloseSegment(Lane lane);
  RamSegment& OpenSegment(Lane lane, Sequence sequence, MonoTime now);
  void DropCached(Lane lane);
  void Evict();
  void KeptSince(MonoTime now);
  bool IsOwn(StreamId stream) const;  // of the daemon itself

  std::uint64_t cache_bytes_;
  std::map<StreamId, std::string> streams_;
  std::map<std::string, StreamId, std::less<>> stream_ids_;
  std::map<DestinationId, std::string> destinations_;
  std::map<std::string, DestinationId, std::less<>> destination_ids_;
  std::map<StreamId, Lane> lanes_;
  std::vector<Subscription> subscriptions_;
  std::map<std::pair<DestinationId, Lane>, PendingRanges> pending_ranges_;
  std::map<BatchId, Unsettled> unsettled_;
  std::map<PartialKey, Partial> partials_;
  std::set<PartialKey> retrying_;  // from quarantine
  std::array<Numbers, kLanes> numbers_;
  std::array<std::deque<RamSegmentPtr>, kLanes> cache_;
  std::array<RamSegmentPtr, kLanes> open_;         // the newest of cache_, while messages may be added; else null
  std::array<Sequence, kLanes> stored_through_{};  // last sequence that a segment of the database holds
  std::array<SegmentTotals, kLanes> held_;
  Retained retained_;
  Replays replays_;
  Suspects suspects_;
  std::uint64_t cached_bytes_ = 0;  // of stored segments
  LedgerChanges totals_;            // hour is always 0
  std::int64_t pending_ = 0;        // the sum of what totals_ has of it
  std::int64_t dead_ = 0;
  std::int64_t quarantined_ = 0;
  BatchId next_batch_ = 1;
  std::int64_t next_letter_ = 1;  // of dead letters and suspects
  std::int64_t next_range_ = 1;
  CounterCache counter_cache_;
  bool restore_ = false;
  ClockEpochs clock_epochs_;
  std::shared_ptr<Changes> changes_;
  std::shared_ptr<const Changes> checkpointing_;  // on their way into the database
};

}  // namespace packhorse::queue
