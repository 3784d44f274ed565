#include "batch/learnt_size.h"

namespace packhorse::batch {
namespace {

constexpr std::chrono::minutes kLongestProbeWait{24 * 60};

// Just below what was too much.
std::uint64_t Below(std::uint64_t size) { return size - size / 8 - 1; }

}  // namespace

void LearntSize::TooMuch(std::uint64_t size, MonoTime now) {
  const bool probe = before_probe_ && size >= too_much_;
  too_much_ = std::max(std::min(too_much_, size), least_ + 1);
  if (probe) {
    limit_ = *before_probe_;
    probe_wait_ = std::min(2 * probe_wait_, kLongestProbeWait);
  } else {
    limit_ = std::max(least_, std::min(Limit(size), size / 2));
  }
  before_probe_.reset();
  probe_at_ = now + probe_wait_;
}

void LearntSize::Passed(std::uint64_t size, std::uint64_t most, MonoTime now) {
  if (!limit_) {
    return;
  }
  if (size >= too_much_) {  // it fits now
    too_much_ = std::numeric_limits<std::uint64_t>::max();
    before_probe_.reset();
    probe_wait_ = std::chrono::minutes(1);
  }
  if (size < *limit_ - *limit_ / 2) {
    return;  // too small to tell
  }
  const std::uint64_t step = std::max<std::uint64_t>(1, most / 10);
  if (*limit_ + step < too_much_) {
    limit_ = *limit_ + step;
  } else if (now < probe_at_ || before_probe_) {
    limit_ = std::max(*limit_, Below(too_much_));
  } else {
    before_probe_ = limit_;
    limit_ = too_much_ + std::max<std::uint64_t>(1, std::min(step, too_much_ / 4));
  }
  if (*limit_ >= most) {
    const bool known = too_much_ <= most;
    limit_ = known ? std::optional(most) : std::nullopt;
  }
}

LearntSize::Kept LearntSize::ToKeep() const {
  // A probe is not to be repeated at each start.
  const std::optional<std::uint64_t> limit = before_probe_ ? before_probe_ : limit_;
  return {limit.value_or(0), too_much_ == std::numeric_limits<std::uint64_t>::max() ? 0 : too_much_};
}

void LearntSize::Restore(const Kept& kept) {
  limit_ = kept.limit > 0 ? std::optional(std::max(kept.limit, least_)) : std::nullopt;
  too_much_ = kept.limit > 0 && kept.too_much > 0 ? std::max(kept.too_much, least_ + 1)
                                                  : std::numeric_limits<std::uint64_t>::max();
  before_probe_.reset();
}

}  // namespace packhorse::batch
