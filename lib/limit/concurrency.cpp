#include "limit/concurrency.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace packhorse::limit {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kMost = 32;
constexpr std::uint32_t kFirst = 4;
// So many have to pass before a number counts as one that is borne.
constexpr std::uint32_t kEnough = 4;
constexpr double kAfterRefusal = 0.7;
constexpr double kAfterTimeout = 0.5;
constexpr std::chrono::minutes kQuietFirst = 1min;
constexpr std::chrono::minutes kQuietMost = 6h;
// Of latency.
constexpr std::size_t kRound = 16;
constexpr double kNotSlow = 10'000;  // microseconds
constexpr double kSlower = 1.2;
constexpr double kCrowded = 1.1;
constexpr double kErrors = 2;
constexpr double kBelow = 0.95;  // of the number at which nothing waits
constexpr double kLeast = 0.5;
constexpr double kDown = 0.25;
constexpr double kAlone = 0.125;
constexpr std::uint32_t kRoundsUntilFirst = 2;
constexpr std::uint32_t kRoundsUntilLook = 64;

// Half powers of two.
std::uint32_t SizeOf(std::uint64_t bytes) {
  const auto width = static_cast<std::uint32_t>(std::bit_width(bytes));
  const bool upper = width > 1 && (bytes >> (width - 2)) == 3;
  return 2 * width + (upper ? 1U : 0U);
}

struct Middle {
  double median = 0;
  double error = 0;  // by which chance may make it wrong: by the deviation of the middle three quarters
};

Middle MiddleOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t left_out = values.size() / 8;
  const auto count = static_cast<double>(values.size() - 2 * left_out);
  double mean = 0;
  double squares = 0;
  for (std::size_t i = left_out; i < values.size() - left_out; ++i) {
    mean += values[i] / count;
    squares += values[i] * values[i] / count;
  }
  return {values[values.size() / 2], kErrors * std::sqrt(std::max(0.0, squares - mean * mean) / count)};
}

}  // namespace

Concurrency::Concurrency(std::uint32_t most) : most_(std::clamp(most, 1U, kMost)), limit_(std::min(most_, kFirst)) {}

Concurrency::Flight Concurrency::Start(std::uint32_t in_flight) {
  going_.push_back(Going{++last_, in_flight, changes_});
  for (Going& going : going_) {
    going.peak = std::max(going.peak, in_flight);
  }
  return last_;
}

Concurrency::Going Concurrency::Take(Flight flight) {
  const auto found =
      std::find_if(going_.begin(), going_.end(), [flight](const Going& going) { return going.id == flight; });
  if (found == going_.end()) {
    return Going{};
  }
  const Going going = *found;
  going_.erase(found);
  return going;
}

void Concurrency::Passed(Flight flight, std::chrono::microseconds latency, std::uint64_t bytes, MonoTime now) {
  const Going going = Take(flight);
  if (going.id == 0 || Stale(going)) {
    return;
  }
  const std::uint32_t peak = std::min(going.peak, kMost);
  for (std::uint32_t i = 1; i <= peak; ++i) {
    ++passed_.at(i);
  }
  if (cap_ && passed_.at(std::min(*cap_ + 1, kMost)) >= std::max(*cap_ + 1, kEnough)) {
    cap_.reset();
  }
  const std::uint32_t size = SizeOf(bytes);
  const auto micros = std::max(1.0, static_cast<double>(latency.count()));
  double& usual = Usual(size, micros);
  if (peak == 1 && !restore_) {
    usual += kAlone * (micros - usual);
  } else {
    round_.push_back(Sample{size, micros, micros / std::max(usual, kNotSlow)});
    round_peak_ = std::max(round_peak_, peak);
  }
  if (round_.size() >= std::max<std::size_t>(kRound, limit_)) {
    EndRound();
  }
  Grow(now);
}

void Concurrency::Grow(MonoTime now) {
  if (restore_ || limit_ >= most_ || passed_.at(limit_) < (limit_ == 1 ? kEnough : limit_)) {
    return;
  }
  if ((cap_ && limit_ >= *cap_ && now < try_at_) || Crowded()) {
    return;
  }
  ++limit_;
}

