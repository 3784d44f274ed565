// Expiry and quota: what the loop asks for once a second.

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "queue/limits.h"
#include "queue/queue_impl.h"

namespace packhorse::queue {
namespace {

// While the queue is over max_bytes, what is delivered must leave the disk soon, but not at the price of a sync a
// second.
constexpr auto kCheckpointWhileOver = std::chrono::seconds(10);
// The least important goes first.
constexpr std::array kDropOrder = {Lane::kBulk, Lane::kNormal, Lane::kUrgent};

std::uint8_t Bit(Lane lane) { return static_cast<std::uint8_t>(1U << At(lane)); }

}  // namespace

Result<Slot> QueueImpl::AppendTo(std::optional<Lane> lane, RawMessage message) {
  if (refusing_.load() != 0) {
    const std::lock_guard lock(mutex_);
    const Lane into = state_->LaneFor(message.stream, lane);
    if ((refusing_.load() & Bit(into)) != 0) {
      CountDroppedLocked(message.stream, HourOf(message.received_at), full_);
      for (const DestinationId destination : state_->Recipients(message.stream, into)) {
        ++refused_[{destination, into}];
      }
      return Slot{into, 0};
    }
  }
  return store_->Append(lane, message, "", "");
}

bool QueueImpl::TryAppend(const RawMessage& message) {
  const std::lock_guard lock(mutex_);
  const Lane lane = state_->LaneOf(message.stream);
  const Numbers& numbers = state_->numbers(lane);
  if (store_->disk_full_locked()) {
    return false;
  }
  store_->PostLocked(ArrivalOp{lane, numbers.next, message, "", ""}, [](const Status&) {});
  return true;
}

void QueueImpl::SetLimits(const Limits& limits) {
  limits_ = limits;
  expiry_.SetMaxAge(limits.max_age);
  SetFull("");
}

LimitReport QueueImpl::EnforceLimits(MonoTime now) {
  LimitReport report;
  Budget budget(clock_, now);
  const auto note = [&](const Status& status) {
    if (!status && !report.problem) {
      report.problem = status.error().With("limits of the queue");
    }
  };
  ReportRefused(report.given_up);
  note(Expire(now, budget, report));
  note(BoundMessages(budget, report.given_up));
  note(BoundBytes(now, budget, report.given_up));
  return report;
}

void QueueImpl::ReportRefused(std::vector<GivenUp>& given_up) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, messages] : std::exchange(refused_, {})) {
    given_up.push_back(
        GivenUp{Outcome::kDropped, refused_because_, state_->DestinationName(key.first), key.second, 0, 0, messages});
  }
}

std::vector<RangeOfDestination> QueueImpl::PendingLocked() const {
  std::vector<RangeOfDestination> pending;
  for (const auto& [key, in_lane] : state_->all_pending_ranges()) {
    for (const PendingRange& range : in_lane.ranges) {
      if (range.waiting > 0) {
        pending.push_back(RangeOfDestination{key.first, key.second, range});
      }
    }
  }
  return pending;
}

// Only the loop takes from a range in which messages wait, so that it is still as it was when the lock was given up.
Status QueueImpl::GiveUp(std::unique_lock<std::mutex>& lock, const RangeOfDestination& pending, Sequence limit,
                         std::string_view reason, GiveUpWalk& walk, std::vector<GivenUp>& given_up) {
  Status visited =
      VisitMessages(lock, pending.lane, pending.range.from, limit,
                    [&](std::string_view plain, Sequence first) -> Result<bool> { return walk.Add(plain, first); });
  if (!visited || walk.messages() == 0) {
    return visited;
  }
  const Outcome outcome = reason == kMaxAge ? Outcome::kExpired : Outcome::kDropped;
  store_->PostLocked(GiveUpOp{pending.destination, pending.lane, pending.range.id, walk.through(), outcome,
                              std::string(reason), walk.counts(), clock_.Wall()},
                     [](const Status&) {});
  given_up.push_back(GivenUp{outcome, std::string(reason), state_->DestinationName(pending.destination), pending.lane,
                             walk.first(), walk.through(), walk.messages()});
  return {};
}

