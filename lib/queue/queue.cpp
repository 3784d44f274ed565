#include "queue/queue.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "queue/inspect/check.h"
#include "queue/pending_collector.h"
#include "queue/queue_impl.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

StartReport WithContradictions(StartReport report, const QueueState& state) {
  report.ledger_contradictions = state.LedgerContradictions();
  return report;
}

}  // namespace

QueueImpl::QueueImpl(Options options, const Clock& clock, Opened opened)
    : options_(std::move(options)),
      clock_(clock),
      lock_(std::move(opened.lock)),
      runtime_lock_(std::move(opened.runtime_lock)),
      ids_(std::move(opened.ids)),
      report_(WithContradictions(std::move(opened.report), *opened.state)),
      state_(std::move(opened.state)),
      limits_(options_.limits),
      store_(std::make_unique<Store>(
          std::move(opened.writer), *state_, mutex_, clock_, std::move(opened.journal), *std::move(opened.reserve_file),
          std::move(opened.witness),
          StoreOptions{opened.position, options_.strict, options_.window, options_.watch_interval,
                       options_.checkpoint_when_asked, [this] { Wake(); }})),
      reader_(std::move(opened.reader)) {
  expiry_.SetMaxAge(limits_.max_age);
}

void QueueImpl::Wake() {
  if (options_.wake && !woken_.exchange(true)) {
    options_.wake();
  }
}

void QueueImpl::Poll() {
  woken_.store(false);
  HoldLocks();
  std::deque<std::function<void()>> ready;
  bool behind = false;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(completions_);
    behind = store_->reader_behind_locked();
  }
  if (behind) {
    FollowDatabase();
  }
  for (const std::function<void()>& completion : ready) {
    completion();
  }
}

void QueueImpl::Checkpoint(std::function<void(const Status&)> done) {
  const std::lock_guard lock(mutex_);
  store_->WhenCheckpointedLocked(
      [this, done = std::move(done)](const Status& status) { CompleteLocked([done, status] { done(status); }); });
}

Queue::LastNumbers QueueImpl::Last() {
  const std::lock_guard lock(mutex_);
  LastNumbers last{};
  for (const Lane lane : kAllLanes) {
    last.at(At(lane)) = state_->last(lane);
  }
  return last;
}

bool QueueImpl::SettledThrough(const std::string& destination, const LastNumbers& last) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  return !id || std::all_of(kAllLanes.begin(), kAllLanes.end(),
                            [&](Lane lane) { return state_->SettledThrough(*id, lane, last.at(At(lane))); });
}

Result<StreamId> QueueImpl::Stream(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  if (const std::optional<StreamId> id = state_->FindStream(name)) {
    return *id;
  }
  return Error{ErrorCode::kNotFound, "no stream \"" + std::string(name) + "\" in the queue"};
}

std::string QueueImpl::StreamName(StreamId id) const {
  const std::lock_guard lock(mutex_);
  return state_->StreamName(id);
}

PendingStats QueueImpl::Waiting(const std::string& destination, LanePart of) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  if (!id) {
    return {};
  }
  PendingStats stats;
  const PendingRanges& pending = state_->pending_ranges(*id, of.lane);
  stats.withheld = state_->Withheld(*id, of, WithheldFromLocked(of.lane));
  stats.messages = pending.waiting(of.part) - stats.withheld;
  if (const PendingRange* first = pending.First(of.part)) {
    stats.from = first->from;
    stats.through = std::min(first->through.value_or(kMaxSequence), state_->last(of.lane));
  }
  const std::uint64_t waiting = pending.waiting();
  const std::uint64_t all = state_->PendingMessages(*id, of.lane);
  stats.set_aside = state_->suspects().MessageCount(*id, of.lane);
  stats.prepared_messages = all > waiting + stats.set_aside ? all - waiting - stats.set_aside : 0;
  return stats;
}

void QueueImpl::WakeAt(const std::string& destination, LanePart of, std::uint64_t messages) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  if (!id) {
    return;
  }
  PendingRanges& pending = state_->pending_ranges(*id, of.lane);
  pending.wake_at = messages;
  pending.wake_part = of.part;
  if (pending.waiting(of.part) - state_->Withheld(*id, of, WithheldFromLocked(of.lane)) >= messages) {
    Wake();  // they came in between
  }
}

Result<Pending> QueueImpl::Peek(const std::string& destination, LanePart of, std::size_t max_messages,
                                std::uint64_t max_bytes) {
  return Look(destination, of, 0, max_messages, max_bytes, false);
}