// The last replies came later than they should: more would not get more through.
bool Concurrency::Crowded() const {
  const std::size_t count = std::min<std::size_t>(round_.size(), std::max(limit_, kEnough));
  std::vector<double> ratios;
  for (std::size_t i = round_.size() - count; i < round_.size(); ++i) {
    ratios.push_back(round_[i].ratio);
  }
  if (ratios.empty()) {
    return false;
  }
  const Middle middle = MiddleOf(std::move(ratios));
  return middle.median - middle.error > kCrowded;
}

bool Concurrency::Refused(Flight flight, MonoTime now) {
  const Going going = Take(flight);
  if (going.peak <= 1) {
    return false;
  }
  if (Stale(going)) {
    return explained_;
  }
  const std::uint32_t peak = std::min(going.peak, kMost);
  if (passed_.at(1) > 0) {
    explained_ = passed_.at(peak) < std::max(peak, kEnough);
    if (explained_) {
      const bool tried = cap_ && peak > *cap_;
      quiet_ = tried ? std::min(quiet_ * 2, kQuietMost) : kQuietFirst;
      cap_ = peak - 1;
      try_at_ = now + quiet_;
    }
  }
  Decrease(std::min(limit_, peak) * kAfterRefusal);
  return explained_;
}

void Concurrency::TimedOut(Flight flight) {
  const Going going = Take(flight);
  if (going.peak > 1 && !Stale(going)) {
    Decrease(std::min(limit_, going.peak) * kAfterTimeout);
  }
}

void Concurrency::Decrease(double to) {
  limit_ = std::min(limit_, static_cast<std::uint32_t>(std::max(1.0, std::floor(to))));
  restore_.reset();
  ++changes_;
  passed_.fill(0);
  round_.clear();
  round_peak_ = 0;
}

double& Concurrency::Usual(std::uint32_t size, double latency) {
  return usual_.try_emplace(size, latency).first->second;
}

// What a round says of latency without crowding, and of crowding.
void Concurrency::EndRound() {
  std::vector<double> ratios;
  std::map<std::uint32_t, std::vector<double>> by_size;
  for (const Sample& sample : round_) {
    ratios.push_back(sample.ratio);
    by_size[sample.size].push_back(sample.latency);
  }
  for (auto& [size, latencies] : by_size) {
    double& usual = usual_.at(size);
    const Middle now = MiddleOf(std::move(latencies));
    usual = restore_ ? (usual + now.median) / 2 : usual + kDown * std::min(0.0, now.median + now.error - usual);
  }
  const std::uint32_t used = std::min(limit_, round_peak_);
  round_.clear();
  round_peak_ = 0;
  if (restore_) {
    limit_ = *std::exchange(restore_, std::nullopt);
    rounds_ = 0;
    return;
  }
  const Middle middle = MiddleOf(std::move(ratios));
  const double surely = middle.median - middle.error;
  rounds_ += surely > kCrowded ? 1U : 0U;
  const bool again = std::exchange(slow_, surely > kSlower);
  if (slow_ && again) {
    slow_ = false;
    Decrease(used * std::max(kLeast, kBelow / middle.median));
  } else if (rounds_ >= (looked_ ? kRoundsUntilLook : kRoundsUntilFirst) && limit_ > 1) {
    looked_ = true;
    restore_ = limit_;
    limit_ = limit_ / 2;
    ++changes_;
  }
}

void Concurrency::Restore(const Kept& kept, MonoTime now) {
  if (kept.refused_above > 0) {
    cap_ = std::min(kept.refused_above, kMost);
    limit_ = std::min(limit_, *cap_);
    quiet_ = kQuietFirst;
    try_at_ = now + quiet_;
  }
}

void Concurrency::TakeOver(const Concurrency& old) {
  const std::uint32_t most = most_;
  *this = old;
  most_ = most;
  limit_ = std::min(limit_, most_);
  going_.clear();
}

}  // namespace packhorse::limit
