// Another configuration under a running queue.

#include <algorithm>
#include <array>
#include <utility>

#include "queue/checkpoint/configuration.h"
#include "queue/queue_impl.h"
#include "queue/tables/definition_table.h"

namespace packhorse::queue {

bool QueueImpl::CatchesUpLocked(const std::vector<StreamOptions>& streams,
                                const std::vector<DestinationOptions>& destinations) const {
  const auto gets_stream = [&](const std::string& name) {
    return std::any_of(streams.begin(), streams.end(), [&](const StreamOptions& stream) {
      return std::find(stream.destinations.begin(), stream.destinations.end(), name) != stream.destinations.end();
    });
  };
  const auto had_stream = [&](const std::string& name) {
    const std::optional<DestinationId> id = state_->FindDestination(name);
    return id && std::any_of(kAllLanes.begin(), kAllLanes.end(),
                             [&](Lane lane) { return !state_->SubscriptionsOf(*id, lane).empty(); });
  };
  return std::any_of(destinations.begin(), destinations.end(), [&](const DestinationOptions& each) {
    return each.start == StartAt::kOldest && gets_stream(each.name) && !had_stream(each.name);
  });
}

// Segments go by checkpoints only, and the store thread may be writing one that was begun before: it is waited for. All
// later ones leave everything where it is.
Result<Queue::Ahead> QueueImpl::CountAhead(const std::vector<StreamOptions>& streams,
                                           const std::vector<DestinationOptions>& destinations, std::uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (!CatchesUpLocked(streams, destinations)) {
      ForgetCountLocked();
      return Ahead::kDone;
    }
    if (!counting_) {
      counting_.emplace();
      counting_->begins_at = store_->commits_locked() + (store_->checkpointing_locked() ? 1 : 0);
      counting_->asked = clock_.Mono();
      state_->retained().PinAll();
    }
    if (store_->commits_locked() < counting_->begins_at) {
      if (clock_.Mono() - counting_->asked < kCheckpointPatience) {
        return Ahead::kWaits;
      }
      ForgetCountLocked();
      return Error{ErrorCode::kUnavailable, "the disk refuses: " + store_->last_error_locked()};
    }
  }
  Result<bool> whole = Noted(reader_.CountOn(counting_->count, bytes));
  if (!whole) {
    ForgetCount();
    return whole.error().With("count what is stored");
  }
  return *whole ? Ahead::kDone : Ahead::kMore;
}

void QueueImpl::ForgetCount() {
  const std::lock_guard lock(mutex_);
  ForgetCountLocked();
}

void QueueImpl::ForgetCountLocked() {
  if (!counting_) {
    return;
  }
  counting_.reset();
  state_->retained().Unpin();
  // What nobody needed meanwhile goes before anything is dropped for want of space.
  checkpoints_help_ = true;
  next_checkpoint_ = {};
  store_->AskCheckpointLocked();
}

Status QueueImpl::Reconfigure(std::vector<StreamOptions> streams, std::vector<DestinationOptions> destinations) {
  std::unique_lock lock(mutex_);
  StoredCount count = counting_ ? std::move(counting_->count) : StoredCount();
  LedgerChanges counted;
  StoredConfiguration stored;
  Status checkpointed = store_->CheckpointNow(lock, [&](Database& database) -> Result<LedgerChanges> {
    std::array<Sequence, kLanes> last{};
    for (const Lane lane : kAllLanes) {
      last.at(At(lane)) = state_->last(lane);
    }
    Result<LedgerChanges> applied = ApplyConfiguration(database, streams, destinations, last, count);
    if (!applied) {
      return applied;
    }
    RETURN_IF_ERROR(KeepDefinitions(database, streams, last));
    Result<StoredConfiguration> read = ReadConfiguration(database);
    RETURN_IF_ERROR(read);
    counted = *applied;
    stored = *std::move(read);
    return applied;
  });
  ForgetCountLocked();
  RETURN_IF_ERROR(checkpointed);
  state_->CatchUp(counted);
  Install(stored, streams, *state_);
  return {};
}

}  // namespace packhorse::queue
