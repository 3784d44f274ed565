// What replays need of the queue state, and what is kept for them.

#include <algorithm>

#include "queue/state/queue_state.h"

namespace packhorse::queue {

bool QueueState::WasIn(StreamId stream, Lane lane) const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const Subscription& subscription) {
    return subscription.stream == stream && subscription.lane == lane;
  });
}

bool QueueState::Busy(DestinationId destination, Lane lane, Sequence sequence, StreamId stream) const {
  const auto ends = [&](const Changes& changes) {
    const auto dead = changes.dead.lower_bound(DeadKey{lane, sequence, destination, 0});
    return changes.quarantine.contains({lane, sequence}) ||
           (dead != changes.dead.end() && dead->first.lane == lane && dead->first.sequence == sequence &&
            dead->first.destination == destination);
  };
  const PendingRanges* pending = FindPendingRanges(destination, lane);
  const bool waits = pending != nullptr && Subscribed(destination, stream, lane, sequence) &&
                     std::any_of(pending->ranges.begin(), pending->ranges.end(), [&](const PendingRange& range) {
                       return sequence >= range.from && (!range.through || sequence <= *range.through);
                     });
  return waits || ends(*changes_) || (checkpointing_ && ends(*checkpointing_));
}

Sequence QueueState::LowestKept(Lane lane) const {
  if (retained_.pins_all()) {
    return 0;
  }
  Sequence lowest = LowWater(lane);
  if (const Sequence from = retained_.from(lane); from > 0) {
    lowest = std::min(lowest, from);
  }
  const auto& cache = cache_[At(lane)];
  const auto unstored = std::find_if(cache.begin(), cache.end(),
                                     [&](const RamSegmentPtr& segment) { return retained_.IsToBeStored(*segment); });
  return unstored == cache.end() ? lowest : std::min(lowest, (*unstored)->messages.first());
}

void QueueState::Apply(const ReplayStateOp& op, MonoTime /*now*/) { replays_.Apply(op, *changes_); }

void QueueState::Apply(const ReplayPrepareOp& op, MonoTime /*now*/) { replays_.Apply(op, *changes_); }

// What becomes of a message was decided before: pending ranges, dead letters and outcomes stay as they are.
void QueueState::SettleReplay(const Unsettled& settled, const SettleOp& op) {
  std::uint64_t delivered = 0;
  for (const Member& member : settled.batch->members) {
    std::uint32_t records = 0;
    for (std::uint32_t record = member.first_record; record < member.first_record + member.records; ++record) {
      records += IsDelivered(op, member.sequence, record) ? 1U : 0U;
    }
    // A message counts with its first record.
    const bool counts = member.first_record == 0 && IsDelivered(op, member.sequence, 0);
    Count(member.received_hour, member.stream, settled.destination, kLedgerReplayed, "", counts ? 1 : 0, records);
    delivered += records;
  }
  ForgetBatch(settled.destination, op.batch);
  replays_.Settle(op, delivered, *changes_);
}

}  // namespace packhorse::queue
