// The newest of what waits, for a probe: how it is found, and how it is taken out of the middle of a range.

#include <algorithm>
#include <deque>
#include <utility>

#include "queue/queue_impl.h"
#include "queue/segment/message_codec.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

// How many segments are looked at for a message of the destination.
constexpr int kSegmentsBack = 64;

// The last messages of one destination.
class NewestCollector {
 public:
  NewestCollector(const std::vector<Subscription>& wanted, std::size_t max_messages, std::uint64_t max_bytes)
      : wanted_(wanted), max_messages_(max_messages), max_bytes_(max_bytes) {}

  // Segments may overlap: what was seen since Begin() is not seen again.
  void Begin() { seen_ = 0; }
  // Of [from, limit].
  Result<bool> Add(std::string_view plain, Sequence first, Sequence from, Sequence limit) {
    const auto add = [&](const SegmentReader& reader, const SegmentReader::Head& head) {
      seen_ = head.sequence;
      if (QueueState::Holds(wanted_, head.stream, head.sequence)) {
        newest_.push_back(StoredMessage{head.sequence, reader.Take()});
        bytes_ += newest_.back().message.payload.size();
      }
      while (newest_.size() > 1 && (newest_.size() > max_messages_ || bytes_ > max_bytes_)) {
        bytes_ -= newest_.front().message.payload.size();
        newest_.pop_front();
      }
      return true;
    };
    return WalkSegment(plain, first, std::max(seen_, from - 1), limit, add);
  }
  bool empty() const { return newest_.empty(); }
  Pending Take() {
    Pending pending;
    if (!newest_.empty()) {
      pending.from = newest_.front().sequence;
      pending.through = newest_.back().sequence;
      pending.messages.assign(std::make_move_iterator(newest_.begin()), std::make_move_iterator(newest_.end()));
    }
    return pending;
  }

 private:
  const std::vector<Subscription>& wanted_;
  const std::size_t max_messages_;
  const std::uint64_t max_bytes_;
  std::deque<StoredMessage> newest_;
  std::uint64_t bytes_ = 0;
  Sequence seen_ = 0;
};

}  // namespace

Result<Sequence> QueueImpl::SegmentAt(std::unique_lock<std::mutex>& lock, Lane lane, Sequence through) {
  Sequence first = 0;
  bool complete = false;
  for (const RamSegmentPtr& segment : state_->Cached(lane, 0, complete)) {
    if (segment->messages.first() <= through) {
      first = std::max(first, segment->messages.first());
    }
  }
  lock.unlock();
  const Result<Sequence> stored = Noted(reader_.LastSegment(lane, through));
  lock.lock();
  return stored ? Result<Sequence>(std::max(first, *stored)) : stored;
}

Result<Pending> QueueImpl::PeekNewest(const std::string& destination, LanePart of, std::size_t max_messages,
                                      std::uint64_t max_bytes) {
  const Lane lane = of.lane;
  std::unique_lock lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  if (!id) {
    return Error{ErrorCode::kNotFound, "no destination \"" + destination + "\" in the queue"};
  }
  const Sequence end = WithheldFromLocked(lane).value_or(kMaxSequence);
  const PendingRanges& ranges = state_->pending_ranges(*id, lane);
  const PendingRange* last = ranges.Last(of.part, end);
  if (last == nullptr || ranges.ranges.size() >= kMaxRanges) {
    return Pending();
  }
  const PendingRange range = *last;
  const std::vector<Subscription> wanted = state_->SubscriptionsOf(*id, lane);
  NewestCollector collector(wanted, max_messages, max_bytes);
  Sequence limit = std::min({range.through.value_or(kMaxSequence), state_->last(lane), end - 1});
  for (int looks = 0; looks < kSegmentsBack && collector.empty() && limit >= range.from; ++looks) {
    const Result<Sequence> begins = SegmentAt(lock, lane, limit);
    RETURN_IF_ERROR(begins);
    const Sequence from = std::max(*begins, range.from);
    collector.Begin();
    const auto visit = [&](std::string_view plain, Sequence first) -> Result<bool> {
      return collector.Add(plain, first, from, limit);
    };
    RETURN_IF_ERROR(VisitMessages(lock, lane, from, limit, visit));
    limit = from - 1;
  }
  Pending pending = collector.Take();
  CorrectLocked(lane, pending.messages);
  return pending;
}

Sequence QueueImpl::HighestTaken(const std::string& destination, Lane lane) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  return id ? state_->HighestTaken(*id, lane) : 0;
}

// Only the loop takes from a range: it is as it was when the lock was given up, but for what has arrived since.
Status QueueImpl::CutForPrepare(std::unique_lock<std::mutex>& lock, const PrepareRequest& request,
                                const PendingRange& range, PrepareOp& op) {
  const std::vector<Subscription> wanted = state_->SubscriptionsOf(op.destination, op.lane);
  const Sequence limit = std::min(range.through.value_or(kMaxSequence), state_->last(op.lane));
  std::uint64_t behind = 0;
  Sequence seen = request.through;
  const auto count = [&](std::string_view plain, Sequence first) -> Result<bool> {
    return WalkSegment(plain, first, seen, limit, [&](const SegmentReader&, const SegmentReader::Head& head) {
      seen = head.sequence;
      behind += QueueState::Holds(wanted, head.stream, head.sequence) ? 1U : 0U;
      return true;
    });
  };
  if (request.through < limit) {
    RETURN_IF_ERROR(VisitMessages(lock, op.lane, request.through + 1, limit, count));
  }
  if (behind + op.messages > range.waiting) {
    return Refused("more messages than wait");
  }
  const std::uint64_t before = range.waiting - behind - op.messages;
  if (before == 0) {
    return {};
  }
  const std::vector<PendingRange>& ranges = state_->pending_ranges(op.destination, op.lane).ranges;
  const auto now = std::find_if(ranges.begin(), ranges.end(), [&](const auto& each) { return each.id == range.id; });
  if (now == ranges.end() || now->waiting < before) {
    return Refused("the range is no longer what it was");
  }
  op.range = state_->TakeRangeId();
  store_->PostLocked(SplitOp{op.destination, op.lane, request.from, op.range, range.id, now->waiting - before},
                     [](const Status&) {});
  return {};
}

}  // namespace packhorse::queue
