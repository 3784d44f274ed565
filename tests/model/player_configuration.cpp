// Another configuration: the lake comes, goes, and gets another stream.

#include <utility>

#include "player.h"
#include "support/process.h"

namespace packhorse::queue::model {

// For a lake that may come: what is stored now stays until it does, or until that is forgotten.
void Player::CountAhead() {
  if (OneIn(4)) {
    queue_->ForgetCount();
    held_.clear();
    return;
  }
  Configuration ahead = now().configuration;
  ahead.lake = true;
  const bool holds = held_.empty() && ahead.from_oldest && !shared_.lake_tried;
  if (holds) {
    Verify();  // all that waits is stored
  }
  const Result<Queue::Ahead> counted = queue_->CountAhead(Streams(ahead), Destinations(ahead), 1 + Random(10'000));
  Require(counted || shared_.disk_fails, counted ? "" : counted.error().message);
  if (!counted) {
    held_.clear();
    return;
  }
  for (std::uint16_t i = 0; i < now().messages && holds; ++i) {
    if (now().message[i].Is(0, At::kPending)) {
      held_.push_back(i);
    }
  }
}

void Player::Reconfigure() {
  Model next = now();
  (OneIn(2) ? next.configuration.lake : next.configuration.telemetry_to_lake) ^= true;
  const bool begins = next.configuration.lake && !next.lake_began;
  const bool first = !shared_.lake_tried;
  shared_.lake_tried = shared_.lake_tried || begins;
  if (OneIn(2)) {
    Require(test::WaitFor([&] {
              const auto counted = queue_->CountAhead(Streams(next.configuration), Destinations(next.configuration), 1);
              return !counted || *counted == Queue::Ahead::kDone;
            }),
            "the count does not end");
  }
  const std::vector<std::uint16_t> held = std::exchange(held_, {});
  Status done = queue_->Reconfigure(Streams(next.configuration), Destinations(next.configuration));
  if (!done && shared_.disk_fails) {
    return;
  }
  Require(done.has_value(), done ? "" : done.error().message);
  if (begins) {
    const std::string wrong = model::BeginLake(next, Observe(), first);
    Require(wrong.empty(), wrong);
    for (const std::uint16_t i : held) {
      Require(!next.Wants(next.message[i].stream, kLake) || next.message[i].Is(kLake, At::kPending),
              "the lake begins without message " + std::to_string(next.message[i].sequence) + ", which was to stay");
    }
  }
  Commit(next, true);
  shared_.checkpointed = shared_.moments - 1;
}

}  // namespace packhorse::queue::model
