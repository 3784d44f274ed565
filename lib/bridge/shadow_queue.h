#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "queue/ports/delivery.h"
#include "queue/ports/suspects.h"

namespace packhorse::bridge {

// What a shadow destination takes its messages from: a queue in memory, outside the ledger. Nothing that lies here is
// owed to anybody: what there is no room for is missed, what is refused is let go, and all of it goes with the process.
// Record ids are those of the real queue. It has no backlog, no replays, no dead letters, and no batches of an earlier
// run. Loop thread; callbacks run in Poll().
class ShadowQueue final : public queue::DeliveryPort, public queue::SuspectPort {
 public:
  struct Limits {
    std::size_t messages = 10'000;
    std::size_t bytes = 8U << 20U;  // of topics and payloads
  };
  // Since it was made. Records, but for `missed`.
  struct Counts {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::uint64_t skipped = 0;  // the API does not take them; a message that cannot be decoded counts as one
    std::uint64_t missed = 0;   // messages that came while there was no room
    std::string last_words;     // of the last refusal
  };

  // `ids` and `clock` stay with their owners.
  ShadowQueue(const queue::QueueIds& ids, const Clock& clock) : ShadowQueue(ids, clock, Limits()) {}
  ShadowQueue(const queue::QueueIds& ids, const Clock& clock, Limits limits)
      : ids_(ids), clock_(clock), limits_(limits) {}

  // One that has arrived, each once and in the order of its lane. Where there is no room the oldest that waits is
  // missed.
  void Add(Lane lane, const queue::StoredMessage& stored);
  void Poll();
  // More that is missed: it never came here.
  void Miss(std::uint64_t messages) { counts_.missed += messages; }
  const Counts& counts() const { return counts_; }
  std::size_t size() const { return size_; }        // messages
  bool answers() const { return !later_.empty(); }  // there is something for Poll()

  const queue::QueueIds& ids() const override { return ids_; }
  Result<queue::Pending> Peek(const std::string& destination, queue::LanePart of, std::size_t max_messages,
                              std::uint64_t max_bytes) override;
  // None: a shadow is in no hurry.
  Result<queue::Pending> PeekBehind(Sequence /*behind*/, const std::string& /*destination*/, queue::LanePart /*of*/,
                                    std::size_t /*max_messages*/, std::uint64_t /*max_bytes*/,
                                    queue::Pending /*room*/) override {
    return queue::Pending{};
  }
  Result<queue::Pending> PeekNewest(const std::string& destination, queue::LanePart of, std::size_t max_messages,
                                    std::uint64_t max_bytes) override;
  queue::PendingStats Waiting(const std::string& destination, queue::LanePart of) override;
  void WakeAt(const std::string& /*destination*/, queue::LanePart /*of*/, std::uint64_t /*messages*/) override {}
  bool Split(const std::string& /*destination*/, Lane /*lane*/, std::chrono::milliseconds /*age*/) override {
    return false;
  }
  WallTime OldestPending(const std::string& destination) override;
  std::vector<std::chrono::microseconds> AgesOf(Lane lane, std::span<const queue::StoredMessage> messages) override;
  Result<queue::StoredMessage> Read(Lane lane, Sequence sequence) override;
  void Prepare(queue::PrepareRequest request, BatchesDone done) override;
  void Settle(queue::Settlement settlement, BatchesDone done) override;
  Result<std::vector<queue::PreparedBatch>> PreparedBatches(const std::string& destination) override;
  Sequence HighestTaken(const std::string& destination, Lane lane) override;
  std::optional<DueReplay> NextReplay(const std::string& /*destination*/) override { return std::nullopt; }
  Result<queue::ReplayPart> PeekReplay(queue::ReplayId id, std::size_t max_messages, std::uint64_t max_bytes) override;
  void RedriveDead(std::vector<std::int64_t> ids, std::unique_ptr<queue::PreparedBatch> batch,
                   std::function<void(Result<queue::BatchId>)> done) override;
  void DropDead(std::int64_t id, std::function<void(const Status&)> done) override;
  void RetryQuarantined(queue::PrepareRequest request, BatchesDone done) override;

  // A record that is refused while others pass is listed once, so that whoever tries it again learns that it is gone.
  Result<std::vector<queue::Suspect>> Suspects(const std::string& destination, std::size_t limit,
                                               std::int64_t after_id) override;
  Result<queue::Suspect> FindSuspect(std::int64_t id) override;
  std::uint64_t SuspectCount(const std::string& /*destination*/) override { return refused_.size(); }
  void RetrySuspect(std::int64_t id, std::unique_ptr<queue::PreparedBatch> batch,
                    std::function<void(Result<queue::BatchId>)> done) override;
  void DropSuspect(std::int64_t id, std::function<void(const Status&)> done) override;

 private:
  struct Message {
    queue::StoredMessage stored;
    bool waits = true;
    std::uint32_t batches = 0;  // that hold records of it
  };
  struct LaneState {
    std::map<Sequence, Message> messages;
    std::size_t waiting = 0;
    Sequence taken = 0;  // the highest that went into a batch, or was missed
  };
  LaneState& Of(Lane lane) { return lanes_.at(queue::At(lane)); }
  void Erase(LaneState& lane, std::map<Sequence, Message>::iterator message);
  bool MissOldest();
  std::vector<queue::BatchId> Keep(std::vector<std::unique_ptr<queue::PreparedBatch>> batches);
  void Later(std::function<void()> call) { later_.push_back(std::move(call)); }

  const queue::QueueIds& ids_;
  const Clock& clock_;
  const Limits limits_;
  std::array<LaneState, kLanes> lanes_;
  std::map<queue::BatchId, std::unique_ptr<queue::PreparedBatch>> batches_;
  std::map<std::int64_t, queue::Suspect> refused_;
  std::vector<std::function<void()>> later_;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  queue::BatchId last_batch_ = 0;
  std::int64_t last_suspect_ = 0;
  Counts counts_;
};

}  // namespace packhorse::bridge
