#pragma once

#include <chrono>

#include "base/clock.h"

namespace packhorse::monitor {

inline constexpr WallTime kSince{std::chrono::microseconds(1'795'162'321'500'000)};  // 2026-11-20T08:12:01.5Z

}  // namespace packhorse::monitor
