#include "delivery/chance.h"

#include <cmath>

namespace packhorse::delivery {

double ChanceOf(std::uint64_t accepted, std::uint32_t refused) {
  const auto a = static_cast<double>(accepted);
  const auto k = static_cast<double>(refused);
  return std::pow(a / (a + k), a) * std::pow(k / (a + k), k);
}

double ChanceAmong(std::uint64_t accepted, std::uint64_t refused) {
  const auto r = static_cast<double>(refused + 1);
  return r / (r + static_cast<double>(accepted));
}

}  // namespace packhorse::delivery
