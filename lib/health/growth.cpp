#include "health/growth.h"

#include <algorithm>

namespace packhorse::health {
namespace {

constexpr std::chrono::seconds kSlice{30};
constexpr std::size_t kSlices = 10;
constexpr std::size_t kRises = 4;

}  // namespace

void Growth::Look(std::uint64_t value, MonoTime now) {
  if (slices_.empty() || now - slices_.back().begin >= kSlice) {
    slices_.push_back(Slice{now, value});
    if (slices_.size() > kSlices + 1) {
      slices_.pop_front();
    }
  }
  slices_.back().lowest = std::min(slices_.back().lowest, value);
}

std::optional<Growth::Grown> Growth::Now() const {
  if (slices_.size() < 2) {
    return std::nullopt;
  }
  const std::size_t last = slices_.size() - 2;  // that is over
  std::size_t first = last;
  while (first > 0 && slices_[first - 1].lowest < slices_[first].lowest) {
    --first;
  }
  if (last - first < kRises) {
    return std::nullopt;
  }
  return Grown{slices_[first].lowest, slices_[last].lowest,
               std::chrono::duration_cast<std::chrono::seconds>(slices_[last + 1].begin - slices_[first].begin)};
}

}  // namespace packhorse::health
