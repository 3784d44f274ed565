#include <algorithm>
#include <cmath>
#include <limits>

#include "health/metrics.h"

namespace packhorse::health {
namespace {

constexpr std::chrono::seconds kSliceLength{30};
constexpr double kGrowth = 1.05;
constexpr double kLongestUs = 3'600e6;

std::int64_t SliceOf(MonoTime now) { return now.time_since_epoch() / kSliceLength; }

// Bucket i holds [1.05^i, 1.05^(i+1)) microseconds; one hour falls into bucket 450.
std::uint16_t BucketOf(std::chrono::microseconds value) {
  const double us = std::clamp(static_cast<double>(value.count()), 1.0, kLongestUs);
  return static_cast<std::uint16_t>(std::log(us) / std::log(kGrowth));
}

// The geometric middle of a bucket: at most 2.5 % away from every value in it.
std::chrono::microseconds Middle(std::size_t bucket) {
  return std::chrono::microseconds(std::llround(std::pow(kGrowth, static_cast<double>(bucket) + 0.5)));
}

}  // namespace

void Histogram::Record(std::chrono::microseconds value, MonoTime now) {
  const std::int64_t index = SliceOf(now);
  Slice& slice = slices_[static_cast<std::size_t>(index) % kSlices];
  if (slice.index != index) {
    slice.index = index;
    slice.buckets.clear();
  }
  std::uint32_t& count = slice.buckets[BucketOf(value)];
  count += count < std::numeric_limits<std::uint32_t>::max() ? 1U : 0U;
}

std::uint64_t Histogram::Count(MonoTime now) const {
  std::uint64_t total = 0;
  for (const Slice& slice : slices_) {
    if (slice.index > SliceOf(now) - static_cast<std::int64_t>(kSlices)) {
      for (const auto& [bucket, count] : slice.buckets) {
        total += count;
      }
    }
  }
  return total;
}

std::optional<std::chrono::microseconds> Histogram::Quantile(double q, MonoTime now, std::chrono::seconds over) const {
  std::array<std::uint64_t, kBuckets> merged{};
  std::uint64_t total = 0;
  const std::int64_t slices = (std::min(over, kWindow) + kSliceLength - std::chrono::seconds(1)) / kSliceLength;
  for (const Slice& slice : slices_) {
    if (slice.index > SliceOf(now) - slices) {
      for (const auto& [bucket, count] : slice.buckets) {
        merged[bucket] += count;
        total += count;
      }
    }
  }
  if (total == 0) {
    return std::nullopt;
  }
  const double share = q > 0.0 ? std::min(q, 1.0) : 0.0;  // also NaN is 0
  const auto rank =
      std::max<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total))), 1);
  std::uint64_t passed = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    passed += merged[bucket];
    if (passed >= rank) {
      return Middle(bucket);
    }
  }
  return Middle(kBuckets - 1);
}

}  // namespace packhorse::health
