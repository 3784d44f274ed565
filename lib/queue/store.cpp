#include "queue/store.h"

#include <algorithm>
#include <array>
#include <utility>

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

// Numbers that one reservation covers: a crash skips at most this many.
constexpr Sequence kNumberBlock = 4096;
// What one transaction takes at most, so that its memory and its time are bounded.
constexpr std::size_t kMaxArrivals = 4096;
constexpr std::uint64_t kMaxArrivalBytes = 8ULL << 20U;
constexpr std::size_t kMaxChanges = 256;
// Trimming in larger steps touches fewer pages; counts without a sync of their own may wait as long.
constexpr auto kTrimInterval = 200ms;
constexpr std::int64_t kTrimRows = 5'000;
constexpr auto kBoundInterval = 60s;
constexpr auto kIdleFlush = 500ms;
constexpr auto kRetryFirst = 100ms;
constexpr auto kRetryMax = 2'000ms;

std::size_t At(Lane lane) { return static_cast<std::size_t>(lane); }

}  // namespace

Store::Store(Books books, Index& index, std::mutex& mutex, const Clock& clock, std::array<Numbers, kLanes> numbers,
             std::function<void()> wake, StoreLimits limits, Books::Trimmed held)
    : books_(std::move(books)),
      index_(index),
      mutex_(mutex),
      clock_(clock),
      numbers_(numbers),
      wake_(std::move(wake)),
      limits_(limits),
      held_(held),
      thread_([this] { Run(); }) {}

Store::~Store() { Stop(); }

Result<Sequence> Store::Append(Arrival arrival) {
  std::unique_lock lock(mutex_);
  if (stopping_) {
    return Error{ErrorCode::kUnavailable, "the queue is stopping"};
  }
  arrivals_.push_back(&arrival);
  work_.notify_one();
  done_.wait(lock, [&] { return arrival.result.has_value(); });
  return *std::move(arrival.result);
}

void Store::Count(StreamId stream, DestinationId destination, int outcome, std::string_view reason, std::int32_t hour,
                  std::int64_t messages) {
  const std::lock_guard lock(mutex_);
  counts_[LedgerKey{hour, stream, destination, outcome, std::string(reason)}].messages += messages;
}

void Store::PostLocked(Change change) {
  if (stopped_) {
    change.finished(Error{ErrorCode::kUnavailable, "the queue is stopped"});
    return;
  }
  changes_.push_back(std::move(change));
  work_.notify_one();
}

void Store::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

Store::Work Store::Take(std::unique_lock<std::mutex>& lock) {
  const auto ready = [&] { return stopping_ || !arrivals_.empty() || !changes_.empty(); };
  work_.wait_for(lock, kIdleFlush, ready);
  Work work;
  std::uint64_t bytes = 0;
  while (!arrivals_.empty() && work.arrivals.size() < kMaxArrivals && bytes < kMaxArrivalBytes) {
    bytes += arrivals_.front()->message.payload.size();
    work.arrivals.push_back(arrivals_.front());
    arrivals_.pop_front();
  }
  while (!changes_.empty() && work.changes.size() < kMaxChanges) {
    work.changes.push_back(std::move(changes_.front()));
    changes_.pop_front();
  }
  work.counts = std::exchange(counts_, {});
  return work;
}

void Store::Run() {
  while (true) {
    std::unique_lock lock(mutex_);
    Work work = Take(lock);
    const bool stop = stopping_ && work.empty();
    lock.unlock();
    unsigned failures = 0;
    while (true) {
      Built built;
      Status committed = TryCommit(work, built);
      if (committed) {
        Publish(work, built);
        break;
      }
      books_.Rollback();
      if (!WaitAfterFailure(committed.error(), failures++)) {
        Fail(work, committed.error());
        break;
      }
    }
    if (stop) {
      MarkClean();
      lock.lock();
      stopped_ = true;
      return;
    }
  }
}

