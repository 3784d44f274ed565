#include "queue/state/queue_state.h"

#include <algorithm>

#include "queue/segment/segment_key.h"

namespace packhorse::queue {
namespace {

// What a segment in memory costs beside its bytes.
constexpr std::uint64_t kSegmentOverhead = 128;

std::uint64_t Cost(const RamSegment& segment) { return segment.messages.plain().size() + kSegmentOverhead; }

bool Contains(const std::vector<StreamId>& streams, StreamId stream) {
  return std::find(streams.begin(), streams.end(), stream) != streams.end();
}

bool Needs(const NeededSpan& span, Lane lane, const RamSegment& segment) {
  return span.Overlaps(lane, segment.messages.first(), segment.messages.last()) &&
         std::any_of(segment.streams.begin(), segment.streams.end(),
                     [&](StreamId stream) { return Contains(span.streams, stream); });
}

bool Needed(const std::vector<NeededSpan>& spans, Lane lane, const RamSegment& segment) {
  return std::any_of(spans.begin(), spans.end(), [&](const NeededSpan& span) { return Needs(span, lane, segment); });
}

// How many of a segment's messages somebody needs.
std::uint64_t CountNeeded(const std::vector<NeededSpan>& spans, Lane lane, const RamSegment& segment) {
  const bool whole = std::any_of(spans.begin(), spans.end(), [&](const NeededSpan& span) {
    return span.lane == lane && span.from <= segment.messages.first() && span.through >= segment.messages.last() &&
           std::all_of(segment.streams.begin(), segment.streams.end(),
                       [&](StreamId stream) { return Contains(span.streams, stream); });
  });
  if (whole) {
    return segment.messages.messages();
  }
  std::uint64_t needed = 0;
  SegmentReader reader(segment.messages.plain(), segment.messages.first());
  while (!reader.AtEnd()) {
    const Result<SegmentReader::Head> head = reader.Next();
    if (!head) {
      break;
    }
    if (std::any_of(spans.begin(), spans.end(),
                    [&](const NeededSpan& span) { return span.Holds(lane, head->sequence, head->stream); })) {
      ++needed;
    }
  }
  return needed;
}

}  // namespace

bool NeededSpan::Holds(Lane other, Sequence sequence, StreamId stream) const {
  return lane == other && sequence >= from && sequence <= through && Contains(streams, stream);
}

// --- filled when opening ---

void QueueState::AddStream(StreamId id, std::string name) {
  stream_ids_[name] = id;
  streams_[id] = std::move(name);
}

void QueueState::AddDestination(DestinationId id, std::string name) {
  destination_ids_[name] = id;
  destinations_[id] = std::move(name);
}

void QueueState::AddRange(DestinationId destination, Lane lane, PendingRange range) {
  std::vector<PendingRange>& ranges = pending_ranges(destination, lane).ranges;
  ranges.push_back(range);
  std::sort(ranges.begin(), ranges.end(), [](const PendingRange& a, const PendingRange& b) { return a.from < b.from; });
  next_range_ = std::max(next_range_, range.id + 1);
}

void QueueState::AddUnsettled(DestinationId destination, BatchPtr batch) {
  const BatchId id = batch->id;
  next_batch_ = std::max(next_batch_, id + 1);
  unsettled_[id] = Unsettled{destination, std::move(batch)};
}

void QueueState::AddTotals(const LedgerChanges& totals) {
  for (const auto& [key, change] : totals) {
    LedgerKey total = key;
    total.hour = 0;
    LedgerCount& count = totals_[total];
    count.messages += change.messages;
    count.records += change.records;
    pending_ += key.outcome == kLedgerPending && !IsOwn(key.stream) ? change.messages : 0;
  }
}

bool QueueState::IsOwn(StreamId stream) const {
  const auto found = streams_.find(stream);
  return found != streams_.end() && found->second.starts_with(kOwnStreams);
}

void QueueState::SetKept(std::int64_t dead, std::int64_t quarantined) {
  dead_ = dead;
  quarantined_ = quarantined;
}

void QueueState::ForgetWaiting() {
  for (auto& [key, pending] : pending_ranges_) {
    for (PendingRange& range : pending.ranges) {
      range.waiting = 0;
      SaveRange(key.first, key.second, range, false);
    }
  }
}

void QueueState::CountWaiting(Lane lane, Sequence sequence, StreamId stream) {
  for (auto& [key, pending] : pending_ranges_) {
    if (key.second != lane || !Subscribed(key.first, stream, lane, sequence)) {
      continue;
    }
    for (PendingRange& range : pending.ranges) {
      if (sequence >= range.from && (!range.through || sequence <= *range.through)) {
        ++range.waiting;
        SaveRange(key.first, lane, range, false);
        break;
      }
    }
  }
}

// --- names ---

std::vector<std::string> QueueState::Destinations() const {
  std::vector<std::string> names;
  for (const auto& [id, name] : destinations_) {
    names.push_back(name);
  }
  return names;
}

std::optional<StreamId> QueueState::FindStream(std::string_view name) const {
  const auto found = stream_ids_.find(name);
  return found == stream_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<DestinationId> QueueState::FindDestination(std::string_view name) const {
  const auto found = destination_ids_.find(name);
  return found == destination_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string QueueState::StreamName(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? "" : found->second;
}

std::string QueueState::DestinationName(DestinationId id) const {
  const auto found = destinations_.find(id);
  return found == destinations_.end() ? "" : found->second;
}

void QueueState::SetLane(StreamId id, Lane lane) {
  lanes_[id] = lane;
  counter_cache_ = {};
}

Lane QueueState::LaneOf(StreamId id) const {
  const auto found = lanes_.find(id);
  return found == lanes_.end() ? Lane::kNormal : found->second;
}

Lane QueueState::LaneFor(StreamId id, std::optional<Lane> wanted) const {
  return wanted && !Recipients(id, *wanted).empty() ? *wanted : LaneOf(id);
}

std::vector<DestinationId> QueueState::Recipients(StreamId stream, Lane lane) const {
  std::vector<DestinationId> recipients;
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.stream == stream && subscription.lane == lane && !subscription.through) {
      recipients.push_back(subscription.destination);
    }
  }
  return recipients;
}

bool QueueState::Subscribed(DestinationId destination, StreamId stream, Lane lane, Sequence sequence) const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const Subscription& subscription) {
    return subscription.destination == destination && subscription.lane == lane && subscription.Holds(stream, sequence);
  });
}

