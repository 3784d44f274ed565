#include "queue/index.h"

#include <algorithm>

#include "queue/sqlite/rows.h"

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

void Index::AddStream(StreamId id, std::string name) {
  stream_ids_[name] = id;
  streams_[id] = std::move(name);
}

void Index::AddDestination(DestinationId id, std::string name) {
  destination_ids_[name] = id;
  destinations_[id] = std::move(name);
}

void Index::AddRange(DestinationId destination, Lane lane, Range range) {
  std::vector<Range>& ranges = backlog(destination, lane).ranges;
  ranges.push_back(range);
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.from < b.from; });
  next_range_ = std::max(next_range_, range.id + 1);
}

void Index::AddUnsettled(DestinationId destination, BatchPtr batch) {
  const BatchId id = batch->id;
  next_batch_ = std::max(next_batch_, id + 1);
  unsettled_[id] = Unsettled{destination, std::move(batch)};
}

void Index::AddTotals(const LedgerChanges& totals) {
  for (const auto& [key, change] : totals) {
    LedgerKey total = key;
    total.hour = 0;
    LedgerCount& count = totals_[total];
    count.messages += change.messages;
    count.records += change.records;
    pending_ += key.outcome == kLedgerPending && !IsOwn(key.stream) ? change.messages : 0;
  }
}

bool Index::IsOwn(StreamId stream) const {
  const auto found = streams_.find(stream);
  return found != streams_.end() && found->second.starts_with(kOwnStreams);
}

void Index::SetKept(std::int64_t dead, std::int64_t quarantined) {
  dead_ = dead;
  quarantined_ = quarantined;
}

void Index::ForgetWaiting() {
  for (auto& [key, backlog] : backlogs_) {
    for (Range& range : backlog.ranges) {
      range.waiting = 0;
      SaveRange(key.first, key.second, range, false);
    }
  }
}

void Index::CountWaiting(Lane lane, Sequence sequence, StreamId stream) {
  for (auto& [key, backlog] : backlogs_) {
    if (key.second != lane || !Subscribed(key.first, stream, lane, sequence)) {
      continue;
    }
    for (Range& range : backlog.ranges) {
      if (sequence >= range.from && (!range.through || sequence <= *range.through)) {
        ++range.waiting;
        SaveRange(key.first, lane, range, false);
        break;
      }
    }
  }
}

// --- names ---

std::vector<std::string> Index::Destinations() const {
  std::vector<std::string> names;
  for (const auto& [id, name] : destinations_) {
    names.push_back(name);
  }
  return names;
}

std::optional<StreamId> Index::FindStream(std::string_view name) const {
  const auto found = stream_ids_.find(name);
  return found == stream_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<DestinationId> Index::FindDestination(std::string_view name) const {
  const auto found = destination_ids_.find(name);
  return found == destination_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string Index::StreamName(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? "" : found->second;
}

std::string Index::DestinationName(DestinationId id) const {
  const auto found = destinations_.find(id);
  return found == destinations_.end() ? "" : found->second;
}

void Index::SetLane(StreamId id, Lane lane) {
  lanes_[id] = lane;
  hot_ = {};
}

Lane Index::LaneOf(StreamId id) const {
  const auto found = lanes_.find(id);
  return found == lanes_.end() ? Lane::kNormal : found->second;
}

Lane Index::LaneFor(StreamId id, std::optional<Lane> wanted) const {
  return wanted && !Recipients(id, *wanted).empty() ? *wanted : LaneOf(id);
}

std::vector<DestinationId> Index::Recipients(StreamId stream, Lane lane) const {
  std::vector<DestinationId> recipients;
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.stream == stream && subscription.lane == lane && !subscription.through) {
      recipients.push_back(subscription.destination);
    }
  }
  return recipients;
}

bool Index::Subscribed(DestinationId destination, StreamId stream, Lane lane, Sequence sequence) const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const Subscription& subscription) {
    return subscription.destination == destination && subscription.lane == lane && subscription.Holds(stream, sequence);
  });
}

std::vector<Subscription> Index::SubscriptionsOf(DestinationId destination, Lane lane) const {
  std::vector<Subscription> found;
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.destination == destination && subscription.lane == lane) {
      found.push_back(subscription);
    }
  }
  return found;
}

bool Index::Holds(const std::vector<Subscription>& subscriptions, StreamId stream, Sequence sequence) {
  return std::any_of(subscriptions.begin(), subscriptions.end(),
                     [&](const Subscription& subscription) { return subscription.Holds(stream, sequence); });
}

// --- memory ---

