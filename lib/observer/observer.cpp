#include "observer/observer.h"

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace packhorse::observer {
namespace {

struct Arrived {
  Lane lane = Lane::kNormal;
  queue::StoredMessage stored;
};

std::size_t SizeOf(const RawMessage& message) {
  std::size_t size = sizeof(Arrived) + message.topic.size() + message.payload.size() + message.content_type.size();
  for (const auto& [name, value] : message.user_properties) {
    size += name.size() + value.size();
  }
  return size;
}

}  // namespace

class Observer::Ring {
 public:
  explicit Ring(const Limits& limits) : limits_(limits) {}

  // Whether it is the only one there.
  bool Add(Lane lane, Sequence sequence, const RawMessage& message) {
    const std::size_t size = SizeOf(message);
    {
      const std::lock_guard lock(mutex_);
      if (messages_.size() >= limits_.messages || bytes_ + size > limits_.bytes) {
        ++shed_;
        return false;
      }
    }
    // The copy is made without the lock. Should another receive thread fill the ring meanwhile, it holds one too many.
    Arrived arrived{lane, {sequence, message}};
    const std::lock_guard lock(mutex_);
    bytes_ += size;
    messages_.push_back(std::move(arrived));
    return messages_.size() == 1;
  }
  std::optional<Arrived> Take() {
    const std::lock_guard lock(mutex_);
    if (messages_.empty()) {
      return std::nullopt;
    }
    Arrived arrived = std::move(messages_.front());
    messages_.pop_front();
    bytes_ -= SizeOf(arrived.stored.message);
    return arrived;
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return messages_.empty();
  }
  std::uint64_t shed() const {
    const std::lock_guard lock(mutex_);
    return shed_;
  }

 private:
  const Limits limits_;
  mutable std::mutex mutex_;
  std::deque<Arrived> messages_;  // guarded by mutex_, as what follows
  std::size_t bytes_ = 0;
  std::uint64_t shed_ = 0;
};

Observer::Observer(Hooks hooks, const Clock& clock, Limits limits)
    : hooks_(std::move(hooks)), clock_(clock), limits_(limits) {}

Observer::~Observer() {
  if (ring_) {
    hooks_.attach(nullptr);
  }
}

Observer::FollowerId Observer::Follow(Follower follower) {
  const FollowerId id = next_id_++;
  followers_.emplace(id, std::move(follower));
  if (!ring_) {
    ring_ = std::make_shared<Ring>(limits_);
    hooks_.attach(std::make_shared<const Tap>(
        [ring = ring_, wake = hooks_.wake](Lane lane, Sequence sequence, const RawMessage& message) {
          if (ring->Add(lane, sequence, message)) {
            wake();
          }
        }));
  }
  return id;
}

void Observer::Unfollow(FollowerId id) {
  followers_.erase(id);
  if (followers_.empty() && ring_) {
    hooks_.attach(nullptr);
    shed_ += ring_->shed();
    ring_.reset();
  }
}

bool Observer::Observe() {
  if (!ring_) {
    return false;
  }
  const MonoTime end = clock_.Mono() + limits_.iteration;
  do {
    const std::optional<Arrived> arrived = ring_->Take();
    if (!arrived) {
      return false;
    }
    ++observed_;
    const contract::Decoded decoded = hooks_.decode(arrived->lane, arrived->stored);
    for (const auto& [id, follower] : followers_) {
      follower({arrived->lane, arrived->stored, decoded});
    }
  } while (clock_.Mono() < end);
  return !ring_->empty();
}

Stats Observer::Snapshot() const { return {observed_, shed_ + (ring_ ? ring_->shed() : 0), followers_.size()}; }

}  // namespace packhorse::observer
