// The files of an open queue stay what they are, whatever somebody does in its folders.

#include <utility>

#include "queue/queue_impl.h"
#include "queue/recovery/claimed_files.h"

namespace packhorse::queue {

void QueueImpl::FollowDatabase() {
  Result<Reader> reader = Reader::Open(options_.path);
  if (!reader) {
    return;  // again in the next turn
  }
  reader_.LeaveFiles();
  reader_ = *std::move(reader);
  bytes_in_use_of_.reset();
  const std::lock_guard lock(mutex_);
  store_->ReaderFollowsLocked();
}

void QueueImpl::HoldLocks() {
  const MonoTime now = clock_.Mono();
  if (now < next_lock_look_) {
    return;
  }
  next_lock_look_ = now + options_.watch_interval;
  if (!lock_->Holds()) {
    if (Result<LockFile> lock = TakeQueueLock(options_.path); lock) {
      lock_.emplace(*std::move(lock));
    }
  }
  if (runtime_lock_ && !runtime_lock_->Holds()) {
    if (Result<LockFile> lock = TakeRuntimeLock(options_.runtime_dir); lock) {
      runtime_lock_.emplace(*std::move(lock));
    }
  }
}

}  // namespace packhorse::queue
