#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "queue/clock/expiry.h"
#include "queue/limits.h"
#include "queue/queue.h"
#include "queue/recovery/open.h"
#include "queue/state/queue_state.h"
#include "queue/store.h"
#include "queue/tables/catch_up.h"
#include "queue/tables/reader.h"
#include "record/canonical_record.h"

namespace packhorse::queue {

// What a caller asked for and cannot have.
inline Error Refused(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

// A count that is under way, of what is stored and stays so long.
struct Counting {
  StoredCount count;
  std::uint64_t begins_at = 0;  // commits: segments that go with an earlier one must not be seen
  MonoTime asked{};
};

// The queue behind the interface: what the loop asks is answered from the queue state and the reader, what the loop
// moves becomes an operation for the store. Threads as in queue.h.
class QueueImpl final : public Queue {
 public:
  QueueImpl(Options options, const Clock& clock, Opened opened);
  ~QueueImpl() override { store_->Stop(); }

  Result<Slot> AppendTo(std::optional<Lane> lane, RawMessage message) override;
  bool TryAppend(const RawMessage& message) override;
  Status Quarantine(RawMessage message, std::string_view reason, std::string_view detail) override {
    const Result<Slot> kept = store_->Append(std::nullopt, message, reason, detail);
    return kept ? Status() : Status(kept.error());
  }
  void CountDropped(StreamId stream, std::string_view reason) override;
  void CountUnrouted() override;

  Result<StreamId> Stream(std::string_view name) const override;
  std::string StreamName(StreamId id) const override;
  const QueueIds& ids() const override { return ids_; }
  const StartReport& start() const override { return report_; }

  Result<Pending> Peek(const std::string& destination, LanePart of, std::size_t max_messages,
                       std::uint64_t max_bytes) override;
  Result<Pending> PeekBehind(Sequence behind, const std::string& destination, LanePart of, std::size_t max_messages,
                             std::uint64_t max_bytes, Pending room) override;
  Result<Pending> PeekNewest(const std::string& destination, LanePart of, std::size_t max_messages,
                             std::uint64_t max_bytes) override;
  Sequence HighestTaken(const std::string& destination, Lane lane) override;
  PendingStats Waiting(const std::string& destination, LanePart of) override;
  void WakeAt(const std::string& destination, LanePart of, std::uint64_t messages) override;
  bool Split(const std::string& destination, Lane lane, std::chrono::milliseconds age) override;
  WallTime OldestPending(const std::string& destination) override;
  std::vector<std::chrono::microseconds> AgesOf(Lane lane, std::span<const StoredMessage> messages) override;
  Result<StoredMessage> Read(Lane lane, Sequence sequence) override;
  void Prepare(PrepareRequest request, BatchesDone done) override;
  void Settle(Settlement settlement, BatchesDone done) override;
  Result<std::vector<PreparedBatch>> PreparedBatches(const std::string& destination) override;
  void Checkpoint(std::function<void(const Status&)> done) override;
  LastNumbers Last() override;
  bool SettledThrough(const std::string& destination, const LastNumbers& last) override;
  void Poll() override;
  BootClock ClockOfBoot() const override;
  Status LearnClock() override;
  Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id, Reading reading) override;
  Result<DeadLetter> FindDeadLetter(std::int64_t id) override;
  void RedriveDead(std::vector<std::int64_t> ids, std::unique_ptr<PreparedBatch> batch, BatchDone done) override;
  void DropDead(std::int64_t id, std::function<void(const Status&)> done) override;
  Result<std::vector<Suspect>> Suspects(const std::string& destination, std::size_t limit,
                                        std::int64_t after_id) override;
  Result<Suspect> FindSuspect(std::int64_t id) override;
  std::uint64_t SuspectCount(const std::string& destination) override;
  void RetrySuspect(std::int64_t id, std::unique_ptr<PreparedBatch> batch, BatchDone done) override;
  void DropSuspect(std::int64_t id, std::function<void(const Status&)> done) override;
  void StartReplay(const ReplayRequest& request, std::function<void(Result<Replay>)> done) override;
  void CancelReplay(ReplayId id, std::function<void(Result<Replay>)> done) override;
  std::vector<Replay> Replays() override;
  std::optional<DueReplay> NextReplay(const std::string& destination) override;
  Result<ReplayPart> PeekReplay(ReplayId id, std::size_t max_messages, std::uint64_t max_bytes) override;
  Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after, Reading reading) override;
  Result<std::vector<QuarantinedMessage>> QuarantinedFor(const std::string& destination, bool waiting, Slot after,
                                                         std::size_t limit) override;
  void RetryQuarantined(PrepareRequest request, BatchesDone done) override;
  Result<MessageTrace> Trace(Lane lane, Sequence sequence, std::optional<std::uint32_t> record,
                             Reading reading) override;
  Result<DeliveredHours> DeliveredByHour(const std::string& destination, std::int32_t first, std::int32_t end,
                                         std::size_t limit) override;
  std::set<StreamHour> HoursInBatches(const std::string& destination) override;
  Result<Ledger> ReadLedger() override;
  Result<std::vector<std::string>> VerifyLedger() override;
  void NoteDamage(const std::string& because) override;
  Result<std::vector<KeptDefinition>> Definitions() override { return Noted(reader_.Definitions()); }
  Status Reconfigure(std::vector<StreamOptions> streams, std::vector<DestinationOptions> destinations) override;
  Result<Ahead> CountAhead(const std::vector<StreamOptions>& streams,
                           const std::vector<DestinationOptions>& destinations, std::uint64_t bytes) override;
  void ForgetCount() override;
  void SetLimits(const Limits& limits) override;
  LimitReport EnforceLimits(MonoTime now) override;
  Stats Snapshot() override;
  void Stop() override { store_->Stop(); }