Result<Pending> QueueImpl::PeekBehind(Sequence behind, const std::string& destination, LanePart of,
                                      std::size_t max_messages, std::uint64_t max_bytes, Pending room) {
  return Look(destination, of, behind, max_messages, max_bytes, false, std::move(room));
}

Result<Pending> QueueImpl::Look(const std::string& destination, LanePart of, Sequence behind, std::size_t max_messages,
                                std::uint64_t max_bytes, bool withheld_too, Pending room) {
  const Lane lane = of.lane;
  std::unique_lock lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  if (!id) {
    return Error{ErrorCode::kNotFound, "no destination \"" + destination + "\" in the queue"};
  }
  const PendingRange* found = state_->pending_ranges(*id, lane).First(of.part);
  PendingCollector collector(std::move(room), max_messages, max_bytes);
  const Sequence end = withheld_too ? kMaxSequence : WithheldFromLocked(lane).value_or(kMaxSequence);
  if (found == nullptr || found->from >= end) {
    return Pending{};
  }
  const Sequence from = std::max(found->from, behind + 1);
  const Sequence limit = std::min({found->through.value_or(kMaxSequence), state_->last(lane), end - 1});
  collector.Begin(from);
  if (from > limit) {
    return collector.Take();
  }
  const std::vector<Subscription> wanted = state_->SubscriptionsOf(*id, lane);
  bool more = true;
  Status visited = VisitMessages(lock, lane, from, limit, [&](std::string_view plain, Sequence first) -> Result<bool> {
    const Result<bool> added = collector.Add(plain, first, limit, wanted, reader_.MarkIn(plain));
    more = added && *added;
    return added;
  });
  RETURN_IF_ERROR(visited);
  Pending pending = collector.Take();
  if (more) {
    pending.through = limit;  // also past numbers that were never used
  }
  CorrectLocked(lane, pending.messages);
  return pending;
}

Status QueueImpl::VisitMessages(std::unique_lock<std::mutex>& lock, Lane lane, Sequence from, Sequence limit,
                                const VisitPlain& visit) {
  bool complete = false;
  bool more = true;
  const auto cached = state_->Cached(lane, from, complete);
  if (!complete) {
    lock.unlock();
    Status visited =
        reader_.VisitSegments(lane, from, [&](Sequence first, Sequence, const std::string& plain) -> Result<bool> {
          // One row holds what were many segments in memory: it may end beyond the first of those that still are.
          if (first > limit || (!cached.empty() && first >= cached.front()->messages.first())) {
            return false;
          }
          const Result<bool> go_on = visit(plain, first);
          more = go_on && *go_on;
          return go_on;
        });
    lock.lock();
    if (!visited) {
      if (visited.error().code == ErrorCode::kCorrupt) {
        store_->NoteDamageLocked(visited.error());
      }
      return visited;
    }
  }
  for (const RamSegmentPtr& segment : cached) {
    const SegmentEncoder& messages = segment->messages;
    if (!more || messages.first() > limit) {
      break;
    }
    const Result<bool> go_on = visit(messages.plain(), messages.first());
    RETURN_IF_ERROR(go_on);
    more = *go_on;
  }
  return {};
}

std::optional<WallTime> QueueImpl::OldestWaiting(const std::string& destination, LanePart of) {
  std::unique_lock lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  const PendingRange* range = id ? state_->pending_ranges(*id, of.lane).First(of.part) : nullptr;
  if (range == nullptr) {
    return std::nullopt;
  }
  const Sequence from = range->from;
  StoredMessage first = state_->pending_ranges(*id, of.lane).oldest;
  if (state_->pending_ranges(*id, of.lane).oldest_for != from) {
    lock.unlock();
    Result<Pending> pending = Look(destination, of, 0, 1, 1, true);
    lock.lock();
    if (!pending || pending->messages.empty()) {
      return std::nullopt;
    }
    first = std::move(pending->messages.front());
    first.message.payload.clear();
    PendingRanges& known = state_->pending_ranges(*id, of.lane);
    known.oldest_for = from;
    known.oldest = first;
  }
  state_->clock_epochs().Correct(of.lane, first.sequence, first.message);
  return state_->clock_epochs().Arrived(of.lane, first.sequence, first.message, clock_);
}