Status QueueImpl::Expire(MonoTime now, Budget& budget, LimitReport& report) {
  std::unique_lock lock(mutex_);
  const ClockReading clocks = ReadClocks(clock_);
  state_->NoteClock(clocks);
  if (!expiry_.enabled()) {
    return {};
  }
  expiry_.Begin(state_->clock_epochs(), clocks, now);
  const std::vector<RangeOfDestination> ranges = PendingLocked();
  std::erase_if(oldest_, [&](const auto& known) {
    return std::none_of(ranges.begin(), ranges.end(), [&](const auto& each) { return each.range.id == known.first; });
  });
  Status looked;
  for (const RangeOfDestination& pending : ranges) {
    looked = ExpireRange(lock, pending, budget, report);
    if (!looked || budget.spent()) {
      break;
    }
  }
  if (looked) {
    lock.unlock();
    looked = ExpireSuspects(budget);
    lock.lock();
  }
  for (const Expiry::Near& near : expiry_.End(looked && !budget.spent())) {
    report.expire_soon.push_back(
        ExpireSoon{state_->DestinationName(near.destination), near.age, near.in, near.by_running_time});
  }
  return looked;
}

Status QueueImpl::ExpireRange(std::unique_lock<std::mutex>& lock, const RangeOfDestination& of, Budget& budget,
                              LimitReport& report) {
  const auto [destination, lane, range] = of;
  const auto known = oldest_.find(range.id);
  if (known != oldest_.end()) {
    const GiveUpWalk::Arrival& oldest = known->second.message;
    if (!expiry_.IsNear(lane, oldest.sequence, oldest.boot_time)) {
      return {};  // what waits now is not older
    }
    if (known->second.from == range.from && !expiry_.IsDue(destination, lane, oldest.sequence, oldest.boot_time)) {
      return {};
    }
  }
  const Sequence last = state_->last(lane);
  const Sequence limit = std::min(range.through.value_or(last), last);
  const auto goes = [this, destination = destination, lane = lane](Sequence sequence, std::chrono::nanoseconds at) {
    return expiry_.IsDue(destination, lane, sequence, at);
  };
  GiveUpWalk walk(state_->SubscriptionsOf(destination, lane), {range.from, limit, goes}, budget);
  RETURN_IF_ERROR(GiveUp(lock, of, limit, kMaxAge, walk, report.given_up));
  if (walk.stays()) {
    oldest_[range.id] = Oldest{walk.messages() > 0 ? walk.through() + 1 : range.from, *walk.stays()};
  } else {
    oldest_.erase(range.id);
  }
  return {};
}

Status QueueImpl::BoundMessages(Budget& budget, std::vector<GivenUp>& given_up) {
  if (limits_.max_messages == 0) {
    return {};
  }
  std::unique_lock lock(mutex_);
  std::map<DestinationId, std::uint64_t> excess = state_->Waiting();
  for (auto& [destination, messages] : excess) {
    messages = ExcessMessages(limits_, messages);
  }
  std::vector<RangeOfDestination> ranges = PendingLocked();
  for (const Lane lane : kDropOrder) {
    for (const RangeOfDestination& each : ranges) {
      std::uint64_t& messages = excess[each.destination];
      if (each.lane != lane || !DropsOldest(limits_, lane) || messages == 0 || budget.spent()) {
        continue;
      }
      const Sequence last = state_->last(lane);
      const Sequence limit = std::min(each.range.through.value_or(last), last);
      GiveUpWalk walk(state_->SubscriptionsOf(each.destination, lane), {each.range.from, limit, {}, messages}, budget);
      RETURN_IF_ERROR(GiveUp(lock, each, limit, kMaxRecords, walk, given_up));
      messages -= walk.messages();
    }
  }
  return {};
}

Result<std::uint64_t> QueueImpl::BytesInUse() {
  std::uint64_t commits = 0;
  {
    const std::lock_guard lock(mutex_);
    commits = store_->commits_locked();
  }
  if (bytes_in_use_of_ == commits) {
    return bytes_in_use_;
  }
  Result<std::uint64_t> bytes = reader_.BytesInUse();
  if (bytes) {
    bytes_in_use_ = *bytes;
    bytes_in_use_of_ = commits;
  }
  return bytes;
}

