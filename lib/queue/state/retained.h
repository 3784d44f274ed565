#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "queue/state/checkpoint_work.h"

namespace packhorse::queue {

// What is kept although nobody needs it any more: for replays, of which streams and what the database holds of it; or
// all of it for a while. Not thread-safe: its owner holds a lock.
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
  SegmentTotals held() const { return Sum(held_); }
  std::int64_t released() const { return released_; }  // messages, since start, before their time
  // That many bytes of it go with the next checkpoint.
  void Release(std::uint64_t bytes) { release_bytes_ = bytes; }
  bool releases() const { return release_bytes_ > 0 || was_pinned_; }  // not done yet
  // Until it is let go no segment goes, whoever needed it. What is not stored yet and of no use is not stored for that.
  void PinAll() { pins_all_ = true; }
  void Unpin() {
    was_pinned_ = was_pinned_ || pins_all_;
    pins_all_ = false;
  }
  bool pins_all() const { return pins_all_; }

  void TakeCheckpoint(CheckpointWork& work);
  void Checkpointed(const CheckpointWork& work, const CheckpointResult& result);

 private:
  Retention retention_;
  std::array<SegmentTotals, kLanes> held_;
  std::array<Sequence, kLanes> from_{};
  std::uint64_t release_bytes_ = 0;
  std::int64_t released_ = 0;
  bool pins_all_ = false;
  bool was_pinned_ = false;          // what has been of no use meanwhile is still there
  bool checkpoint_lets_go_ = false;  // but goes with the checkpoint that was taken last
};

}  // namespace packhorse::queue