 private:
  // Passes the result on; damage that it tells of is noted for the next start.
  template <typename T>
  Result<T> Noted(Result<T> result) {
    if (!result && result.error().code == ErrorCode::kCorrupt) {
      const std::lock_guard lock(mutex_);
      store_->NoteDamageLocked(result.error());
    }
    return result;
  }
  template <typename Letter>
  std::string IdOf(const Letter& letter) const {
    return RecordId(ids_.Of(letter.lane, letter.sequence), letter.lane, letter.sequence,
                    RecordIndex(letter.record, letter.total_records));
  }
  // As PeekBehind(), also of messages that are withheld.
  Result<Pending> Look(const std::string& destination, LanePart of, Sequence behind, std::size_t max_messages,
                       std::uint64_t max_bytes, bool withheld_too, Pending room = {});
  // When the oldest message came that waits there, withheld ones too; none when nothing waits or it cannot be read.
  std::optional<WallTime> OldestWaiting(const std::string& destination, LanePart of);
  // --- queue_clock.cpp ---
  // First number that may not go out now.
  std::optional<Sequence> WithheldFromLocked(Lane lane) const;
  // What goes out up to `through` keeps its stamp, unless that is decided; an error while it has to wait for it.
  Status DecideStampsLocked(Lane lane, Sequence through);
  void CorrectLocked(Lane lane, std::vector<StoredMessage>& messages) const;
  // The first message that waited in a range when that was looked at last.
  struct Oldest {
    Sequence from = 0;  // where the range began
    GiveUpWalk::Arrival message;
  };
  using VisitPlain = std::function<Result<bool>(std::string_view plain, Sequence first)>;

  // Calls `visit` with the segments that hold messages of [from, limit], oldest first, until it returns false: what is
  // on the disk without the lock, what is in memory with it.
  Status VisitMessages(std::unique_lock<std::mutex>& lock, Lane lane, Sequence from, Sequence limit,
                       const VisitPlain& visit);
  void CountDroppedLocked(StreamId stream, std::int32_t hour, std::string_view reason);
  // --- queue_limits.cpp ---
  std::vector<RangeOfDestination> PendingLocked() const;  // ranges in which messages wait
  void ReportRefused(std::vector<GivenUp>& given_up);
  Status Expire(MonoTime now, Budget& budget, LimitReport& report);
  Status ExpireRange(std::unique_lock<std::mutex>& lock, const RangeOfDestination& of, Budget& budget,
                     LimitReport& report);
  Status BoundMessages(Budget& budget, std::vector<GivenUp>& given_up);
  // Of the database. Only a commit changes it: it is read once after each.
  Result<std::uint64_t> BytesInUse();
  Status BoundBytes(MonoTime now, Budget& budget, std::vector<GivenUp>& given_up);
  // Checkpoints what there is, and lets go of `release` bytes that are only kept for replays; the size is not looked at
  // before that is done.
  void MeasureAfterCheckpoint(std::uint64_t release = 0);
  void SetFull(std::string_view limit);
  Status DropOldest(std::uint64_t excess, Budget& budget, std::vector<GivenUp>& given_up);
  Result<std::uint64_t> DropOldestOf(Lane lane, std::uint64_t excess, Budget& budget, std::vector<GivenUp>& given_up);
  Status GiveUp(std::unique_lock<std::mutex>& lock, const RangeOfDestination& pending, Sequence limit,
                std::string_view reason, GiveUpWalk& walk, std::vector<GivenUp>& given_up);

