#pragma once

#include <cstdint>

namespace packhorse::queue {

// What the first byte of an operation says. Part of the journal's format: numbers are never reused.
enum class Kind : std::uint8_t {
  kArrival = 1,
  kCount,
  kPrepare,
  kSettle,
  kReplay,
  kSplit,
  kGiveUp,
  kClock,
  kReplayState,
  kReplayPrepare,
  kSuspect,
  kCut,
  kQuarantineRetry = 17,
  kLetterEnd
};

// What a settlement's byte of flags says.
inline constexpr unsigned kPossibleDuplicate = 1;
inline constexpr unsigned kSetsAside = 2;  // the records that are set aside follow at the end
// What of a suspect.
enum class SuspectPart : std::uint8_t { kRetry, kEnd };

// Where a batch says whether it is made of dead letters (1) or not (0): it is of a replay, whose id follows, or made of
// a suspect.
inline constexpr unsigned kOfReplay = 2;
inline constexpr unsigned kOfSuspect = 3;

}  // namespace packhorse::queue
