#pragma once

#include <map>

#include "queue/operation/operation.h"
#include "queue/state/checkpoint_work.h"

namespace packhorse::queue {

// The replays of what was delivered, and their batches on the way. Outside the pending ranges and the ledger's
// identity; operations change them as they change the queue state. Bounded: kMaxReplays, and what may be in flight.
// Not thread-safe: its owner holds a lock.
class Replays {
 public:
  void Add(Replay replay);
  void AddBatch(DestinationId destination, BatchPtr batch);
  const std::map<ReplayId, Replay>& all() const { return replays_; }
  const Replay* Find(ReplayId id) const;
  const std::map<BatchId, BatchRow>& batches() const { return batches_; }
  ReplayId TakeId() { return next_id_++; }
  BatchId TakeBatchId() { return next_batch_--; }  // never that of a batch of another kind

  // What changes goes into `changes`, except for the batches.
  void Apply(const ReplayStateOp& op, Changes& changes);
  void Apply(const ReplayPrepareOp& op, Changes& changes);
  // A batch goes, of which so many records were delivered.
  void Settle(const SettleOp& op, std::uint64_t delivered, Changes& changes);

 private:
  void Prepare(DestinationId destination, const BatchPtr& batch, Changes& changes);
  // Goes on to the next lane, and ends when nothing is left to look at or to send.
  void Step(Replay& replay, WallTime at, Changes& changes);
  void ForgetOld(Changes& changes);

  std::map<ReplayId, Replay> replays_;
  std::map<BatchId, BatchRow> batches_;
  ReplayId next_id_ = 1;
  BatchId next_batch_ = -1;
};

}  // namespace packhorse::queue
