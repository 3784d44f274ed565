#include "queue/queue.h"

#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "queue/queue_impl.h"

namespace packhorse::queue {
namespace {

std::uint64_t FileBytes(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

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

}  // namespace

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
    Status visited = reader_.VisitSegments(
        lane, range.from, [&](Sequence first, Sequence last, const std::string& plain) -> Result<bool> {
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
