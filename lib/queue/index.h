#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/queue.h"
#include "queue/sqlite/books.h"

namespace packhorse::queue {

inline constexpr std::size_t kLanes = 3;

// A committed segment that is still in memory.
struct CachedSegment {
  Sequence first = 0;
  Sequence last = 0;
  std::string plain;
};

// What the queue knows without reading the disk: names, subscriptions, pending ranges, unsettled batches, ledger totals
// and the newest segments. Size: bounded by configuration and in-flight limits, never by the backlog. Not thread-safe:
// its owner holds a lock.
class Index {
 public:
  explicit Index(std::uint64_t cache_bytes) : cache_bytes_(cache_bytes) {}

  struct Range {
    std::int64_t id = 0;
    Sequence from = 1;
    std::optional<Sequence> through;  // none: open end
  };
  struct Subscription {
    DestinationId destination = 0;
    StreamId stream = 0;
    Lane lane = Lane::kNormal;
    Sequence from = 1;
    std::optional<Sequence> through;
  };
  struct Unsettled {
    DestinationId destination = 0;
    Lane lane = Lane::kNormal;
    Sequence first = 0;
    WallTime oldest_at{};
  };
  struct Backlog {
    std::vector<Range> ranges;  // ascending
    std::uint64_t waiting = 0;  // messages in the ranges
    Sequence oldest_for = 0;    // sequence for which oldest_at was looked up
    WallTime oldest_at{};
  };

  // --- filled when opening ---
  void AddStream(StreamId id, std::string name);
  void AddDestination(DestinationId id, std::string name);
  void AddSubscription(Subscription subscription) { subscriptions_.push_back(subscription); }
  void AddRange(DestinationId destination, Lane lane, Range range);
  void SetLastCommitted(Lane lane, Sequence last) { last_committed_[At(lane)] = last; }
  void ClearConfiguration();
  // `count` says how many messages wait for a destination in a lane.
  void SetWaiting(const std::function<std::uint64_t(DestinationId, Lane)>& count);

  // --- names ---
  std::optional<StreamId> FindStream(std::string_view name) const;
  std::optional<DestinationId> FindDestination(std::string_view name) const;
  std::string StreamName(StreamId id) const;
  std::string DestinationName(DestinationId id) const;
  std::vector<std::string> Destinations() const;
  void SetLane(StreamId id, Lane lane) { lanes_[id] = lane; }
  Lane LaneOf(StreamId id) const;

  // Destinations that get the stream's next message.
  std::vector<DestinationId> Recipients(StreamId stream) const;
  bool Subscribed(DestinationId destination, StreamId stream, Lane lane, Sequence sequence) const;

  // --- movements ---
  // A segment was committed: it becomes readable.
  void Committed(Lane lane, std::shared_ptr<const CachedSegment> segment);
  void Waiting(DestinationId destination, Lane lane, std::uint64_t messages) {
    backlog(destination, lane).waiting += messages;
  }
  void Apply(const LedgerChanges& changes);
  Backlog& backlog(DestinationId destination, Lane lane) { return backlogs_[{destination, lane}]; }
  void Freeze(BatchId id, Unsettled unsettled) { unsettled_[id] = unsettled; }
  void Settle(BatchId id) { unsettled_.erase(id); }
  // A destination without waiting messages stands behind the last committed one.
  void CatchUp(Lane lane);

  // --- questions ---
  Sequence last_committed(Lane lane) const { return last_committed_[At(lane)]; }
  // Nothing below it is needed by any destination.
  Sequence LowWater(Lane lane) const;
  // Segments in memory that end at or after `from`, oldest first. `complete`: nothing between `from` and the first of
  // them is missing.
  std::vector<std::shared_ptr<const CachedSegment>> Cached(Lane lane, Sequence from, bool& complete) const;
  void DropCached(Lane lane, Sequence below);
  std::uint64_t PendingMessages(DestinationId destination, Lane lane) const;
  std::optional<WallTime> OldestUnsettled(DestinationId destination) const;
  Ledger BuildLedger() const;

 private:
  static std::size_t At(Lane lane) { return static_cast<std::size_t>(lane); }
  void Evict();

  std::uint64_t cache_bytes_;
  std::map<StreamId, std::string> streams_;
  std::map<std::string, StreamId, std::less<>> stream_ids_;
  std::map<DestinationId, std::string> destinations_;
  std::map<std::string, DestinationId, std::less<>> destination_ids_;
  std::map<StreamId, Lane> lanes_;
  std::vector<Subscription> subscriptions_;
  std::map<std::pair<DestinationId, Lane>, Backlog> backlogs_;
  std::map<BatchId, Unsettled> unsettled_;
  std::deque<std::shared_ptr<const CachedSegment>> cache_[kLanes];
  std::uint64_t cached_bytes_ = 0;
  Sequence last_committed_[kLanes] = {};
  LedgerChanges totals_;  // hour is always 0
};

}  // namespace packhorse::queue
