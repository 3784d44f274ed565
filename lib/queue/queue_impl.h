#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "queue/index.h"
#include "queue/open.h"
#include "queue/queue.h"
#include "queue/sqlite/reader.h"
#include "queue/store.h"
#include "record/canonical_record.h"

namespace packhorse::queue {

// The queue behind the interface: what the loop asks is answered from the index and the reader, what the loop moves is
// posted to the store thread. Threads as in queue.h.
class QueueImpl final : public Queue {
 public:
  QueueImpl(Options options, const Clock& clock, Opened opened)
      : options_(std::move(options)),
        clock_(clock),
        lock_(std::move(opened.lock)),
        queue_id_(std::move(opened.queue_id)),
        index_(std::move(opened.index)),
        next_batch_(opened.next_batch),
        store_(std::make_unique<Store>(
            std::move(opened.books), *index_, mutex_, clock_, opened.numbers, options_.wake,
            StoreLimits{options_.max_settled_batches, options_.max_dead_letters, options_.max_quarantined},
            opened.held)),
        reader_(std::move(opened.reader)) {}
  ~QueueImpl() override { store_->Stop(); }

  Result<Sequence> Append(RawMessage message) override {
    return store_->Append(Store::Arrival{std::move(message), "", "", std::nullopt});
  }

  Status Quarantine(RawMessage message, std::string_view reason, std::string_view detail) override {
    const Result<Sequence> kept =
        store_->Append(Store::Arrival{std::move(message), std::string(reason), std::string(detail), std::nullopt});
    return kept ? Status() : Status(kept.error());
  }

  void CountDropped(StreamId stream, std::string_view reason) override {
    std::vector<DestinationId> recipients;
    {
      const std::lock_guard lock(mutex_);
      recipients = index_->Recipients(stream);
    }
    const std::int32_t hour = HourOf(clock_.Wall());
    for (const DestinationId destination : recipients) {
      store_->Count(stream, destination, kLedgerReceived, "", hour, 1);
      store_->Count(stream, destination, LedgerCode(Outcome::kDropped), reason, hour, 1);
    }
  }

  void CountUnrouted() override { store_->Count(0, 0, kLedgerUnrouted, "", HourOf(clock_.Wall()), 1); }

  Result<StreamId> Stream(std::string_view name) const override {
    const std::lock_guard lock(mutex_);
    if (const std::optional<StreamId> id = index_->FindStream(name)) {
      return *id;
    }
    return Error{ErrorCode::kNotFound, "no stream \"" + std::string(name) + "\" in the queue"};
  }

  std::string StreamName(StreamId id) const override {
    const std::lock_guard lock(mutex_);
    return index_->StreamName(id);
  }

  const std::string& id() const override { return queue_id_; }

  Result<Pending> Peek(const std::string& destination, Lane lane, std::size_t max_messages,
                       std::uint64_t max_bytes) override;

  PendingStats Waiting(const std::string& destination, Lane lane) override {
    const std::lock_guard lock(mutex_);
    const std::optional<DestinationId> id = index_->FindDestination(destination);
    if (!id) {
      return {};
    }
    PendingStats stats;
    stats.messages = index_->backlog(*id, lane).waiting;
    const std::uint64_t all = index_->PendingMessages(*id, lane);
    stats.frozen_messages = all > stats.messages ? all - stats.messages : 0;
    return stats;
  }

  WallTime OldestPending(const std::string& destination) override;

  Result<StoredMessage> Read(Lane lane, Sequence sequence) override { return reader_.Message(lane, sequence); }

  void Freeze(FreezeRequest request, std::function<void(Result<std::vector<BatchId>>)> done) override;
  void Settle(Settlement settlement, std::function<void(Result<std::vector<BatchId>>)> done) override;

  Result<std::vector<FrozenBatch>> FrozenBatches(const std::string& destination) override {
    // What was posted before must be in the database first.
    if (Status committed = Barrier(); !committed) {
      return committed.error();
    }
    std::optional<DestinationId> id;
    {
      const std::lock_guard lock(mutex_);
      id = index_->FindDestination(destination);
    }
    if (!id) {
      return std::vector<FrozenBatch>{};
    }
    Result<std::vector<FrozenBatch>> batches = reader_.FrozenBatches(*id);
    if (!batches) {
      return batches.error();
    }
    for (FrozenBatch& batch : *batches) {
      batch.destination = destination;
      batch.maybe_sent = true;
    }
    return batches;
  }

  void Poll() override {
    std::deque<std::function<void()>> ready;
    {
      const std::lock_guard lock(mutex_);
      ready.swap(completions_);
    }
    for (const std::function<void()>& completion : ready) {
      completion();
    }
  }

  Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id) override {
    Result<std::vector<DeadLetter>> letters = reader_.DeadLetters(limit, after_id);
    if (letters) {
      for (DeadLetter& letter : *letters) {
        letter.record_id = IdOf(letter);
      }
    }
    return letters;
  }

  Result<DeadLetter> FindDeadLetter(std::int64_t id) override {
    Result<DeadLetter> letter = reader_.FindDeadLetter(id);
    if (letter) {
      letter->record_id = IdOf(*letter);
    }
    return letter;
  }

  void ReplayDead(std::vector<std::int64_t> ids, std::unique_ptr<FrozenBatch> batch,
                  std::function<void(Result<BatchId>)> done) override;

  Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after) override {
    return reader_.Quarantined(limit, after);
  }

  Result<Ledger> ReadLedger() override {
    const std::lock_guard lock(mutex_);
    return index_->BuildLedger();
  }

  Result<std::vector<std::string>> VerifyLedger() override { return reader_.Verify(); }

  Status Reconfigure(std::vector<StreamOptions> streams, std::vector<std::string> destinations) override;

  Stats Snapshot() override;

  void Stop() override { store_->Stop(); }

 private:
  std::string IdOf(const DeadLetter& letter) const {
    return RecordId(queue_id_, letter.lane, letter.sequence,
                    letter.total_records > 1 ? std::optional(letter.record) : std::nullopt);
  }
  void CompleteLocked(std::function<void()> completion) { completions_.push_back(std::move(completion)); }
  BatchId AssignLocked(FrozenBatch& batch, DestinationId destination) {
    batch.id = next_batch_++;
    index_->Freeze(batch.id,
                   Index::Unsettled{destination, batch.lane, batch.members.empty() ? 0 : batch.members.front().sequence,
                                    batch.oldest_at});
    return batch.id;
  }
  // Runs a change on the store thread and waits for it.
  Status RunChange(std::function<Status(Books&)> apply, std::function<Status(Books&)> after_locked);
  Status Barrier() {
    return RunChange([](Books&) { return Status(); }, nullptr);
  }

  const Options options_;
  const Clock& clock_;
  const LockFile lock_;
  const std::string queue_id_;
  mutable std::mutex mutex_;
  std::unique_ptr<Index> index_;                   // guarded by mutex_
  std::deque<std::function<void()>> completions_;  // guarded by mutex_
  BatchId next_batch_;                             // guarded by mutex_
  std::unique_ptr<Store> store_;
  Reader reader_;  // loop thread; closed before the writer, which then folds the WAL in
};

}  // namespace packhorse::queue
