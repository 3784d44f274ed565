#include "delivery/contradictions.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr auto kRemembered = 24h;
constexpr double kMostInARow = 400;
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

// By what the suspects that passed had met before: rather too much than too little.
std::uint32_t Contradictions::RowLessLikelyThan(double chance) const {
  const double refused =
      static_cast<double>(refused_of_passed_ + 2) / static_cast<double>(refused_of_passed_ + passed_ + 3);
  return static_cast<std::uint32_t>(std::clamp(std::ceil(std::log(chance) / std::log(refused)), 1.0, kMostInARow));
}

}  // namespace packhorse::delivery
