#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "queue/index.h"
#include "queue/message_codec.h"
#include "queue/sqlite/books.h"

namespace packhorse::queue {

// Rows that are kept of what only grows.
struct StoreLimits {
  std::uint32_t settled = 0;
  std::uint32_t dead = 0;
  std::uint32_t quarantined = 0;
};

// The store thread: owns the one writing connection and puts whatever waits into one transaction: arrivals, freezes,
// settlements, trimming. While the disk refuses, nothing is lost and nothing is acknowledged: it tries again until it
// works or Stop() is called.
//
// All members below `mutex` are guarded by it; the index is shared with the loop through it.
class Store {
 public:
  struct Arrival {
    RawMessage message;
    std::string quarantine_reason;  // not empty: into quarantine instead of a segment
    std::string quarantine_detail;
    std::optional<Result<Sequence>> result;
  };
  struct Change {
    std::function<Status(Books&)> apply;          // store thread, within the transaction
    std::function<void(const Status&)> finished;  // store thread, mutex held: after the commit, or after it was refused
  };

  // `next_sequence` and `reserved_through`: per lane, as read when opening.
  struct Numbers {
    Sequence next = 1;
    Sequence reserved_through = 0;
  };

  // `held`: what the segments on the disk hold.
  Store(Books books, Index& index, std::mutex& mutex, const Clock& clock, std::array<Numbers, kLanes> numbers,
        std::function<void()> wake, StoreLimits limits, Books::Trimmed held);
  ~Store();

  // Blocks until the arrival is safe, or until Stop().
  Result<Sequence> Append(Arrival arrival);
  // Counts that need no sync of their own.
  void Count(StreamId stream, DestinationId destination, int outcome, std::string_view reason, std::int32_t hour,
             std::int64_t messages);
  // REQUIRES: mutex held.
  void PostLocked(Change change);
  void Stop();

  // REQUIRES: mutex held.
  const std::string& last_error_locked() const { return last_error_; }
  WallTime failing_since_locked() const { return failing_since_; }
  std::uint64_t commits_locked() const { return commits_; }
  std::uint64_t syncs_locked() const { return syncs_; }
  Books::Trimmed& held_locked() { return held_; }

 private:
  struct Work {
    std::vector<Arrival*> arrivals;
    std::vector<Change> changes;
    LedgerChanges counts;
    bool empty() const { return arrivals.empty() && changes.empty() && counts.empty(); }
  };
  struct Built {
    std::vector<std::pair<Lane, std::shared_ptr<const CachedSegment>>> segments;
    std::map<std::pair<DestinationId, Lane>, std::uint64_t> waiting;
    std::vector<Sequence> numbers;  // one per arrival
    std::array<Numbers, kLanes> numbers_after{};
    std::vector<Status> change_results;
    Books::Trimmed stored;
    Books::Trimmed trimmed;
  };

  void Run();
  Work Take(std::unique_lock<std::mutex>& lock);
  Status TryCommit(Work& work, Built& built);
  using Encoders = std::array<std::optional<SegmentEncoder>, kLanes>;
  Status WriteArrivals(const Work& work, Built& built);
  Status WriteArrival(const Arrival& arrival, Encoders& encoders, Built& built);
  Status NextNumber(Lane lane, Built& built, Sequence& sequence);
  Status TrimSegments(Built& built);
  void Publish(Work& work, Built& built);
  void Fail(Work& work, const Error& error);
  // Waits before another try; false when stopped.
  bool WaitAfterFailure(const Error& error, unsigned failures);
  void MarkClean();

  Books books_;
  Index& index_;
  std::mutex& mutex_;
  const Clock& clock_;
  std::array<Numbers, kLanes> numbers_;
  std::function<void()> wake_;
  const StoreLimits limits_;
  MonoTime next_trim_{};
  MonoTime next_bound_{};

  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<Arrival*> arrivals_;
  std::deque<Change> changes_;
  LedgerChanges counts_;
  std::string last_error_;
  WallTime failing_since_{};
  std::uint64_t commits_ = 0;
  std::uint64_t syncs_ = 0;
  Books::Trimmed held_;
  bool stopping_ = false;
  bool stopped_ = false;

  std::thread thread_;
};

}  // namespace packhorse::queue
