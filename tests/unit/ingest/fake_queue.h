#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "queue/queue.h"

namespace packhorse::test {

// A queue that keeps what it is given in memory. Its store can be held up, and stopped. Only what ingest uses has a
// meaning. Thread-safe.
class FakeQueue final : public queue::Queue {
 public:
  struct InQuarantine {
    RawMessage message;
    std::string reason;
    std::string detail;
  };

  // --- ingest ---
  Result<queue::Slot> AppendTo(std::optional<Lane> lane, RawMessage message) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_ || stopped_; });
    --waiting_;
    if (stopped_) {
      return Error{ErrorCode::kUnavailable, "queue stopped"};
    }
    if (drops_) {
      return queue::Slot{lane.value_or(Lane::kNormal), 0};
    }
    ++count_;
    if (keep_) {
      messages_.push_back(std::move(message));
      lanes_.push_back(lane);
    }
    changed_.notify_all();
    return queue::Slot{lane.value_or(Lane::kNormal), count_};
  }
  void CountDropped(StreamId stream, std::string_view reason) override {
    const std::lock_guard lock(mutex_);
    ++dropped_[std::to_string(stream) + " " + std::string(reason)];
  }
  Status Quarantine(RawMessage message, std::string_view reason, std::string_view detail) override {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return Error{ErrorCode::kUnavailable, "queue stopped"};
    }
    quarantined_.push_back({std::move(message), std::string(reason), std::string(detail)});
    changed_.notify_all();
    return {};
  }
  void CountUnrouted() override {
    const std::lock_guard lock(mutex_);
    ++unrouted_;
    changed_.notify_all();
  }

  // --- the test ---
  void Hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  void Stop() override {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  void Resume() {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
  }
  // As a queue over its limits does with overflow "drop_newest".
  void DropArrivals(bool drops) {
    const std::lock_guard lock(mutex_);
    drops_ = drops;
  }
  void CountOnly() {
    const std::lock_guard lock(mutex_);
    keep_ = false;
  }
  bool WaitFor(const std::function<bool(const FakeQueue&)>& condition,
               std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return condition(*this); });
  }
  bool WaitForCount(std::size_t count, std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    return WaitFor([&](const FakeQueue& queue) { return queue.count_ >= count; }, timeout);
  }
  bool WaitForBlocked() {
    return WaitFor([](const FakeQueue& queue) { return queue.waiting_ > 0; });
  }
  std::vector<RawMessage> Messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  // The lane that each message was to go into; none: its stream's own.
  std::vector<std::optional<Lane>> Lanes() const {
    const std::lock_guard lock(mutex_);
    return lanes_;
  }
  std::size_t Count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  std::vector<InQuarantine> QuarantinedMessages() const {
    const std::lock_guard lock(mutex_);
    return quarantined_;
  }
  // "<stream> <reason>" -> how often.
  std::map<std::string, int> Dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }
  int Unrouted() const {
    const std::lock_guard lock(mutex_);
    return unrouted_;
  }
  // For conditions of WaitFor(), under the lock.
  std::size_t quarantined_count() const { return quarantined_.size(); }
  int unrouted_count() const { return unrouted_; }

  // --- nothing that ingest calls ---
  Result<StreamId> Stream(std::string_view) const override { return Missing(); }
  std::string StreamName(StreamId) const override { return ""; }
  const queue::QueueIds& ids() const override { return ids_; }
  const queue::StartReport& start() const override { return report_; }
  Result<queue::Pending> Peek(const std::string&, queue::LanePart, std::size_t, std::uint64_t) override {
    return Missing();
  }
  Result<queue::Pending> PeekNewest(const std::string&, queue::LanePart, std::size_t, std::uint64_t) override {
    return Missing();
  }
  queue::PendingStats Waiting(const std::string&, queue::LanePart) override { return {}; }
  void WakeAt(const std::string&, queue::LanePart, std::uint64_t) override {}
  bool Split(const std::string&, Lane, std::chrono::milliseconds) override { return false; }
  queue::BootClock ClockOfBoot() const override { return {}; }
  Status LearnClock() override { return Missing(); }
  Result<queue::StoredMessage> Read(Lane, Sequence) override { return Missing(); }
  void Freeze(queue::FreezeRequest, std::function<void(Result<std::vector<queue::BatchId>>)> done) override {
    done(Missing());
  }
  void Settle(queue::Settlement, std::function<void(Result<std::vector<queue::BatchId>>)> done) override {
    done(Missing());
  }
  Result<std::vector<queue::FrozenBatch>> FrozenBatches(const std::string&) override { return Missing(); }
  void Fold(std::function<void(const Status&)>) override {}
  LastNumbers Last() override { return {}; }
  bool SettledThrough(const std::string&, const LastNumbers&) override { return false; }
  void Poll() override {}
  Result<std::vector<queue::DeadLetter>> DeadLetters(std::size_t, std::int64_t, Reading) override { return Missing(); }
  Result<queue::DeadLetter> FindDeadLetter(std::int64_t) override { return Missing(); }
  void ReplayDead(std::vector<std::int64_t>, std::unique_ptr<queue::FrozenBatch>,
                  std::function<void(Result<queue::BatchId>)> done) override {
    done(Missing());
  }
  Result<std::vector<queue::Suspect>> Suspects(const std::string&, std::size_t, std::int64_t) override {
    return Missing();
  }
  Result<queue::Suspect> FindSuspect(std::int64_t) override { return Missing(); }
  std::uint64_t SuspectCount(const std::string&) override { return 0; }
  void RetrySuspect(std::int64_t, std::unique_ptr<queue::FrozenBatch>,
                    std::function<void(Result<queue::BatchId>)> done) override {
    done(Missing());
  }
  void DropSuspect(std::int64_t, std::function<void(const Status&)> done) override { done(Missing()); }
  Sequence HighestTaken(const std::string&, Lane) override { return 0; }
  void StartReplay(const queue::ReplayRequest&, std::function<void(Result<queue::Replay>)> done) override {
    done(Missing());
  }
  void CancelReplay(queue::ReplayId, std::function<void(Result<queue::Replay>)> done) override { done(Missing()); }
  std::vector<queue::Replay> Replays() override { return {}; }
  std::optional<ReplayTurn> NextReplay(const std::string&) override { return std::nullopt; }
  Result<queue::ReplayPart> PeekReplay(queue::ReplayId, std::size_t, std::uint64_t) override { return Missing(); }
  Result<std::vector<queue::QuarantinedMessage>> Quarantined(std::size_t, Sequence, Reading) override {
    return Missing();
  }
  Result<queue::Whereabouts> Where(Lane, Sequence, std::optional<std::uint32_t>, Reading) override { return Missing(); }
  Result<queue::Ledger> ReadLedger() override { return Missing(); }
  Result<std::vector<std::string>> VerifyLedger() override { return Missing(); }
  void NoteDamage(const std::string&) override {}
  Result<std::vector<queue::QuarantinedMessage>> QuarantinedFor(const std::string&, bool, queue::Slot,
                                                                std::size_t) override {
    return std::vector<queue::QuarantinedMessage>();
  }
  void RetryQuarantined(queue::FreezeRequest, std::function<void(Result<std::vector<queue::BatchId>>)>) override {}
  Result<std::vector<queue::KeptDefinition>> Definitions() override { return std::vector<queue::KeptDefinition>(); }
  Status Reconfigure(std::vector<queue::StreamOptions>, std::vector<queue::DestinationOptions>) override {
    return Missing();
  }
  Result<Ahead> CountAhead(const std::vector<queue::StreamOptions>&, const std::vector<queue::DestinationOptions>&,
                           std::uint64_t) override {
    return Missing();
  }
  void ForgetCount() override {}
  WallTime OldestPending(const std::string&) override { return {}; }
  void SetLimits(const queue::Limits&) override {}
  bool TryAppend(const RawMessage&) override { return false; }
  queue::LimitReport EnforceLimits(MonoTime) override { return {}; }
  queue::Stats Snapshot() override { return {}; }

 private:
  static Error Missing() { return Error{ErrorCode::kUnsupported, "not part of this test"}; }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  queue::QueueIds ids_{"test", {}};
  queue::StartReport report_;
  std::vector<RawMessage> messages_;
  std::vector<std::optional<Lane>> lanes_;
  std::vector<InQuarantine> quarantined_;
  std::map<std::string, int> dropped_;
  std::size_t count_ = 0;
  int waiting_ = 0;
  int unrouted_ = 0;
  bool keep_ = true;
  bool drops_ = false;
  bool held_ = false;
  bool stopped_ = false;
};

}  // namespace packhorse::test