WallTime QueueImpl::OldestPending(const std::string& destination) {
  std::optional<WallTime> oldest;
  {
    const std::lock_guard lock(mutex_);
    const std::optional<DestinationId> id = state_->FindDestination(destination);
    for (const auto& [batch_id, unsettled] : state_->unsettled()) {
      const PreparedBatch& batch = *unsettled.batch;
      if (id && unsettled.destination == *id) {
        const WallTime at =
            state_->clock_epochs().Shown(batch.lane, batch.members.front().sequence, batch.oldest_at, clock_);
        oldest = std::min(oldest.value_or(at), at);
      }
    }
  }
  for (const Lane lane : kAllLanes) {
    const std::optional<WallTime> at = OldestWaiting(destination, lane);
    if (at && (!oldest || *at < *oldest)) {
      oldest = at;
    }
  }
  return oldest.value_or(WallTime{});
}

std::vector<std::chrono::microseconds> QueueImpl::AgesOf(Lane lane, std::span<const StoredMessage> messages) {
  const std::lock_guard lock(mutex_);
  const Ages ages = state_->clock_epochs().AgesAt(clock_.Boot(), clock_.Synchronized());
  std::vector<std::chrono::microseconds> all;
  all.reserve(messages.size());
  for (const StoredMessage& stored : messages) {
    all.push_back(ages.Of(lane, stored.sequence, stored.message.boot_time));
  }
  return all;
}

std::optional<StoredMessage> QueueImpl::FindInMemoryLocked(Lane lane, Sequence sequence) const {
  bool complete = false;
  const auto cached = state_->Cached(lane, sequence, complete);
  if (cached.empty() || cached.front()->messages.first() > sequence) {
    return std::nullopt;
  }
  const SegmentEncoder& messages = cached.front()->messages;
  SegmentReader reader(messages.plain(), messages.first());
  while (!reader.AtEnd()) {
    const Result<SegmentReader::Head> head = reader.Next();
    if (!head) {
      return std::nullopt;
    }
    if (head->sequence == sequence) {
      return StoredMessage{sequence, reader.Take()};
    }
  }
  return std::nullopt;
}

Result<StoredMessage> QueueImpl::Read(Lane lane, Sequence sequence) {
  {
    const std::lock_guard lock(mutex_);
    if (std::optional<StoredMessage> found = FindInMemoryLocked(lane, sequence)) {
      state_->clock_epochs().Correct(lane, sequence, found->message);
      return *std::move(found);
    }
    if (std::optional<StoredMessage> suspect = state_->UncheckpointedSuspectMessage(lane, sequence)) {
      return *std::move(suspect);
    }
  }
  Result<StoredMessage> stored = Noted(reader_.Message(lane, sequence));
  if (stored) {
    const std::lock_guard lock(mutex_);
    state_->clock_epochs().Correct(lane, sequence, stored->message);
  }
  return stored;
}

Result<std::vector<PreparedBatch>> QueueImpl::PreparedBatches(const std::string& destination) {
  std::vector<PreparedBatch> batches;
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  for (const auto* prepared : {&state_->unsettled(), &state_->replays().batches()}) {
    for (const auto& [batch_id, unsettled] : *prepared) {
      if (id && unsettled.destination == *id) {
        batches.push_back(*unsettled.batch);
        batches.back().maybe_sent = true;
      }
    }
  }
  const auto before = [](const PreparedBatch& a, const PreparedBatch& b) {
    return std::tuple(a.lane, a.members.front().sequence, a.members.front().first_record) <
           std::tuple(b.lane, b.members.front().sequence, b.members.front().first_record);
  };
  std::sort(batches.begin(), batches.end(), before);
  return batches;
}

Result<std::vector<DeadLetter>> QueueImpl::DeadLetters(std::size_t limit, std::int64_t after_id, Reading reading) {
  RETURN_IF_ERROR(reading == Reading::kUpToDate ? store_->Barrier() : Status{});
  Result<std::vector<DeadLetter>> letters = Noted(reader_.DeadLetters(limit, after_id));
  if (letters) {
    for (DeadLetter& letter : *letters) {
      letter.record_id = IdOf(letter);
    }
  }
  return letters;
}

Result<DeadLetter> QueueImpl::FindDeadLetter(std::int64_t id) {
  Result<DeadLetter> letter = Noted(reader_.FindDeadLetter(id));
  if (letter) {
    letter->record_id = IdOf(*letter);
  }
  return letter;
}

