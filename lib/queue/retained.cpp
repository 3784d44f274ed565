#include "queue/retained.h"

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

void Retained::TakeFold(FoldWork& work) {
  work.retention = retention_;
  work.release_bytes = release_bytes_;
  fold_lets_go_ = !holds_all_;
}

void Retained::Folded(const FoldWork& work, const FoldResult& result) {
  held_ = result.retained;
  from_ = result.retained_from;
  released_ += result.released;
  release_bytes_ = work.release_bytes > 0 ? 0 : release_bytes_;
  was_held_ = was_held_ && !fold_lets_go_;
}

}  // namespace packhorse::queue
