#pragma once

#include <cstdint>

namespace packhorse::queue {

// What the first byte of an operation says. Part of the journal's format: numbers are never reused.
enum class Kind : std::uint8_t {
  kArrival = 1,
  kCount,
  kFreeze,
  kSettle,
  kReplay,
  kSplit,
  kGiveUp,
  kClock,
  kReplayState,
  kReplayFreeze
};

// Where a batch says whether it is made of dead letters (1) or not (0): it is of a replay, whose id follows.
inline constexpr unsigned kOfReplay = 2;

}  // namespace packhorse::queue