std::vector<Subscription> QueueState::SubscriptionsOf(DestinationId destination, Lane lane) const {
  std::vector<Subscription> found;
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.destination == destination && subscription.lane == lane) {
      found.push_back(subscription);
    }
  }
  return found;
}

bool QueueState::Holds(const std::vector<Subscription>& subscriptions, StreamId stream, Sequence sequence) {
  return std::any_of(subscriptions.begin(), subscriptions.end(),
                     [&](const Subscription& subscription) { return subscription.Holds(stream, sequence); });
}

// --- memory ---

void QueueState::Evict() {
  while (cached_bytes_ > cache_bytes_) {
    std::deque<RamSegmentPtr>* largest = nullptr;
    for (auto& lane : cache_) {
      if (!lane.empty() && lane.front()->stored && (largest == nullptr || lane.size() > largest->size())) {
        largest = &lane;
      }
    }
    if (largest == nullptr) {
      return;
    }
    cached_bytes_ -= Cost(*largest->front());
    largest->pop_front();
  }
}

void QueueState::DropCached(Lane lane) {
  auto& cache = cache_[At(lane)];
  const Sequence low = LowWater(lane);
  while (!cache.empty() && cache.front()->messages.last() < low) {
    if (retained_.IsToBeStored(*cache.front())) {
      break;  // goes to the disk first
    }
    if (cache.front()->stored) {
      cached_bytes_ -= Cost(*cache.front());
    }
    if (cache.front() == open_[At(lane)]) {
      open_[At(lane)].reset();
    }
    cache.pop_front();
  }
}

// --- checkpointing ---