Status QueueImpl::BoundBytes(MonoTime now, Budget& budget, std::vector<GivenUp>& given_up) {
  Fill fill;
  {
    const std::lock_guard lock(mutex_);
    // What was given up or delivered takes its space until it is checkpointed.
    if (store_->checkpointed_locked() < measure_after_ || state_->retained().releases()) {
      return {};
    }
    fill.messages = state_->MostWaiting();
  }
  const Result<std::uint64_t> bytes = BytesInUse();
  RETURN_IF_ERROR(bytes);
  fill.bytes = *bytes;
  const std::uint64_t excess = ExcessBytes(limits_, fill.bytes);
  if (excess == 0) {
    checkpoints_help_ = true;
    measured_ = std::numeric_limits<std::uint64_t>::max();
  } else if (counting_) {
    // Nothing that is stored goes now: dropping would be for nothing. What is over waits for the end of that.
  } else if (now >= next_checkpoint_ || (checkpoints_help_ && fill.bytes < measured_)) {
    // First without what was delivered, kept for replays or not; as long as that helps nothing has to be dropped.
    next_checkpoint_ = now + kCheckpointWhileOver;
    checkpoints_help_ = true;
    measured_ = fill.bytes;
    MeasureAfterCheckpoint(excess);
    return {};
  } else {
    checkpoints_help_ = false;
  }
  SetFull(Full(limits_, fill, !full_.empty()));
  return excess == 0 || counting_ ? Status() : DropOldest(excess, budget, given_up);
}

void QueueImpl::MeasureAfterCheckpoint(std::uint64_t release) {
  const std::lock_guard lock(mutex_);
  if (state_->retained().held().segments > 0) {
    state_->retained().Release(release);
  }
  measure_after_ = store_->position_locked();
  store_->AskCheckpointLocked();
}

void QueueImpl::SetFull(std::string_view limit) {
  const std::lock_guard lock(mutex_);
  full_ = limit;
  std::uint8_t refusing = 0;
  for (const Lane lane : kAllLanes) {
    if (!limit.empty() && limits_.overflow.at(At(lane)) == Overflow::kDropNewest) {
      refusing |= Bit(lane);
      refused_because_ = limit;
    }
  }
  refusing_.store(refusing);
}

Status QueueImpl::DropOldest(std::uint64_t excess, Budget& budget, std::vector<GivenUp>& given_up) {
  const std::size_t before = given_up.size();
  Status done;
  for (const Lane lane : kDropOrder) {
    if (excess == 0 || budget.spent() || !done) {
      break;
    }
    if (!DropsOldest(limits_, lane)) {
      continue;
    }
    const Result<std::uint64_t> freed = DropOldestOf(lane, excess, budget, given_up);
    if (freed) {
      excess -= std::min(excess, *freed);
    } else {
      done = freed.error();
    }
  }
  if (done && given_up.size() == before && excess > 0) {
    done = DropSuspects(excess, budget, given_up);  // there is nothing else
  }
  if (given_up.size() > before) {
    MeasureAfterCheckpoint();
  }
  return done;
}

// Gives up the oldest stored segments of a lane, whole, for everybody; returns the bytes that the next checkpoint
// frees.
Result<std::uint64_t> QueueImpl::DropOldestOf(Lane lane, std::uint64_t excess, Budget& budget,
                                              std::vector<GivenUp>& given_up) {
  std::unique_lock lock(mutex_);
  std::vector<RangeOfDestination> pending = PendingLocked();
  std::erase_if(pending, [&](const RangeOfDestination& each) { return each.lane != lane; });
  if (pending.empty()) {
    return std::uint64_t{0};
  }
  const Sequence oldest = std::min_element(pending.begin(), pending.end(), [](const auto& a, const auto& b) {
                            return a.range.from < b.range.from;
                          })->range.from;
  lock.unlock();
  const Result<std::vector<Reader::SegmentSize>> segments = reader_.Segments(lane, oldest, budget.segments_left());
  lock.lock();
  RETURN_IF_ERROR(segments);
  std::uint64_t freed = 0;
  Sequence through = 0;
  for (const Reader::SegmentSize& segment : *segments) {
    if (freed >= excess) {
      break;
    }
    through = segment.last;
    freed += state_->Prepared(lane, segment.first, segment.last) ? 0 : segment.bytes;
  }
  for (const RangeOfDestination& each : pending) {
    if (each.range.from > through) {
      continue;
    }
    const Sequence limit = std::min(each.range.through.value_or(through), through);
    GiveUpWalk walk(state_->SubscriptionsOf(each.destination, lane), {each.range.from, limit, {}}, budget);
    RETURN_IF_ERROR(GiveUp(lock, each, limit, kMaxBytes, walk, given_up));
  }
  return freed;
}

}  // namespace packhorse::queue
