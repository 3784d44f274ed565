#pragma once

#include <chrono>

#include "base/clock.h"

namespace packhorse::limit {

// When the tests of the circuit breaker begin.
inline constexpr MonoTime kStart{std::chrono::seconds(1'000)};
inline constexpr WallTime kWall{std::chrono::seconds(1'795'162'531)};

}  // namespace packhorse::limit
