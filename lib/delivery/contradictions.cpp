#include "delivery/contradictions.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr auto kRemembered = 24h;
constexpr double kMostInARow = 400;
constexpr double kOneInAHundred = 2.33;  // of the normal distribution, on one side
// What is assumed at most where little was seen.
constexpr double kShareOfLittle = 0.75;
// What was seen lately counts for more: an API that was mended lets everything pass at once, and may break again.
constexpr std::uint64_t kPassedUntilHalved = 32;

}  // namespace

void Contradictions::Note(MonoTime now) {
  if (!Lately(now)) {
    passed_ = 0;
    refused_of_passed_ = 0;
  }
  last_ = now;
}

void Contradictions::NotePassed(std::uint32_t refusals, MonoTime now) {
  Note(now);
  ++passed_;
  refused_of_passed_ += refusals - 1;
  if (passed_ >= kPassedUntilHalved) {
    passed_ /= 2;
    refused_of_passed_ /= 2;
  }
}

bool Contradictions::Lately(MonoTime now) const { return last_ && now - *last_ < kRemembered; }

double Contradictions::ShareRefused() const {
  return static_cast<double>(refused_of_passed_ + 2) / static_cast<double>(refused_of_passed_ + passed_ + 3);
}

// With eight that passed at once every second request may be refused all the same: that happens once in 256 times.
double Contradictions::ShareRefusedAtMost() const {
  const double share = ShareRefused();
  const double margin =
      kOneInAHundred * std::sqrt(share * (1 - share) / static_cast<double>(refused_of_passed_ + passed_ + 3));
  return std::max(share, std::min(share + margin, kShareOfLittle));
}

std::uint32_t RowLessLikelyThan(double chance, double share) {
  return static_cast<std::uint32_t>(std::clamp(std::ceil(std::log(chance) / std::log(share)), 1.0, kMostInARow));
}

}  // namespace packhorse::delivery
