#include "queue/state/replays.h"

#include <algorithm>
#include <utility>

namespace packhorse::queue {

std::string_view Name(Replay::State state) {
  switch (state) {
    case Replay::State::kRunning:
      return "running";
    case Replay::State::kDone:
      return "done";
    case Replay::State::kCancelled:
      break;
  }
  return "cancelled";
}

double Replay::progress() const {
  Sequence all = 0;
  Sequence seen = 0;
  for (const Lane each : kAllLanes) {
    const Sequence end = through.at(At(each)) + 1;
    const Sequence begin = std::min(first.at(At(each)), end);
    const Sequence at = each < lane ? end : each == lane ? std::clamp(next, begin, end) : begin;
    all += end - begin;
    seen += at - begin;
  }
  return all == 0 ? 1.0 : static_cast<double>(seen) / static_cast<double>(all);
}

void Replays::Add(Replay replay) {
  next_id_ = std::max(next_id_, replay.id + 1);
  replays_[replay.id] = std::move(replay);
}

void Replays::AddBatch(DestinationId destination, BatchPtr batch) {
  const BatchId id = batch->id;
  next_batch_ = std::min(next_batch_, id - 1);
  batches_[id] = BatchRow{destination, std::move(batch)};
}

const Replay* Replays::Find(ReplayId id) const {
  const auto found = replays_.find(id);
  return found == replays_.end() ? nullptr : &found->second;
}

void Replays::Prepare(DestinationId destination, const BatchPtr& batch, Changes& changes) {
  AddBatch(destination, batch);
  changes.batches[batch->id] = BatchRow{destination, batch};
}

void Replays::Apply(const ReplayStateOp& op, Changes& changes) {
  if (Find(op.replay.id) == nullptr) {
    Add(op.replay);
  }
  Replay& replay = replays_[op.replay.id];
  replay.state = op.replay.state;
  replay.ended_at = op.replay.ended_at;
  Step(replay, op.replay.asked_at, changes);
}

void Replays::Apply(const ReplayPrepareOp& op, Changes& changes) {
  const auto found = replays_.find(op.replay);
  if (found == replays_.end()) {
    return;
  }
  Replay& replay = found->second;
  replay.next = op.through + 1;
  replay.messages += op.messages;
  replay.skipped += op.skipped;
  for (const BatchPtr& batch : op.batches) {
    replay.records += batch->records;
    Prepare(replay.destination, batch, changes);
  }
  Step(replay, op.at, changes);
}

void Replays::Settle(const SettleOp& op, std::uint64_t delivered, Changes& changes) {
  const BatchRow settled = batches_.at(op.batch);
  batches_.erase(op.batch);
  for (const BatchPtr& successor : op.successors) {
    Prepare(settled.destination, successor, changes);
  }
  if (const auto replay = replays_.find(settled.batch->replay); replay != replays_.end()) {
    replay->second.delivered += delivered;
    replay->second.refused += op.dead_letters.size();
    Step(replay->second, op.at, changes);
  }
}

void Replays::Step(Replay& replay, WallTime at, Changes& changes) {
  while (replay.lane != Lane::kBulk && replay.next > replay.through.at(At(replay.lane))) {
    replay.lane = static_cast<Lane>(static_cast<int>(replay.lane) + 1);
    replay.next = replay.first.at(At(replay.lane));
  }
  const bool sending = std::any_of(batches_.begin(), batches_.end(),
                                   [&](const auto& each) { return each.second.batch->replay == replay.id; });
  if (replay.state == Replay::State::kRunning && replay.looked_through() && !sending) {
    replay.state = Replay::State::kDone;
    replay.ended_at = at;
  }
  changes.replays[replay.id] = replay;
  ForgetOld(changes);
}

// The oldest that have ended.
void Replays::ForgetOld(Changes& changes) {
  for (auto it = replays_.begin(); it != replays_.end() && replays_.size() > kMaxReplays;) {
    if (it->second.state == Replay::State::kRunning) {
      ++it;
      continue;
    }
    changes.replays[it->first] = std::nullopt;
    it = replays_.erase(it);
  }
}

}  // namespace packhorse::queue
