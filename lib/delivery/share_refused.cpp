#include "delivery/share_refused.h"

#include <chrono>

namespace packhorse::delivery {
namespace {

std::int64_t IndexOf(MonoTime now) { return std::chrono::floor<std::chrono::minutes>(now.time_since_epoch()).count(); }

}  // namespace

double ShareRefused::Lately(MonoTime now) const {
  const std::int64_t index = IndexOf(now);
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  for (const Minute& one : minutes_) {
    if (index - one.index < static_cast<std::int64_t>(kMinutes)) {
      accepted += one.accepted;
      refused += one.refused;
    }
  }
  return refused == 0 ? 0.0 : static_cast<double>(refused) / static_cast<double>(accepted + refused);
}

ShareRefused::Minute& ShareRefused::At(MonoTime now) {
  const std::int64_t index = IndexOf(now);
  Minute& minute = minutes_[static_cast<std::size_t>(index) % kMinutes];
  if (minute.index != index) {
    minute = Minute{index, 0, 0};
  }
  return minute;
}

}  // namespace packhorse::delivery
