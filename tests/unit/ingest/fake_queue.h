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

#include "queue/ports/intake.h"

namespace packhorse::test {

// The intake of a queue that keeps what it is given in memory. Its store can be held up, and stopped. Thread-safe.
class FakeQueue final : public queue::IntakePort {
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
  void Stop() {
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

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
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