CheckpointWork QueueState::TakeCheckpoint(LogPosition through) {
  CheckpointWork work;
  work.through = through;
  work.pending = pending();
  work.trim.needed = Needed();
  retained_.TakeCheckpoint(work);
  for (const Lane lane : kAllLanes) {
    CheckpointWork::PerLane& part = work.lanes[At(lane)];
    part.numbers = numbers_[At(lane)];
    work.trim.last[At(lane)] = part.numbers.next - 1;
    CloseSegment(lane);
    std::deque<RamSegmentPtr> kept;
    for (RamSegmentPtr& segment : cache_[At(lane)]) {
      if (!segment->stored) {
        if (!queue::Needed(work.trim.needed, lane, *segment) && !retained_.IsToBeStored(*segment)) {
          continue;
        }
        part.segments.push_back(segment);
      }
      kept.push_back(std::move(segment));
    }
    cache_[At(lane)] = std::move(kept);
  }
  if (std::exchange(restore_, false)) {
    work.configuration = subscriptions_;
    for (const auto& [key, pending] : pending_ranges_) {
      for (const PendingRange& range : pending.ranges) {
        SaveRange(key.first, key.second, range, false);
      }
    }
  }
  std::array<Sequence, kLanes> of_epochs{};  // suspects have an age too, and pin no segment
  for (const Lane lane : kAllLanes) {
    of_epochs[At(lane)] = std::min(LowestKept(lane), suspects_.Lowest(lane).value_or(kMaxSequence));
  }
  clock_epochs_.Forget(of_epochs, changes_->boots);
  work.trim.boot = clock_epochs_.End();
  work.trim.ages = clock_epochs_.ProvenAges();
  work.changes = std::exchange(changes_, std::make_shared<Changes>());
  checkpointing_ = work.changes;
  counter_cache_ = {};
  return work;
}

void QueueState::Checkpointed(const CheckpointWork& work, const CheckpointResult& result) {
  for (const Lane lane : kAllLanes) {
    const CheckpointWork::PerLane& part = work.lanes[At(lane)];
    SegmentTotals& held = held_[At(lane)];
    held.segments += result.trim.held[At(lane)].segments;
    held.messages += result.trim.held[At(lane)].messages;
    held.payload_bytes += result.trim.held[At(lane)].payload_bytes;
    for (const RamSegmentPtr& segment : part.segments) {
      segment->stored = true;
      cached_bytes_ += Cost(*segment);
      stored_through_[At(lane)] = std::max(stored_through_[At(lane)], segment->messages.last());
    }
    // One that was delivered meanwhile is no longer in the cache: it must not be counted there.
    const auto& cache = cache_[At(lane)];
    for (const RamSegmentPtr& segment : part.segments) {
      if (std::find(cache.begin(), cache.end(), segment) == cache.end()) {
        cached_bytes_ -= Cost(*segment);
      }
    }
  }
  retained_.Checkpointed(work, result);
  checkpointing_.reset();
  dead_ -= result.dead_removed;
  quarantined_ -= result.quarantine_removed;
  Evict();
}

std::vector<NeededSpan> QueueState::Needed() const {
  std::vector<NeededSpan> spans;
  for (const auto& [key, pending] : pending_ranges_) {
    for (const PendingRange& range : pending.ranges) {
      if (range.waiting == 0) {
        continue;
      }
      NeededSpan span{key.second, range.from, range.through.value_or(last(key.second)), {}};
      for (const Subscription& subscription : subscriptions_) {
        if (subscription.destination == key.first && subscription.lane == key.second &&
            subscription.from <= span.through && (!subscription.through || *subscription.through >= span.from)) {
          span.streams.push_back(subscription.stream);
        }
      }
      spans.push_back(std::move(span));
    }
  }
  for (const auto& [id, unsettled] : unsettled_) {
    const PreparedBatch& batch = *unsettled.batch;
    if (batch.suspect) {
      continue;  // its message is in its row
    }
    NeededSpan span{batch.lane, batch.members.front().sequence, batch.members.back().sequence, {}};
    for (const Member& member : batch.members) {
      if (!Contains(span.streams, member.stream)) {
        span.streams.push_back(member.stream);
      }
    }
    spans.push_back(std::move(span));
  }
  for (const Lane lane : kAllLanes) {
    if (retained_.pins_all()) {
      spans.push_back(NeededSpan{lane, 0, kMaxSequence, {}});
    }
  }
  return spans;
}

std::optional<MonoTime> QueueState::OldestUnstored() const {
  std::optional<MonoTime> oldest = changes_->kept_since;
  std::vector<NeededSpan> spans;
  bool known = false;
  for (const Lane lane : kAllLanes) {
    for (const RamSegmentPtr& segment : cache_[At(lane)]) {
      if (segment->stored || (oldest && segment->born >= *oldest)) {
        continue;
      }
      if (!known) {
        spans = Needed();
        known = true;
      }
      if (queue::Needed(spans, lane, *segment) || retained_.IsToBeStored(*segment)) {
        oldest = segment->born;
        break;
      }
    }
  }
  return oldest;
}

