#pragma once

#include <cstdlib>

namespace packhorse::delivery {

// Whether long tests are to be small (PACKHORSE_SMALL): for builds with a sanitizer, in which each step costs many
// times as much. What they assert is the same.
inline bool SmallTests() { return std::getenv("PACKHORSE_SMALL") != nullptr; }

}  // namespace packhorse::delivery
