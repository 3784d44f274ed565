#include "queue/index.h"

#include <algorithm>

namespace packhorse::queue {
namespace {

// What a cached segment costs beside its bytes.
constexpr std::uint64_t kSegmentOverhead = 96;

std::uint64_t Cost(const CachedSegment& segment) { return segment.plain.size() + kSegmentOverhead; }

}  // namespace

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
}

void Index::ClearConfiguration() {
  subscriptions_.clear();
  for (auto& [key, backlog] : backlogs_) {
    backlog.ranges.clear();
  }
}

void Index::SetWaiting(const std::function<std::uint64_t(DestinationId, Lane)>& count) {
  for (auto& [key, backlog] : backlogs_) {
    backlog.waiting = count(key.first, key.second);
  }
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    CatchUp(lane);
  }
}

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

Lane Index::LaneOf(StreamId id) const {
  const auto found = lanes_.find(id);
  return found == lanes_.end() ? Lane::kNormal : found->second;
}

std::vector<DestinationId> Index::Recipients(StreamId stream) const {
  std::vector<DestinationId> recipients;
  const Lane lane = LaneOf(stream);
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.stream == stream && subscription.lane == lane && !subscription.through) {
      recipients.push_back(subscription.destination);
    }
  }
  return recipients;
}

bool Index::Subscribed(DestinationId destination, StreamId stream, Lane lane, Sequence sequence) const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const Subscription& subscription) {
    return subscription.destination == destination && subscription.stream == stream && subscription.lane == lane &&
           sequence >= subscription.from && (!subscription.through || sequence <= *subscription.through);
  });
}

void Index::Committed(Lane lane, std::shared_ptr<const CachedSegment> segment) {
  last_committed_[At(lane)] = segment->last;
  cached_bytes_ += Cost(*segment);
  cache_[At(lane)].push_back(std::move(segment));
  Evict();
}

void Index::Evict() {
  while (cached_bytes_ > cache_bytes_) {
    auto* largest = &cache_[0];
    for (auto& lane : cache_) {
      if (lane.size() > largest->size()) {
        largest = &lane;
      }
    }
    if (largest->empty()) {
      return;
    }
    cached_bytes_ -= Cost(*largest->front());
    largest->pop_front();
  }
}

void Index::DropCached(Lane lane, Sequence below) {
  auto& cache = cache_[At(lane)];
  while (!cache.empty() && cache.front()->last < below) {
    cached_bytes_ -= Cost(*cache.front());
    cache.pop_front();
  }
}

void Index::Apply(const LedgerChanges& changes) {
  for (const auto& [key, change] : changes) {
    LedgerKey total = key;
    total.hour = 0;
    LedgerCount& count = totals_[total];
    count.messages += change.messages;
    count.records += change.records;
  }
}

void Index::CatchUp(Lane lane) {
  for (auto& [key, backlog] : backlogs_) {
    if (key.second != lane || backlog.waiting != 0 || backlog.ranges.empty() || backlog.ranges.back().through) {
      continue;
    }
    backlog.ranges.back().from = std::max(backlog.ranges.back().from, last_committed_[At(lane)] + 1);
  }
}

Sequence Index::LowWater(Lane lane) const {
  Sequence low = last_committed_[At(lane)] + 1;
  for (const auto& [key, backlog] : backlogs_) {
    if (key.second == lane && backlog.waiting > 0 && !backlog.ranges.empty()) {
      low = std::min(low, backlog.ranges.front().from);
    }
  }
  for (const auto& [id, unsettled] : unsettled_) {
    if (unsettled.lane == lane) {
      low = std::min(low, unsettled.first);
    }
  }
  return low;
}

std::vector<std::shared_ptr<const CachedSegment>> Index::Cached(Lane lane, Sequence from, bool& complete) const {
  const auto& cache = cache_[At(lane)];
  const auto begin = std::lower_bound(cache.begin(), cache.end(), from,
                                      [](const auto& segment, Sequence sequence) { return segment->last < sequence; });
  complete =
      from > last_committed_[At(lane)] || (!cache.empty() && (begin != cache.begin() || cache.front()->first <= from));
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

std::optional<WallTime> Index::OldestUnsettled(DestinationId destination) const {
  std::optional<WallTime> oldest;
  for (const auto& [id, unsettled] : unsettled_) {
    if (unsettled.destination == destination && (!oldest || unsettled.oldest_at < *oldest)) {
      oldest = unsettled.oldest_at;
    }
  }
  return oldest;
}

Ledger Index::BuildLedger() const {
  Ledger ledger;
  std::map<std::pair<StreamId, DestinationId>, LedgerRow> rows;
  for (const auto& [key, count] : totals_) {
    if (key.outcome == kLedgerUnrouted) {
      ledger.unrouted += static_cast<std::uint64_t>(count.messages);
      continue;
    }
    LedgerRow& row = rows[{key.stream, key.destination}];
    const auto messages = static_cast<std::uint64_t>(count.messages);
    const auto records = static_cast<std::uint64_t>(count.records);
    if (key.outcome == kLedgerReceived) {
      row.received += messages;
    } else if (key.outcome == kLedgerPending) {
      row.pending += messages;
    } else {
      switch (static_cast<Outcome>(key.outcome - LedgerCode(Outcome::kDelivered))) {
        case Outcome::kDelivered:
          row.delivered += messages;
          row.records_delivered += records;
          break;
        case Outcome::kRejected:
          row.rejected += messages;
          row.records_rejected += records;
          break;
        case Outcome::kQuarantined:
          row.quarantined += messages;
          break;
        case Outcome::kDeduplicated:
          row.deduplicated += messages;
          break;
        case Outcome::kExpired:
          row.expired += messages;
          break;
        case Outcome::kDropped:
          row.dropped += messages;
          row.drop_reasons.emplace_back(key.reason, messages);
          break;
      }
    }
  }
  for (auto& [key, row] : rows) {
    row.stream = StreamName(key.first);
    row.destination = DestinationName(key.second);
    ledger.rows.push_back(std::move(row));
  }
  return ledger;
}

}  // namespace packhorse::queue
