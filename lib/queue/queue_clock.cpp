// Stamps from before the clock was right: held back, corrected, or released as they are.

#include "queue/queue_impl.h"

namespace packhorse::queue {

BootClock QueueImpl::ClockOfBoot() const {
  const std::lock_guard lock(mutex_);
  BootClock clock;
  const ClockEpoch* boot = state_->clock_epochs().current();
  if (boot == nullptr) {
    return clock;
  }
  clock.state = boot->state == ClockEpoch::State::kAwaited  ? BootClock::State::kAwaited
                : boot->state == ClockEpoch::State::kLearnt ? BootClock::State::kLearnt
                                                            : BootClock::State::kAsStamped;
  clock.withholds = WithheldFromLocked(Lane::kNormal).has_value();
  if (boot->state == ClockEpoch::State::kLearnt) {
    clock.offset = boot->wall_at_boot - boot->wall_then;
  }
  return clock;
}

Status QueueImpl::LearnClock() {
  const bool synchronized = clock_.Synchronized();
  const ClockOp::Learnt learnt{WallAtBoot(clock_), clock_.Boot()};
  const std::lock_guard lock(mutex_);
  const ClockEpoch* boot = state_->clock_epochs().current();
  if (!synchronized || boot == nullptr || boot->state != ClockEpoch::State::kAwaited) {
    return Error{ErrorCode::kInvalidArgument, synchronized ? "this boot's clock is decided" : "the clock is not right"};
  }
  // Only on the disk: a power cut must not forget by what messages were corrected that have gone out.
  const auto on_disk = [this](const Status& status) {
    if (status) {
      state_->ReleaseClock();
      Wake();
    }
  };
  store_->PostLocked(ClockOp{boot->number, Lane::kNormal, 0, learnt}, on_disk, true);
  return {};
}

std::optional<Sequence> QueueImpl::WithheldFromLocked(Lane lane) const {
  const ClockEpoch* boot = state_->clock_epochs().current();
  if (boot != nullptr && boot->state == ClockEpoch::State::kAwaited && clock_.Boot() >= options_.clock_wait) {
    return std::nullopt;
  }
  return state_->clock_epochs().OpenFrom(lane);
}

Status QueueImpl::DecideStampsLocked(Lane lane, Sequence through) {
  const std::optional<Sequence> open = state_->clock_epochs().OpenFrom(lane);
  if (!open || through < *open) {
    return {};
  }
  if (WithheldFromLocked(lane)) {
    return Error{ErrorCode::kInvalidArgument, "what waits for the clock must not go out yet"};
  }
  store_->PostLocked(ClockOp{state_->clock_epochs().current()->number, lane, through, std::nullopt},
                     [](const Status&) {});
  return {};
}

void QueueImpl::CorrectLocked(Lane lane, std::vector<StoredMessage>& messages) const {
  for (StoredMessage& stored : messages) {
    state_->clock_epochs().Correct(lane, stored.sequence, stored.message);
  }
}

}  // namespace packhorse::queue
