#include "queue/state/retained.h"

#include <algorithm>

namespace packhorse::queue {

void Retained::Set(StreamId stream, std::chrono::milliseconds keep) {
  if (keep > std::chrono::milliseconds(0)) {
    retention_[stream] = keep;
  } else {
    retention_.erase(stream);
  }
}

bool Retained::IsToBeStored(const RamSegment& segment) const {
  return !segment.stored &&
         std::any_of(segment.streams.begin(), segment.streams.end(), [&](StreamId stream) { return Keeps(stream); });
}

void Retained::TakeCheckpoint(CheckpointWork& work) {
  work.retention = retention_;
  work.trim.release_bytes = release_bytes_;
  checkpoint_lets_go_ = !pins_all_;
}

void Retained::Checkpointed(const CheckpointWork& work, const CheckpointResult& result) {
  held_ = result.trim.retained;
  from_ = result.trim.retained_from;
  released_ += result.trim.released;
  release_bytes_ = work.trim.release_bytes > 0 ? 0 : release_bytes_;
  was_pinned_ = was_pinned_ && !checkpoint_lets_go_;
}

}  // namespace packhorse::queue
