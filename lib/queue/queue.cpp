#include "queue/queue.h"

#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "queue/configuration.h"
#include "queue/index.h"
#include "queue/open.h"
#include "queue/sqlite/operations.h"
#include "queue/sqlite/reader.h"
#include "queue/store.h"
#include "record/canonical_record.h"

namespace packhorse::queue {
namespace {

std::uint64_t FileBytes(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

// Messages that a freeze takes out of the pending range.
std::uint64_t MessagesOf(const FreezeRequest& request) {
  std::set<Sequence> sequences;
  for (const auto& batch : request.batches) {
    for (const Member& member : batch->members) {
      sequences.insert(member.sequence);
    }
  }
  for (const Resolution& resolution : request.resolutions) {
    sequences.insert(resolution.sequence);
  }
  return sequences.size();
}

class QueueImpl final : public Queue {
 public:
  QueueImpl(Options options, const Clock& clock, Opened opened)
      : options_(std::move(options)),
        clock_(clock),
        lock_(std::move(opened.lock)),
        queue_id_(std::move(opened.queue_id)),
        index_(std::move(opened.index)),
        next_batch_(opened.next_batch),
        store_(std::make_unique<Store>(std::move(opened.books), *index_, mutex_, clock_, opened.numbers, options_.wake,
                                       StoreLimits{options_.max_settled_batches, options_.max_dead_letters,
                                                   options_.max_quarantined},
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
    index_->Freeze(batch.id, Index::Unsettled{destination, batch.lane,
                                              batch.members.empty() ? 0 : batch.members.front().sequence,
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
  std::unique_ptr<Index> index_;                       // guarded by mutex_
  std::deque<std::function<void()>> completions_;      // guarded by mutex_
  BatchId next_batch_;                                 // guarded by mutex_
  std::unique_ptr<Store> store_;
  Reader reader_;  // loop thread; closed before the writer, which then folds the WAL in
};

// Collects messages of one destination until a bound is reached.
class PendingCollector {
 public:
  PendingCollector(Pending& pending, std::size_t max_messages, std::uint64_t max_bytes)
      : pending_(pending), max_messages_(max_messages), max_bytes_(max_bytes) {}

  template <typename Wanted>
  Result<bool> Add(std::string_view plain, Sequence first, Sequence limit, const Wanted& wanted) {
    SegmentReader reader(plain, first);
    while (!reader.AtEnd()) {
      const Result<SegmentReader::Head> head = reader.Next();
      if (!head) {
        return head.error();
      }
      if (head->sequence > limit) {
        return false;
      }
      if (head->sequence <= pending_.through) {
        continue;
      }
      if (wanted(*head)) {
        StoredMessage stored{head->sequence, reader.Take()};
        bytes_ += stored.message.payload.size();
        const bool first_message = pending_.messages.empty();
        if (!first_message && (pending_.messages.size() >= max_messages_ || bytes_ > max_bytes_)) {
          return false;
        }
        pending_.messages.push_back(std::move(stored));
      }
      pending_.through = head->sequence;
    }
    return pending_.messages.size() < max_messages_ && bytes_ < max_bytes_;
  }

 private:
  Pending& pending_;
  std::size_t max_messages_;
  std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
};

Result<Pending> QueueImpl::Peek(const std::string& destination, Lane lane, std::size_t max_messages,
                                std::uint64_t max_bytes) {
  std::unique_lock lock(mutex_);
  const std::optional<DestinationId> id = index_->FindDestination(destination);
  if (!id) {
    return Error{ErrorCode::kNotFound, "no destination \"" + destination + "\" in the queue"};
  }
  const Index::Backlog& backlog = index_->backlog(*id, lane);
  Pending pending;
  if (backlog.ranges.empty() || backlog.waiting == 0) {
    return pending;
  }
  const Index::Range range = backlog.ranges.front();
  const Sequence limit = std::min(range.through.value_or(index_->last_committed(lane)), index_->last_committed(lane));
  pending.from = range.from;
  pending.through = range.from - 1;
  bool complete = false;
  const auto cached = index_->Cached(lane, range.from, complete);
  const auto wanted = [&](const SegmentReader::Head& head) {
    return index_->Subscribed(*id, head.stream, lane, head.sequence);
  };
  PendingCollector collector(pending, max_messages, max_bytes);
  bool more = true;
  if (!complete) {
    // Older than what is in memory: from the disk, without holding the lock for it.
    lock.unlock();
    const auto wanted_locked = [&](const SegmentReader::Head& head) {
      const std::lock_guard relock(mutex_);
      return wanted(head);
    };
    Status visited =
        reader_.VisitSegments(lane, range.from, [&](Sequence first, Sequence last, const std::string& plain) -> Result<bool> {
          if (first > limit || (!cached.empty() && last >= cached.front()->first)) {
            return false;
          }
          const Result<bool> added = collector.Add(plain, first, limit, wanted_locked);
          more = added && *added;
          return added;
        });
    if (!visited) {
      return visited.error();
    }
    lock.lock();
  }
  for (const auto& segment : cached) {
    if (!more || segment->first > limit) {
      break;
    }
    const Result<bool> added = collector.Add(segment->plain, segment->first, limit, wanted);
    if (!added) {
      return added.error();
    }
    more = *added;
  }
  if (more) {
    pending.through = limit;  // also past numbers that were never used
  }
  return pending;
}

WallTime QueueImpl::OldestPending(const std::string& destination) {
  std::unique_lock lock(mutex_);
  const std::optional<DestinationId> id = index_->FindDestination(destination);
  if (!id) {
    return {};
  }
  std::optional<WallTime> oldest = index_->OldestUnsettled(*id);
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    const Index::Backlog& backlog = index_->backlog(*id, lane);
    if (backlog.waiting == 0 || backlog.ranges.empty()) {
      continue;
    }
    const Sequence from = backlog.ranges.front().from;
    WallTime at = backlog.oldest_at;
    if (backlog.oldest_for != from) {
      lock.unlock();
      const Result<Pending> first = Peek(destination, lane, 1, 1);
      lock.lock();
      if (!first || first->messages.empty()) {
        continue;
      }
      at = first->messages.front().message.received_at;
      Index::Backlog& known = index_->backlog(*id, lane);
      known.oldest_for = from;
      known.oldest_at = at;
    }
    if (!oldest || at < *oldest) {
      oldest = at;
    }
  }
  return oldest.value_or(WallTime{});
}

void QueueImpl::Freeze(FreezeRequest request, std::function<void(Result<std::vector<BatchId>>)> done) {
  const std::lock_guard lock(mutex_);
  const auto refuse = [&](std::string message) {
    CompleteLocked([done, error = Error{ErrorCode::kInvalidArgument, std::move(message)}] { done(error); });
  };
  const std::optional<DestinationId> id = index_->FindDestination(request.destination);
  if (!id) {
    refuse("freeze: no destination \"" + request.destination + "\"");
    return;
  }
  Index::Backlog& backlog = index_->backlog(*id, request.lane);
  if (backlog.ranges.empty() || backlog.ranges.front().from != request.from || request.through < request.from ||
      request.through > index_->last_committed(request.lane)) {
    refuse("freeze: " + std::to_string(request.from) + ".." + std::to_string(request.through) + " is not what is pending");
    return;
  }
  const Index::Range before = backlog.ranges.front();
  const std::uint64_t messages = MessagesOf(request);
  if (messages > backlog.waiting) {
    refuse("freeze: more messages than wait");
    return;
  }
  const RangeMove move{before.id, request.through + 1, before.through && request.through >= *before.through};
  if (move.exhausted) {
    backlog.ranges.erase(backlog.ranges.begin());
  } else {
    backlog.ranges.front().from = move.from;
  }
  backlog.waiting -= messages;
  std::vector<BatchId> ids;
  for (const auto& batch : request.batches) {
    ids.push_back(AssignLocked(*batch, *id));
  }
  const auto shared = std::make_shared<FreezeRequest>(std::move(request));
  store_->PostLocked(Store::Change{
      [shared, destination = *id, move, &clock = clock_](Books& books) {
        return ApplyFreeze(books, destination, *shared, move, clock.Wall());
      },
      [this, shared, destination = *id, before, messages, ids, done](const Status& status) {
        if (status) {
          CompleteLocked([done, ids] { done(ids); });
          return;
        }
        // As if it had not been asked for.
        Index::Backlog& restored = index_->backlog(destination, shared->lane);
        if (!restored.ranges.empty() && restored.ranges.front().id == before.id) {
          restored.ranges.front() = before;
        } else {
          restored.ranges.insert(restored.ranges.begin(), before);
        }
        restored.waiting += messages;
        for (const BatchId batch : ids) {
          index_->Settle(batch);
        }
        CompleteLocked([done, error = status.error()] { done(error); });
      }});
}

void QueueImpl::Settle(Settlement settlement, std::function<void(Result<std::vector<BatchId>>)> done) {
  const std::lock_guard lock(mutex_);
  std::vector<BatchId> ids;
  for (const auto& successor : settlement.successors) {
    const std::optional<DestinationId> id = index_->FindDestination(successor->destination);
    ids.push_back(AssignLocked(*successor, id.value_or(0)));
  }
  const auto shared = std::make_shared<Settlement>(std::move(settlement));
  store_->PostLocked(Store::Change{
      [shared, &clock = clock_](Books& books) { return ApplySettle(books, *shared, clock.Wall()); },
      [this, shared, ids, done](const Status& status) {
        if (status) {
          index_->Settle(shared->batch);
          CompleteLocked([done, ids] { done(ids); });
          return;
        }
        for (const BatchId batch : ids) {
          index_->Settle(batch);
        }
        CompleteLocked([done, error = status.error()] { done(error); });
      }});
}

void QueueImpl::ReplayDead(std::vector<std::int64_t> ids, std::unique_ptr<FrozenBatch> batch,
                           std::function<void(Result<BatchId>)> done) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = index_->FindDestination(batch->destination);
  const BatchId batch_id = AssignLocked(*batch, id.value_or(0));
  const auto shared = std::shared_ptr<FrozenBatch>(std::move(batch));
  store_->PostLocked(Store::Change{
      [shared, destination = id.value_or(0), ids = std::move(ids)](Books& books) {
        return ApplyReplay(books, destination, ids, *shared);
      },
      [this, batch_id, done](const Status& status) {
        if (status) {
          CompleteLocked([done, batch_id] { done(batch_id); });
          return;
        }
        index_->Settle(batch_id);
        CompleteLocked([done, error = status.error()] { done(error); });
      }});
}

Status QueueImpl::RunChange(std::function<Status(Books&)> apply, std::function<Status(Books&)> after_locked) {
  std::optional<Status> result;
  std::condition_variable finished;
  Books* used = nullptr;
  std::unique_lock lock(mutex_);
  store_->PostLocked(Store::Change{[&, apply = std::move(apply)](Books& books) {
                                     used = &books;
                                     return apply(books);
                                   },
                                   [&, after = std::move(after_locked)](const Status& status) {
                                     result = status && after ? after(*used) : status;
                                     finished.notify_all();
                                   }});
  finished.wait(lock, [&] { return result.has_value(); });
  return *std::move(result);
}

Status QueueImpl::Reconfigure(std::vector<StreamOptions> streams, std::vector<std::string> destinations) {
  return RunChange(
      [&](Books& books) -> Status {
        const Result<std::array<Sequence, kLanes>> stored = LastStored(books.database());
        if (!stored) {
          return stored.error();
        }
        std::array<Sequence, kLanes> last = *stored;
        const std::lock_guard lock(mutex_);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          last.at(lane) = std::max(last.at(lane), index_->last_committed(static_cast<Lane>(lane)));
        }
        return ApplyConfiguration(books, streams, destinations, last);
      },
      [&](Books& books) { return LoadConfiguration(books.database(), streams, *index_); });
}

Stats QueueImpl::Snapshot() {
  Stats stats;
  stats.queue_id = queue_id_;
  stats.bytes = FileBytes(options_.path) + FileBytes(options_.path + "-wal");
  stats.dead_letters = static_cast<std::uint64_t>(reader_.Rows("dead").value_or(0));
  stats.quarantined = static_cast<std::uint64_t>(reader_.Rows("quarantine").value_or(0));
  std::vector<std::string> destinations;
  {
    const std::lock_guard lock(mutex_);
    const Books::Trimmed& held = store_->held_locked();
    stats.messages = static_cast<std::uint64_t>(std::max<std::int64_t>(held.messages, 0));
    stats.segments = static_cast<std::uint64_t>(std::max<std::int64_t>(held.segments, 0));
    stats.payload_bytes_stored = static_cast<std::uint64_t>(std::max<std::int64_t>(held.payload_bytes, 0));
    stats.commits = store_->commits_locked();
    stats.syncs = store_->syncs_locked();
    stats.last_error = store_->last_error_locked();
    stats.failing_since = store_->failing_since_locked();
    destinations = index_->Destinations();
  }
  for (const std::string& destination : destinations) {
    const WallTime oldest = OldestPending(destination);
    if (oldest != WallTime{} && (stats.oldest_at == WallTime{} || oldest < stats.oldest_at)) {
      stats.oldest_at = oldest;
    }
  }
  return stats;
}

}  // namespace

bool Ledger::Balanced() const {
  return std::all_of(rows.begin(), rows.end(), [](const LedgerRow& row) { return row.Balanced(); });
}

LedgerRow Ledger::Total() const {
  LedgerRow total;
  for (const LedgerRow& row : rows) {
    total.received += row.received;
    total.delivered += row.delivered;
    total.rejected += row.rejected;
    total.quarantined += row.quarantined;
    total.deduplicated += row.deduplicated;
    total.expired += row.expired;
    total.dropped += row.dropped;
    total.pending += row.pending;
    total.records_delivered += row.records_delivered;
    total.records_rejected += row.records_rejected;
  }
  return total;
}

Result<std::unique_ptr<Queue>> Open(Options options, const Clock& clock) {
  Result<Opened> opened = OpenDatabase(options);
  if (!opened) {
    return opened.error().With("open queue " + options.path);
  }
  return std::unique_ptr<Queue>(std::make_unique<QueueImpl>(std::move(options), clock, *std::move(opened)));
}

}  // namespace packhorse::queue
