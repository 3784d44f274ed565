#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/clock.h"
#include "contract/device_contract.h"
#include "queue/values/values.h"
#include "record/raw_message.h"

namespace packhorse::observer {

// What a follower is shown. Valid during the call only.
struct Observation {
  Lane lane = Lane::kNormal;
  const queue::StoredMessage& stored;  // as it arrived: its stamp is not corrected yet
  const contract::Decoded& decoded;
};

struct Limits {
  std::size_t messages = 1'000;
  std::size_t bytes = 4U << 20U;               // of these messages, with what each costs beside its texts
  std::chrono::microseconds iteration{2'000};  // after which no further message is begun
};

struct Stats {
  std::uint64_t observed = 0;  // since the start
  std::uint64_t shed = 0;      // arrived while somebody followed, and the ring was full
  std::size_t followers = 0;
};

// Decodes messages once, soon after they arrived, and shows them to those who follow. Sheds what it has no time for:
// nothing waits for it, and nobody may rely on it for more than a look. Loop thread, but for the tap.
class Observer {
 public:
  // Copies one message; never waits for the loop's work. Receive threads.
  using Tap = std::function<void(Lane, Sequence, const RawMessage&)>;
  struct Hooks {
    std::function<contract::Decoded(Lane, const queue::StoredMessage&)> decode;
    std::function<void(std::shared_ptr<const Tap>)> attach;  // to all intakes; null: none
    std::function<void()> wake;  // a message came where none waited. Any thread, as long as a tap is held
  };
  using Follower = std::function<void(const Observation&)>;
  using FollowerId = std::uint64_t;

  Observer(Hooks hooks, const Clock& clock, Limits limits = {});
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // From the next message on. Not from within a follower, and neither is Unfollow().
  FollowerId Follow(Follower follower);
  // After the last one the tap and what still waits are given up.
  void Unfollow(FollowerId id);
  // Shows what has arrived, for a bounded time; true when more waits. Call it when nothing more urgent is due.
  bool Observe();
  Stats Snapshot() const;

 private:
  class Ring;

  Hooks hooks_;
  const Clock& clock_;
  const Limits limits_;
  // Null while nobody follows. Shared with its tap, which a receive thread may hold for a moment longer than we do:
  // what comes then goes with it.
  std::shared_ptr<Ring> ring_;
  std::map<FollowerId, Follower> followers_;
  FollowerId next_id_ = 1;
  std::uint64_t observed_ = 0;
  std::uint64_t shed_ = 0;  // by the rings before this one
};

}  // namespace packhorse::observer