Status Store::TryCommit(Work& work, Built& built) {
  const MonoTime now = clock_.Mono();
  const bool trim = now >= next_trim_;
  built.numbers_after = numbers_;
  if (work.empty() && !trim) {
    return {};
  }
  if (Status begun = books_.Begin(!work.arrivals.empty()); !begun) {
    return begun;
  }
  if (Status written = WriteArrivals(work, built); !written) {
    return written;
  }
  for (const auto& [key, count] : work.counts) {
    books_.Count(key.hour, key.stream, key.destination, key.outcome, key.reason, count.messages, count.records);
  }
  for (const Change& change : work.changes) {
    Status applied = books_.Attempt(change.apply);
    if (!applied && MayHeal(applied.error())) {
      return applied;
    }
    built.change_results.push_back(std::move(applied));
  }
  if (trim) {
    if (Status trimmed = TrimSegments(built); !trimmed) {
      return trimmed;
    }
  }
  return books_.Commit();
}

Status Store::NextNumber(Lane lane, Built& built, Sequence& sequence) {
  Numbers& numbers = built.numbers_after[At(lane)];
  if (numbers.next > numbers.reserved_through) {
    const Sequence through = numbers.next + kNumberBlock - 1;
    if (Status reserved = books_.Reserve(lane, through); !reserved) {
      return reserved;
    }
    numbers.reserved_through = through;
  }
  sequence = numbers.next++;
  return {};
}

Status Store::WriteArrivals(const Work& work, Built& built) {
  Encoders encoders;
  for (const Arrival* arrival : work.arrivals) {
    if (Status written = WriteArrival(*arrival, encoders, built); !written) {
      return written;
    }
  }
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    const std::optional<SegmentEncoder>& encoder = encoders.at(At(lane));
    if (!encoder) {
      continue;
    }
    Status inserted = books_.InsertSegment(lane, encoder->first(), encoder->last(), encoder->messages(),
                                           encoder->payload_bytes(), encoder->Finish());
    if (!inserted) {
      return inserted;
    }
    auto cached = std::make_shared<CachedSegment>();
    cached->first = encoder->first();
    cached->last = encoder->last();
    cached->plain = encoder->plain();
    built.segments.emplace_back(lane, std::move(cached));
    built.stored.segments += 1;
    built.stored.messages += static_cast<std::int64_t>(encoder->messages());
    built.stored.payload_bytes += static_cast<std::int64_t>(encoder->payload_bytes());
  }
  return {};
}

Status Store::WriteArrival(const Arrival& arrival, Encoders& encoders, Built& built) {
  const RawMessage& message = arrival.message;
  std::vector<DestinationId> recipients;
  Lane lane = Lane::kNormal;
  {
    const std::lock_guard lock(mutex_);
    recipients = index_.Recipients(message.stream);
    lane = index_.LaneOf(message.stream);
  }
  Sequence sequence = 0;
  if (Status numbered = NextNumber(lane, built, sequence); !numbered) {
    return numbered;
  }
  built.numbers.push_back(sequence);
  const bool quarantined = !arrival.quarantine_reason.empty();
  if (quarantined) {
    Status kept = books_.InsertQuarantine(lane, StoredMessage{sequence, message}, arrival.quarantine_reason,
                                          arrival.quarantine_detail, clock_.Wall());
    if (!kept) {
      return kept;
    }
  } else {
    std::optional<SegmentEncoder>& encoder = encoders.at(At(lane));
    if (!encoder) {
      encoder.emplace(sequence);
    }
    encoder->Add(sequence, message);
  }
  const std::int32_t hour = HourOf(message.received_at);
  for (const DestinationId destination : recipients) {
    books_.Count(hour, message.stream, destination, kLedgerReceived, "", 1, 0);
    if (quarantined) {
      books_.Count(hour, message.stream, destination, LedgerCode(Outcome::kQuarantined), arrival.quarantine_reason, 1,
                   0);
    } else {
      books_.Count(0, message.stream, destination, kLedgerPending, std::string(1, Letter(lane)), 1, 0);
      ++built.waiting[{destination, lane}];
    }
  }
  return {};
}