void Index::Evict() {
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

void Index::DropCached(Lane lane) {
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

// --- folding ---

FoldWork Index::TakeFold(Position through) {
  FoldWork work;
  work.through = through;
  work.pending = pending();
  work.needed = Needed();
  retained_.TakeFold(work);
  for (const Lane lane : kAllLanes) {
    FoldWork::PerLane& part = work.lanes[At(lane)];
    part.numbers = numbers_[At(lane)];
    CloseSegment(lane);
    std::deque<RamSegmentPtr> kept;
    for (RamSegmentPtr& segment : cache_[At(lane)]) {
      if (!segment->stored) {
        if (!queue::Needed(work.needed, lane, *segment) && !retained_.IsToBeStored(*segment)) {
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
    for (const auto& [key, backlog] : backlogs_) {
      for (const Range& range : backlog.ranges) {
        SaveRange(key.first, key.second, range, false);
      }
    }
  }
  std::array<Sequence, kLanes> of_boots{};  // suspects have an age too, and pin no segment
  for (const Lane lane : kAllLanes) {
    of_boots[At(lane)] = std::min(LowestKept(lane), suspects_.Lowest(lane).value_or(kMaxSequence));
  }
  boots_.Forget(of_boots, changes_->boots);
  work.boot = boots_.End();
  work.ages = boots_.ProvenAges();
  work.changes = std::exchange(changes_, std::make_shared<Changes>());
  folding_ = work.changes;
  hot_ = {};
  return work;
}

void Index::Folded(const FoldWork& work, const FoldResult& result) {
  for (const Lane lane : kAllLanes) {
    const FoldWork::PerLane& part = work.lanes[At(lane)];
    Held& held = held_[At(lane)];
    held.segments += result.held[At(lane)].segments;
    held.messages += result.held[At(lane)].messages;
    held.payload_bytes += result.held[At(lane)].payload_bytes;
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
  retained_.Folded(work, result);
  folding_.reset();
  dead_ -= result.dead_removed;
  quarantined_ -= result.quarantine_removed;
  Evict();
}

std::vector<NeededSpan> Index::Needed() const {
  std::vector<NeededSpan> spans;
  for (const auto& [key, backlog] : backlogs_) {
    for (const Range& range : backlog.ranges) {
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
    const FrozenBatch& batch = *unsettled.batch;
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
    if (retained_.holds_all()) {
      spans.push_back(NeededSpan{lane, 0, kMaxSequence, {}});
    }
  }
  return spans;
}

std::optional<MonoTime> Index::OldestUnstored() const {
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

std::uint64_t Index::Unstored() const {
  std::uint64_t messages = UnfoldedSuspects();
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

const Index::Backlog* Index::FindBacklog(DestinationId destination, Lane lane) const {
  const auto found = backlogs_.find({destination, lane});
  return found == backlogs_.end() ? nullptr : &found->second;
}

const Index::Unsettled* Index::FindUnsettled(BatchId id) const {
  const std::map<BatchId, Unsettled>& batches = id < 0 ? replays_.batches() : unsettled_;
  const auto found = batches.find(id);
  return found == batches.end() ? nullptr : &found->second;
}

bool Index::Frozen(Lane lane, Sequence first, Sequence last) const {
  return std::any_of(unsettled_.begin(), unsettled_.end(), [&](const auto& each) {
    const FrozenBatch& batch = *each.second.batch;
    return !batch.suspect && batch.lane == lane && batch.members.front().sequence <= last &&
           batch.members.back().sequence >= first;
  });
}

Partial Index::FindPartial(const PartialKey& key, bool& exists) const {
  const auto found = partials_.find(key);
  exists = found != partials_.end();
  return exists ? found->second : Partial{};
}

Sequence Index::LowWater(Lane lane) const {
  Sequence low = last(lane) + 1;
  for (const auto& [key, backlog] : backlogs_) {
    if (key.second != lane) {
      continue;
    }
    for (const Range& range : backlog.ranges) {
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

std::vector<RamSegmentPtr> Index::Cached(Lane lane, Sequence from, bool& complete) const {
  const auto& cache = cache_[At(lane)];
  const auto begin = std::lower_bound(
      cache.begin(), cache.end(), from,
      [](const RamSegmentPtr& segment, Sequence sequence) { return segment->messages.last() < sequence; });
  complete = from > stored_through_[At(lane)] ||
             (!cache.empty() && (begin != cache.begin() || cache.front()->messages.first() <= from));
  return {begin, cache.end()};
}

std::uint64_t Index::PendingMessages(DestinationId destination, Lane lane) const {
  std::int64_t pending = 0;
  for (const auto& [key, count] : totals_) {
    if (key.destination == destination && key.outcome == kLedgerPending && key.reason.front() == Letter(lane)) {
      pending += count.messages;
    }
  }
  return pending < 0 ? 0 : static_cast<std::uint64_t>(pending);
}

std::map<DestinationId, std::uint64_t> Index::Waiting() const {
  std::map<DestinationId, std::uint64_t> waiting;
  for (const auto& [key, backlog] : backlogs_) {
    waiting[key.first] += backlog.waiting();
  }
  return waiting;
}

std::uint64_t Index::MostWaiting() const {
  std::uint64_t most = 0;
  for (const auto& [destination, messages] : Waiting()) {
    most = std::max(most, messages);
  }
  return most;
}

std::optional<WallTime> Index::OldestUnsettled(DestinationId destination) const {
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
