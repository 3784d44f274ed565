// What the loop moves: freeze, settle, replay, reconfigure. The index changes at once, the database with the next
// commit.

#include <algorithm>
#include <array>
#include <condition_variable>
#include <set>
#include <utility>

#include "queue/configuration.h"
#include "queue/queue_impl.h"
#include "queue/sqlite/operations.h"

namespace packhorse::queue {
namespace {

// Messages that a freeze takes out of the pending range.
std::uint64_t MessagesOf(const FreezeRequest& request) {
  std::set<Sequence> sequences;
  for (const auto& batch : request.batches) {
    for (const Member& member : batch->members) {
      sequences.insert(member.sequence);
    }
  }
  for (const Resolution& resolution : request.resolutions) {
    sequences.insert(resolution.sequence);
  }
  return sequences.size();
}

}  // namespace

void QueueImpl::Freeze(FreezeRequest request, std::function<void(Result<std::vector<BatchId>>)> done) {
  const std::lock_guard lock(mutex_);
  const auto refuse = [&](std::string message) {
    CompleteLocked([done, error = Error{ErrorCode::kInvalidArgument, std::move(message)}] { done(error); });
  };
  const std::optional<DestinationId> id = index_->FindDestination(request.destination);
  if (!id) {
    refuse("freeze: no destination \"" + request.destination + "\"");
    return;
  }
  Index::Backlog& backlog = index_->backlog(*id, request.lane);
  if (backlog.ranges.empty() || backlog.ranges.front().from != request.from || request.through < request.from ||
      request.through > index_->last_committed(request.lane)) {
    refuse("freeze: " + std::to_string(request.from) + ".." + std::to_string(request.through) +
           " is not what is pending");
    return;
  }
  const Index::Range before = backlog.ranges.front();
  const std::uint64_t messages = MessagesOf(request);
  if (messages > backlog.waiting) {
    refuse("freeze: more messages than wait");
    return;
  }
  const RangeMove move{before.id, request.through + 1, before.through && request.through >= *before.through};
  if (move.exhausted) {
    backlog.ranges.erase(backlog.ranges.begin());
  } else {
    backlog.ranges.front().from = move.from;
  }
  backlog.waiting -= messages;
  std::vector<BatchId> ids;
  for (const auto& batch : request.batches) {
    ids.push_back(AssignLocked(*batch, *id));
  }
  const auto shared = std::make_shared<FreezeRequest>(std::move(request));
  store_->PostLocked(
      Store::Change{[shared, destination = *id, move, &clock = clock_](Books& books) {
                      return ApplyFreeze(books, destination, *shared, move, clock.Wall());
                    },
                    [this, shared, destination = *id, before, messages, ids, done](const Status& status) {
                      if (status) {
                        CompleteLocked([done, ids] { done(ids); });
                        return;
                      }
                      // As if it had not been asked for.
                      Index::Backlog& restored = index_->backlog(destination, shared->lane);
                      if (!restored.ranges.empty() && restored.ranges.front().id == before.id) {
                        restored.ranges.front() = before;
                      } else {
                        restored.ranges.insert(restored.ranges.begin(), before);
                      }
                      restored.waiting += messages;
                      for (const BatchId batch : ids) {
                        index_->Settle(batch);
                      }
                      CompleteLocked([done, error = status.error()] { done(error); });
                    }});
}

void QueueImpl::Settle(Settlement settlement, std::function<void(Result<std::vector<BatchId>>)> done) {
  const std::lock_guard lock(mutex_);
  std::vector<BatchId> ids;
  for (const auto& successor : settlement.successors) {
    const std::optional<DestinationId> id = index_->FindDestination(successor->destination);
    ids.push_back(AssignLocked(*successor, id.value_or(0)));
  }
  const auto shared = std::make_shared<Settlement>(std::move(settlement));
  store_->PostLocked(
      Store::Change{[shared, &clock = clock_](Books& books) { return ApplySettle(books, *shared, clock.Wall()); },
                    [this, shared, ids, done](const Status& status) {
                      if (status) {
                        index_->Settle(shared->batch);
                        CompleteLocked([done, ids] { done(ids); });
                        return;
                      }
                      for (const BatchId batch : ids) {
                        index_->Settle(batch);
                      }
                      CompleteLocked([done, error = status.error()] { done(error); });
                    }});
}

void QueueImpl::ReplayDead(std::vector<std::int64_t> ids, std::unique_ptr<FrozenBatch> batch,
                           std::function<void(Result<BatchId>)> done) {
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = index_->FindDestination(batch->destination);
  const BatchId batch_id = AssignLocked(*batch, id.value_or(0));
  const auto shared = std::shared_ptr<FrozenBatch>(std::move(batch));
  store_->PostLocked(Store::Change{[shared, destination = id.value_or(0), ids = std::move(ids)](Books& books) {
                                     return ApplyReplay(books, destination, ids, *shared);
                                   },
                                   [this, batch_id, done](const Status& status) {
                                     if (status) {
                                       CompleteLocked([done, batch_id] { done(batch_id); });
                                       return;
                                     }
                                     index_->Settle(batch_id);
                                     CompleteLocked([done, error = status.error()] { done(error); });
                                   }});
}

Status QueueImpl::RunChange(std::function<Status(Books&)> apply, std::function<Status(Books&)> after_locked) {
  std::optional<Status> result;
  std::condition_variable finished;
  Books* used = nullptr;
  std::unique_lock lock(mutex_);
  store_->PostLocked(Store::Change{[&, apply = std::move(apply)](Books& books) {
                                     used = &books;
                                     return apply(books);
                                   },
                                   [&, after = std::move(after_locked)](const Status& status) {
                                     result = status && after ? after(*used) : status;
                                     finished.notify_all();
                                   }});
  finished.wait(lock, [&] { return result.has_value(); });
  return *std::move(result);
}

Status QueueImpl::Reconfigure(std::vector<StreamOptions> streams, std::vector<std::string> destinations) {
  return RunChange(
      [&](Books& books) -> Status {
        const Result<std::array<Sequence, kLanes>> stored = LastStored(books.database());
        if (!stored) {
          return stored.error();
        }
        std::array<Sequence, kLanes> last = *stored;
        const std::lock_guard lock(mutex_);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          last.at(lane) = std::max(last.at(lane), index_->last_committed(static_cast<Lane>(lane)));
        }
        return ApplyConfiguration(books, streams, destinations, last);
      },
      [&](Books& books) { return LoadConfiguration(books.database(), streams, *index_); });
}

}  // namespace packhorse::queue