Result<std::vector<QuarantinedMessage>> QueueImpl::Quarantined(std::size_t limit, Sequence after, Reading reading) {
  RETURN_IF_ERROR(reading == Reading::kUpToDate ? store_->Barrier() : Status{});
  return Noted(reader_.Quarantined(limit, after));
}

Result<Ledger> QueueImpl::ReadLedger() {
  const std::lock_guard lock(mutex_);
  return state_->BuildLedger();
}

Result<std::vector<std::string>> QueueImpl::VerifyLedger() {
  RETURN_IF_ERROR(store_->Barrier());
  Result<CheckReport> report = Noted(CheckAll(options_.path));
  RETURN_IF_ERROR(report);
  if (!report->damage.empty()) {
    NoteDamage(report->damage);
  }
  return std::move(report->problems);
}

void QueueImpl::NoteDamage(const std::string& because) {
  const std::lock_guard lock(mutex_);
  store_->NoteDamageLocked(Error{ErrorCode::kCorrupt, because});
}

Stats QueueImpl::Snapshot() {
  Stats stats;
  stats.queue_id = ids_.current();
  const Result<std::uint64_t> bytes = BytesInUse();
  stats.bytes = bytes ? *bytes : 0;
  std::vector<std::string> destinations;
  {
    const std::lock_guard lock(mutex_);
    const SegmentTotals held = state_->held();
    stats.at_risk = state_->Unstored();
    if (const std::optional<MonoTime> oldest = state_->OldestUnstored()) {
      stats.at_risk_for = clock_.Mono() - *oldest;
    }
    const SegmentTotals retained = state_->retained().held();
    stats.messages =
        static_cast<std::uint64_t>(std::max<std::int64_t>(held.messages - retained.messages, 0)) + stats.at_risk;
    stats.retained_messages = static_cast<std::uint64_t>(retained.messages);
    stats.retained_bytes = static_cast<std::uint64_t>(retained.payload_bytes);
    stats.released_messages = static_cast<std::uint64_t>(state_->retained().released());
    stats.segments = static_cast<std::uint64_t>(std::max<std::int64_t>(held.segments, 0));
    stats.payload_bytes_stored = static_cast<std::uint64_t>(std::max<std::int64_t>(held.payload_bytes, 0));
    stats.dead_letters = static_cast<std::uint64_t>(std::max<std::int64_t>(state_->dead(), 0));
    stats.suspects = state_->suspects().all().size();
    stats.undecodable = state_->Undecodable();
    stats.quarantined = static_cast<std::uint64_t>(std::max<std::int64_t>(state_->quarantined(), 0));
    stats.most_waiting = state_->MostWaiting();
    stats.full = store_->disk_full_locked() ? kFullDisk : full_;
    stats.commits = store_->commits_locked();
    stats.journal_bytes = store_->journal_bytes_locked();
    stats.damage = store_->damage_locked();
    stats.replaced = store_->replaced_locked();
    stats.last_error = store_->last_error_locked();
    stats.failing_since = store_->failing_since_locked();
    destinations = state_->Destinations();
    stats.pending = state_->Pending();
  }
  for (const std::string& destination : destinations) {
    const WallTime oldest = OldestPending(destination);
    if (oldest != WallTime{} && (stats.oldest_at == WallTime{} || oldest < stats.oldest_at)) {
      stats.oldest_at = oldest;
    }
  }
  return stats;
}

bool Ledger::Balanced() const {
  return std::all_of(rows.begin(), rows.end(), [](const LedgerRow& row) { return row.Balanced(); });
}

LedgerRow Ledger::Total() const {
  LedgerRow total;
  for (const LedgerRow& row : rows) {
    if (row.stream.starts_with(kOwnStreams)) {
      continue;
    }
    total.received += row.received;
    for (const LedgerCounter& counter : kLedgerCounters) {
      total.*counter.messages += row.*counter.messages;
    }
    total.pending += row.pending;
    total.records_delivered += row.records_delivered;
    total.records_rejected += row.records_rejected;
    total.replayed += row.replayed;
    total.records_replayed += row.records_replayed;
  }
  return total;
}

Result<std::unique_ptr<Queue>> Open(Options options, const Clock& clock) {
  options.path = FollowLinks(options.path);  // lock, log and witness lie beside the file itself
  Result<Opened> opened = OpenQueue(options, clock);
  if (!opened) {
    return opened.error().With("open queue " + options.path);
  }
  return std::unique_ptr<Queue>(std::make_unique<QueueImpl>(std::move(options), clock, *std::move(opened)));
}

}  // namespace packhorse::queue
