#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "queue/fold.h"

namespace packhorse::queue {

// What is kept for replays although nobody needs it any more: of which streams, and what the database holds of it. Not
// thread-safe: its owner holds a lock.
class Retained {
 public:
  // For how long a stream's messages stay once they are stored; 0: no longer than they are needed.
  void Set(StreamId stream, std::chrono::milliseconds keep);
  void Clear() { retention_.clear(); }
  bool Keeps(StreamId stream) const { return retention_.contains(stream); }
  // Whether the segment has to go to the disk whoever else needs it.
  bool IsToBeStored(const RamSegment& segment) const;

  // Where the first segment of the database begins that is kept; 0: none is.
  Sequence from(Lane lane) const { return from_[At(lane)]; }
  void SetFrom(Lane lane, Sequence from) { from_[At(lane)] = from; }
  // In segments that nobody needs; bytes as stored.
  Held held() const { return Sum(held_); }
  std::int64_t released() const { return released_; }  // messages, since start, before their time
  // That many bytes of it go with the next fold.
  void Release(std::uint64_t bytes) { release_bytes_ = bytes; }
  bool releases() const { return release_bytes_ > 0; }  // not done yet

  void TakeFold(FoldWork& work) const;
  void Folded(const FoldWork& work, const FoldResult& result);

 private:
  Retention retention_;
  std::array<Held, kLanes> held_;
  std::array<Sequence, kLanes> from_{};
  std::uint64_t release_bytes_ = 0;
  std::int64_t released_ = 0;
};

}  // namespace packhorse::queue
