// Records that are set aside.

#include <utility>

#include "queue/queue_impl.h"

namespace packhorse::queue {

Result<std::vector<Suspect>> QueueImpl::Suspects(const std::string& /*destination*/, std::size_t /*limit*/,
                                                 std::int64_t /*after_id*/) {
  return std::vector<Suspect>{};
}

Result<Suspect> QueueImpl::FindSuspect(std::int64_t id) {
  return Error{ErrorCode::kNotFound, "no suspect " + std::to_string(id)};
}

std::uint64_t QueueImpl::SuspectCount(const std::string& /*destination*/) { return 0; }

void QueueImpl::RetrySuspect(std::int64_t id, std::unique_ptr<FrozenBatch> /*batch*/,
                             std::function<void(Result<BatchId>)> done) {
  const std::lock_guard lock(mutex_);
  CompleteLocked([done = std::move(done), id] {
    done(Error{ErrorCode::kNotFound, "no suspect " + std::to_string(id)});
  });
}

void QueueImpl::DropSuspect(std::int64_t id, std::function<void(const Status&)> done) {
  const std::lock_guard lock(mutex_);
  CompleteLocked([done = std::move(done), id] {
    done(Error{ErrorCode::kNotFound, "no suspect " + std::to_string(id)});
  });
}

Result<Pending> QueueImpl::PeekNewest(const std::string& /*destination*/, LanePart /*of*/, std::size_t /*max_messages*/,
                                      std::uint64_t /*max_bytes*/) {
  return Pending{};
}

Sequence QueueImpl::HighestTaken(const std::string& /*destination*/, Lane /*lane*/) { return 0; }

}  // namespace packhorse::queue