  // --- queue_suspects.cpp ---
  Result<std::vector<NewSuspect>> NewSuspectsOf(const Settlement& settlement, const PreparedBatch& batch);
  // What is known of one that is in memory, with its bytes wherever they are.
  Result<SuspectContent> ContentOf(const DeadKey& key);
  // A suspect that is not on its way; kNotFound.
  Result<DeadKey> IdleLocked(std::int64_t id) const;
  // As a dead letter, or as nothing.
  Status EndSuspect(const DeadKey& key, Outcome outcome, bool as_dead_letter, std::function<void(const Status&)> done);
  Status ExpireSuspects(Budget& budget);
  Status DropSuspects(std::uint64_t excess, Budget& budget, std::vector<GivenUp>& given_up);
  // --- queue_newest.cpp ---
  // Where the last segment begins that holds numbers up to `through`, in memory or on the disk; 0: none does.
  Result<Sequence> SegmentAt(std::unique_lock<std::mutex>& lock, Lane lane, Sequence through);
  // Cuts the range where the request begins, and makes `op` take the new one.
  Status CutForPrepare(std::unique_lock<std::mutex>& lock, const PrepareRequest& request, const PendingRange& range,
                       PrepareOp& op);

  // --- queue_replay.cpp ---
  Result<Replay> NewReplayLocked(const ReplayRequest& request);
  Result<std::optional<StoredMessage>> FirstStored(Lane lane, Sequence through);
  Status FindBeginning(Replay& replay);
  void PostReplayLocked(Replay replay, std::function<void(Result<Replay>)> done);
  Replay NamedLocked(Replay replay) const;
  template <typename Skips>
  static void Skip(ReplayPart& part, Skips skips);
  void SkipBusyLocked(const Replay& replay, ReplayPart& part) const;
  Status SkipEnded(const Replay& replay, ReplayPart& part);
  void PrepareReplay(PrepareRequest request, std::function<void(Result<std::vector<BatchId>>)> done);

  // --- queue_configuration.cpp ---
  // Whether this configuration has a destination that is new and starts at the oldest that is stored.
  bool CatchesUpLocked(const std::vector<StreamOptions>& streams,
                       const std::vector<DestinationOptions>& destinations) const;
  void ForgetCountLocked();

  void FollowDatabase();  // which was put back where it was removed or replaced
  void HoldLocks();       // of which somebody may have removed the files; looks once a second
  void CompleteLocked(std::function<void()> completion);
  void Wake();
  // Gives the batch its id.
  BatchPtr AssignLocked(std::unique_ptr<PreparedBatch> batch);
  Result<std::vector<Ending>> EndingsOf(const PrepareRequest& request);
  Result<std::vector<NewDeadLetter>> NewDeadLettersOf(const Settlement& settlement, const PreparedBatch& batch);
  Result<QuarantineRetryOp> PrepareRetry(const PrepareRequest& request);
  Result<RedriveOp> PrepareReplay(const std::vector<std::int64_t>& ids, const PreparedBatch& batch);
  std::optional<StoredMessage> FindInMemoryLocked(Lane lane, Sequence sequence) const;

  const Options options_;
  const Clock& clock_;
  std::optional<LockFile> lock_, runtime_lock_;
  MonoTime next_lock_look_{};
  const QueueIds ids_;
  const StartReport report_;
  mutable std::mutex mutex_;
  std::unique_ptr<QueueState> state_;              // guarded by mutex_
  std::deque<std::function<void()>> completions_;  // guarded by mutex_
  std::atomic<bool> woken_{false};                 // since the last Poll(): one wake-up is enough
  std::string full_;                               // guarded by mutex_: the limit that is reached, empty: none
  std::string refused_because_;                    // guarded by mutex_: the last such limit
  std::map<std::pair<DestinationId, Lane>, std::uint64_t> refused_;  // likewise: arrivals since the last report
  std::atomic<std::uint8_t> refusing_{0};  // a bit for each lane whose arrivals are dropped: set by the loop
  std::optional<Counting> counting_;       // loop thread, as what follows
  Limits limits_;
  Expiry expiry_;
  std::map<std::int64_t, Oldest> oldest_;  // by range
  LogPosition measure_after_ = 0;          // once this is checkpointed the size says how full the queue is
  std::uint64_t measured_ = std::numeric_limits<std::uint64_t>::max();  // size before the last checkpoint to make room
  std::uint64_t bytes_in_use_ = 0;                                      // of the database, which only a commit changes
  std::optional<std::uint64_t> bytes_in_use_of_;                        // at so many commits
  bool checkpoints_help_ = true;
  MonoTime next_checkpoint_{};
  std::unique_ptr<Store> store_;
  Reader reader_;  // loop thread; closed before the writer, which then checkpoints the write-ahead log in
};

}  // namespace packhorse::queue
