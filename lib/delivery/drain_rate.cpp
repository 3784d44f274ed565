#include "delivery/drain_rate.h"

#include <algorithm>

namespace packhorse::delivery {

void DrainRate::Record(std::uint64_t messages, MonoTime now) {
  const std::int64_t number = now.time_since_epoch() / kSlot;
  Slot& slot = slots_.at(static_cast<std::size_t>(number) % kSlots);
  if (slot.number != number) {
    slot = Slot{number, 0, now};
  }
  slot.messages += messages;
}

std::optional<std::chrono::seconds> DrainRate::Eta(std::uint64_t messages, MonoTime now) const {
  using Seconds = std::chrono::duration<double>;
  const std::int64_t newest = now.time_since_epoch() / kSlot;
  std::uint64_t sent = 0;
  MonoTime since = now;
  for (const Slot& slot : slots_) {
    if (slot.number > newest - static_cast<std::int64_t>(kSlots) && slot.messages > 0) {
      sent += slot.messages;
      since = std::min(since, slot.first);
    }
  }
  if (sent == 0) {
    return std::nullopt;
  }
  // The first batch of a drain ended when its slot began: over less than a second no rate is known yet.
  const double seconds = std::max(1.0, Seconds(now - since).count());
  return std::chrono::ceil<std::chrono::seconds>(
      Seconds(seconds * static_cast<double>(messages) / static_cast<double>(sent)));
}

}  // namespace packhorse::delivery