Status Store::TrimSegments(Built& built) {
  const MonoTime now = clock_.Mono();
  next_trim_ = now + kTrimInterval;
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    Sequence low = 0;
    {
      const std::lock_guard lock(mutex_);
      low = index_.LowWater(lane);
    }
    // What this transaction stores is not known to the index yet.
    const Result<Books::Trimmed> trimmed = books_.Trim(lane, low, kTrimRows);
    if (!trimmed) {
      return trimmed.error();
    }
    built.trimmed.segments += trimmed->segments;
    built.trimmed.messages += trimmed->messages;
    built.trimmed.payload_bytes += trimmed->payload_bytes;
  }
  if (now < next_bound_) {
    return {};
  }
  next_bound_ = now + kBoundInterval;
  for (const auto& [table, rows] : {std::pair<const char*, std::uint32_t>{"settled", limits_.settled},
                                    {"dead", limits_.dead},
                                    {"quarantine", limits_.quarantined}}) {
    if (Status bounded = books_.Bound(table, rows); !bounded) {
      return bounded;
    }
  }
  return {};
}

void Store::Publish(Work& work, Built& built) {
  const std::lock_guard lock(mutex_);
  numbers_ = built.numbers_after;
  index_.Apply(books_.ledger_changes());
  for (auto& [lane, segment] : built.segments) {
    index_.Committed(lane, segment);
  }
  for (const auto& [key, messages] : built.waiting) {
    index_.Waiting(key.first, key.second, messages);
  }
  for (std::size_t i = 0; i < work.changes.size(); ++i) {
    work.changes[i].finished(built.change_results[i]);
  }
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    index_.CatchUp(lane);
    index_.DropCached(lane, index_.LowWater(lane));
  }
  held_.segments += built.stored.segments - built.trimmed.segments;
  held_.messages += built.stored.messages - built.trimmed.messages;
  held_.payload_bytes += built.stored.payload_bytes - built.trimmed.payload_bytes;
  if (!work.empty()) {
    ++commits_;
    syncs_ += work.arrivals.empty() ? 0U : 1U;
  }
  last_error_.clear();
  failing_since_ = {};
  for (std::size_t i = 0; i < work.arrivals.size(); ++i) {
    work.arrivals[i]->result = built.numbers[i];
  }
  if (!work.arrivals.empty()) {
    done_.notify_all();
  }
  if (wake_ && !work.empty()) {
    wake_();
  }
}

void Store::Fail(Work& work, const Error& error) {
  const std::lock_guard lock(mutex_);
  for (Arrival* arrival : work.arrivals) {
    arrival->result = error;
  }
  for (Change& change : work.changes) {
    change.finished(error);
  }
  done_.notify_all();
}

bool Store::WaitAfterFailure(const Error& error, unsigned failures) {
  std::unique_lock lock(mutex_);
  if (last_error_.empty()) {
    failing_since_ = clock_.Wall();
  }
  last_error_ = error.message;
  if (wake_) {
    wake_();
  }
  const auto wait =
      std::min<std::chrono::milliseconds>(kRetryFirst * (1 << static_cast<int>(std::min(failures, 5U))), kRetryMax);
  return !work_.wait_for(lock, wait, [&] { return stopping_; });
}

void Store::MarkClean() {
  // Best effort: without it the next start only skips the rest of a block of numbers.
  if (!books_.Begin(true)) {
    return;
  }
  std::string sql = "UPDATE meta SET value = '1' WHERE key = 'clean';";
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    sql += "UPDATE lanes SET next_sequence = " + std::to_string(numbers_[At(lane)].next) +
           " WHERE lane = " + std::to_string(At(lane)) + ";";
  }
  if (!books_.database().Execute(sql) || !books_.Commit()) {
    books_.Rollback();
  }
}

}  // namespace packhorse::queue
