#include "bridge/shadow_queue.h"

#include <algorithm>
#include <utility>

namespace packhorse::bridge {
namespace {

std::size_t BytesOf(const queue::StoredMessage& stored) {
  return stored.message.topic.size() + stored.message.payload.size();
}

Error NotHere() { return Error{ErrorCode::kUnsupported, "a shadow keeps nothing that could be sent again"}; }
Error NoSuspect() { return Error{ErrorCode::kNotFound, "a shadow lets go what is refused"}; }

}  // namespace

void ShadowQueue::Erase(LaneState& lane, std::map<Sequence, Message>::iterator message) {
  lane.waiting -= message->second.waits ? 1U : 0U;
  bytes_ -= BytesOf(message->second.stored);
  --size_;
  lane.messages.erase(message);
}

// Bulk before normal before urgent.
bool ShadowQueue::MissOldest() {
  const auto lane =
      std::find_if(lanes_.rbegin(), lanes_.rend(), [](const LaneState& each) { return each.waiting > 0; });
  if (lane == lanes_.rend()) {
    return false;
  }
  const auto oldest =
      std::find_if(lane->messages.begin(), lane->messages.end(), [](const auto& each) { return each.second.waits; });
  lane->taken = std::max(lane->taken, oldest->first);
  Erase(*lane, oldest);
  ++counts_.missed;
  return true;
}

void ShadowQueue::Add(Lane lane, const queue::StoredMessage& stored) {
  const std::size_t bytes = BytesOf(stored);
  while (size_ >= limits_.messages || bytes_ + bytes > limits_.bytes) {
    if (!MissOldest()) {
      ++counts_.missed;
      return;
    }
  }
  LaneState& state = Of(lane);
  if (state.messages.emplace(stored.sequence, Message{stored}).second) {
    ++state.waiting;
    ++size_;
    bytes_ += bytes;
  }
}

void ShadowQueue::Poll() {
  for (const std::function<void()>& call : std::exchange(later_, {})) {
    call();
  }
}

Result<queue::Pending> ShadowQueue::Peek(const std::string& /*destination*/, queue::LanePart of,
                                         std::size_t max_messages, std::uint64_t max_bytes) {
  queue::Pending pending;
  if (of.part == queue::Part::kBacklog) {
    return pending;
  }
  std::uint64_t bytes = 0;
  for (const auto& [sequence, message] : Of(of.lane).messages) {
    if (!message.waits) {
      continue;
    }
    if (pending.messages.size() >= max_messages || (bytes >= max_bytes && !pending.messages.empty())) {
      break;
    }
    bytes += BytesOf(message.stored);
    pending.messages.push_back(message.stored);
  }
  if (!pending.messages.empty()) {
    pending.from = pending.messages.front().sequence;
    pending.through = pending.messages.back().sequence;
  }
  return pending;
}

Result<queue::Pending> ShadowQueue::PeekNewest(const std::string& /*destination*/, queue::LanePart of,
                                               std::size_t max_messages, std::uint64_t /*max_bytes*/) {
  queue::Pending pending;
  if (of.part == queue::Part::kBacklog || max_messages == 0) {
    return pending;
  }
  const std::map<Sequence, Message>& messages = Of(of.lane).messages;
  const auto newest =
      std::find_if(messages.rbegin(), messages.rend(), [](const auto& each) { return each.second.waits; });
  if (newest != messages.rend()) {
    pending.messages.push_back(newest->second.stored);
    pending.from = newest->first;
    pending.through = newest->first;
  }
  return pending;
}

queue::PendingStats ShadowQueue::Waiting(const std::string& /*destination*/, queue::LanePart of) {
  queue::PendingStats stats;
  if (of.part != queue::Part::kBacklog) {
    const LaneState& lane = Of(of.lane);
    stats.messages = lane.waiting;
    stats.prepared_messages = lane.messages.size() - lane.waiting;
  }
  return stats;
}

WallTime ShadowQueue::OldestPending(const std::string& /*destination*/) {
  WallTime oldest{};
  for (const LaneState& lane : lanes_) {
    if (!lane.messages.empty()) {
      const WallTime at = lane.messages.begin()->second.stored.message.received_at;
      oldest = oldest == WallTime{} ? at : std::min(oldest, at);
    }
  }
  return oldest;
}

// All of them came since the process started.
std::vector<std::chrono::microseconds> ShadowQueue::AgesOf(Lane /*lane*/,
                                                           std::span<const queue::StoredMessage> messages) {
  std::vector<std::chrono::microseconds> ages;
  ages.reserve(messages.size());
  for (const queue::StoredMessage& stored : messages) {
    ages.push_back(std::chrono::floor<std::chrono::microseconds>(clock_.Boot() - stored.message.boot_time));
  }
  return ages;
}

Result<queue::StoredMessage> ShadowQueue::Read(Lane lane, Sequence sequence) {
  const auto found = Of(lane).messages.find(sequence);
  if (found == Of(lane).messages.end()) {
    return Error{ErrorCode::kNotFound, "the message is gone"};
  }
  return found->second.stored;
}

std::vector<queue::BatchId> ShadowQueue::Keep(std::vector<std::unique_ptr<queue::PreparedBatch>> batches) {
  std::vector<queue::BatchId> ids;
  for (std::unique_ptr<queue::PreparedBatch>& batch : batches) {
    for (const queue::Member& member : batch->members) {
      const auto message = Of(batch->lane).messages.find(member.sequence);
      if (message != Of(batch->lane).messages.end()) {
        ++message->second.batches;
      }
    }
    batch->id = ++last_batch_;
    ids.push_back(batch->id);
    batches_.emplace(batch->id, std::move(batch));
  }
  return ids;
}

void ShadowQueue::Prepare(queue::PrepareRequest request, BatchesDone done) {
  LaneState& lane = Of(request.lane);
  counts_.skipped += request.resolutions.size();
  std::vector<queue::BatchId> ids = Keep(std::move(request.batches));
  const auto end = lane.messages.upper_bound(request.through);
  for (auto message = lane.messages.lower_bound(request.from); message != end;) {
    const auto each = message++;
    if (each->second.waits) {
      each->second.waits = false;
      --lane.waiting;
    }
    if (each->second.batches == 0) {
      Erase(lane, each);
    }
  }
  lane.taken = std::max(lane.taken, request.through);
  Later([done = std::move(done), ids = std::move(ids)] { done(ids); });
}

void ShadowQueue::Settle(queue::Settlement settlement, BatchesDone done) {
  const auto found = batches_.find(settlement.batch);
  if (found == batches_.end()) {
    Later([done = std::move(done)] { done(Error{ErrorCode::kNotFound, "there is no such batch"}); });
    return;
  }
  const std::unique_ptr<queue::PreparedBatch> batch = std::move(found->second);
  batches_.erase(found);
  std::uint64_t again = 0;
  for (const auto& successor : settlement.successors) {
    again += successor->records;
  }
  const std::uint64_t refused = settlement.dead.size() + settlement.set_aside.size();
  const std::uint64_t ended = again + refused + settlement.skipped.size();
  counts_.accepted += batch->records - std::min<std::uint64_t>(batch->records, ended);
  counts_.refused += refused;
  counts_.skipped += settlement.skipped.size();
  for (const queue::DeadRecord& dead : settlement.dead) {
    counts_.last_words = dead.detail;
  }
  for (const queue::SetAsideRecord& aside : settlement.set_aside) {
    counts_.last_words = aside.suspicion.detail;
    queue::Suspect& suspect = refused_[++last_suspect_];
    suspect.id = last_suspect_;
    suspect.lane = batch->lane;
    suspect.sequence = aside.sequence;
    suspect.record = aside.record;
  }
  std::vector<queue::BatchId> ids = Keep(std::move(settlement.successors));
  LaneState& lane = Of(batch->lane);
  for (const queue::Member& member : batch->members) {
    const auto message = lane.messages.find(member.sequence);
    if (message != lane.messages.end() && --message->second.batches == 0) {
      Erase(lane, message);
    }
  }
  Later([done = std::move(done), ids = std::move(ids)] { done(ids); });
}

Result<std::vector<queue::PreparedBatch>> ShadowQueue::PreparedBatches(const std::string& /*destination*/) {
  return std::vector<queue::PreparedBatch>();
}

Sequence ShadowQueue::HighestTaken(const std::string& /*destination*/, Lane lane) { return Of(lane).taken; }

Result<queue::ReplayPart> ShadowQueue::PeekReplay(queue::ReplayId /*id*/, std::size_t /*max_messages*/,
                                                  std::uint64_t /*max_bytes*/) {
  return NotHere();
}

void ShadowQueue::RedriveDead(std::vector<std::int64_t> /*ids*/, std::unique_ptr<queue::PreparedBatch> /*batch*/,
                              std::function<void(Result<queue::BatchId>)> done) {
  Later([done = std::move(done)] { done(NotHere()); });
}

void ShadowQueue::DropDead(std::int64_t /*id*/, std::function<void(const Status&)> done) {
  Later([done = std::move(done)] { done(NotHere()); });
}

void ShadowQueue::RetryQuarantined(queue::PrepareRequest /*request*/, BatchesDone done) {
  Later([done = std::move(done)] { done(NotHere()); });
}

Result<std::vector<queue::Suspect>> ShadowQueue::Suspects(const std::string& /*destination*/, std::size_t limit,
                                                          std::int64_t after_id) {
  std::vector<queue::Suspect> page;
  for (auto each = refused_.upper_bound(after_id); each != refused_.end() && page.size() < limit; ++each) {
    page.push_back(each->second);
  }
  return page;
}

Result<queue::Suspect> ShadowQueue::FindSuspect(std::int64_t id) {
  refused_.erase(id);
  return NoSuspect();
}

void ShadowQueue::RetrySuspect(std::int64_t id, std::unique_ptr<queue::PreparedBatch> /*batch*/,
                               std::function<void(Result<queue::BatchId>)> done) {
  refused_.erase(id);
  Later([done = std::move(done)] { done(NoSuspect()); });
}

void ShadowQueue::DropSuspect(std::int64_t id, std::function<void(const Status&)> done) {
  refused_.erase(id);
  Later([done = std::move(done)] { done(NoSuspect()); });
}

}  // namespace packhorse::bridge