std::uint64_t QueueState::Unstored() const {
  std::uint64_t messages = UncheckpointedSuspects();
  const std::vector<NeededSpan> spans = Needed();
  for (const Lane lane : kAllLanes) {
    for (const RamSegmentPtr& segment : cache_[At(lane)]) {
      if (!segment->stored) {
        messages += CountNeeded(spans, lane, *segment);
      }
    }
  }
  return messages;
}

// --- questions ---

const PendingRanges* QueueState::FindPendingRanges(DestinationId destination, Lane lane) const {
  const auto found = pending_ranges_.find({destination, lane});
  return found == pending_ranges_.end() ? nullptr : &found->second;
}

const QueueState::Unsettled* QueueState::FindUnsettled(BatchId id) const {
  const std::map<BatchId, Unsettled>& batches = id < 0 ? replays_.batches() : unsettled_;
  const auto found = batches.find(id);
  return found == batches.end() ? nullptr : &found->second;
}

bool QueueState::Prepared(Lane lane, Sequence first, Sequence last) const {
  return std::any_of(unsettled_.begin(), unsettled_.end(), [&](const auto& each) {
    const PreparedBatch& batch = *each.second.batch;
    return !batch.suspect && batch.lane == lane && batch.members.front().sequence <= last &&
           batch.members.back().sequence >= first;
  });
}

Partial QueueState::FindPartial(const PartialKey& key, bool& exists) const {
  const auto found = partials_.find(key);
  exists = found != partials_.end();
  return exists ? found->second : Partial{};
}

Sequence QueueState::LowWater(Lane lane) const {
  Sequence low = last(lane) + 1;
  for (const auto& [key, pending] : pending_ranges_) {
    if (key.second != lane) {
      continue;
    }
    for (const PendingRange& range : pending.ranges) {
      if (range.waiting > 0) {
        low = std::min(low, range.from);
        break;
      }
    }
  }
  for (const auto& [id, unsettled] : unsettled_) {
    if (unsettled.batch->lane == lane && !unsettled.batch->suspect) {
      low = std::min(low, unsettled.batch->members.front().sequence);
    }
  }
  return low;
}

std::vector<RamSegmentPtr> QueueState::Cached(Lane lane, Sequence from, bool& complete) const {
  const auto& cache = cache_[At(lane)];
  const auto begin = std::lower_bound(
      cache.begin(), cache.end(), from,
      [](const RamSegmentPtr& segment, Sequence sequence) { return segment->messages.last() < sequence; });
  complete = from > stored_through_[At(lane)] ||
             (!cache.empty() && (begin != cache.begin() || cache.front()->messages.first() <= from));
  return {begin, cache.end()};
}

std::uint64_t QueueState::PendingMessages(DestinationId destination, Lane lane) const {
  std::int64_t pending = 0;
  for (const auto& [key, count] : totals_) {
    if (key.destination == destination && key.outcome == kLedgerPending && key.reason.front() == Letter(lane)) {
      pending += count.messages;
    }
  }
  return pending < 0 ? 0 : static_cast<std::uint64_t>(pending);
}

std::map<DestinationId, std::uint64_t> QueueState::Waiting() const {
  std::map<DestinationId, std::uint64_t> waiting;
  for (const auto& [key, pending] : pending_ranges_) {
    waiting[key.first] += pending.waiting();
  }
  return waiting;
}

std::uint64_t QueueState::MostWaiting() const {
  std::uint64_t most = 0;
  for (const auto& [destination, messages] : Waiting()) {
    most = std::max(most, messages);
  }
  return most;
}

std::optional<WallTime> QueueState::OldestUnsettled(DestinationId destination) const {
  std::optional<WallTime> oldest;
  for (const auto& [id, unsettled] : unsettled_) {
    if (unsettled.destination == destination && !unsettled.batch->suspect &&
        (!oldest || unsettled.batch->oldest_at < *oldest)) {
      oldest = unsettled.batch->oldest_at;
    }
  }
  return oldest;
}

}  // namespace packhorse::queue
