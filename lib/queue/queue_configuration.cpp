// Another configuration under a running queue.

#include <algorithm>
#include <array>
#include <utility>

#include "queue/configuration.h"
#include "queue/queue_impl.h"
#include "queue/sqlite/definitions.h"

namespace packhorse::queue {

bool QueueImpl::CatchesUpLocked(const std::vector<StreamOptions>& streams,
                                const std::vector<DestinationOptions>& destinations) const {
  const auto gets_stream = [&](const std::string& name) {
    return std::any_of(streams.begin(), streams.end(), [&](const StreamOptions& stream) {
      return std::find(stream.destinations.begin(), stream.destinations.end(), name) != stream.destinations.end();
    });
  };
  const auto had_stream = [&](const std::string& name) {
    const std::optional<DestinationId> id = index_->FindDestination(name);
    return id && std::any_of(kAllLanes.begin(), kAllLanes.end(),
                             [&](Lane lane) { return !index_->SubscriptionsOf(*id, lane).empty(); });
  };
  return std::any_of(destinations.begin(), destinations.end(), [&](const DestinationOptions& each) {
    return each.start == StartAt::kOldest && gets_stream(each.name) && !had_stream(each.name);
  });
}

// Segments go by folds only, and the store thread may be writing one that was begun before: it is waited for. All later
// ones leave everything where it is.
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
      counting_->begins_at = store_->commits_locked() + (store_->folding_locked() ? 1 : 0);
      counting_->asked = clock_.Mono();
      index_->retained().HoldAll();
    }
    if (store_->commits_locked() < counting_->begins_at) {
      if (clock_.Mono() - counting_->asked < kFoldPatience) {
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

void QueueImpl::ForgetCountLocked() {
  if (!counting_) {
    return;
  }
  counting_.reset();
  index_->retained().LetGo();
  // What nobody needed meanwhile goes before anything is dropped for want of space.
  folds_help_ = true;
  next_fold_ = {};
  store_->AskFoldLocked();
}

Status QueueImpl::Reconfigure(std::vector<StreamOptions> streams, std::vector<DestinationOptions> destinations) {
  std::unique_lock lock(mutex_);
  StoredCount count = counting_ ? std::move(counting_->count) : StoredCount();
  LedgerChanges counted;
  StoredConfiguration stored;
  Status folded = store_->FoldNow(lock, [&](Database& database) -> Result<LedgerChanges> {
    std::array<Sequence, kLanes> last{};
    for (const Lane lane : kAllLanes) {
      last.at(At(lane)) = index_->last(lane);
    }
    Result<LedgerChanges> applied = ApplyConfiguration(database, streams, destinations, last, count);
    if (!applied) {
      return applied;
    }
    if (Status kept = KeepDefinitions(database, streams, last); !kept) {
      return kept.error();
    }
    Result<StoredConfiguration> read = ReadConfiguration(database);
    if (!read) {
      return read.error();
    }
    counted = *applied;
    stored = *std::move(read);
    return applied;
  });
  ForgetCountLocked();
  if (!folded) {
    return folded;
  }
  index_->CatchUp(counted);
  Install(stored, streams, *index_);
  return {};
}

}  // namespace packhorse::queue
