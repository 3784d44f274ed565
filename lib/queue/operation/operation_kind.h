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
inline constexpr unsigned kSkips = 4;      // the records that are skipped follow behind these
inline constexpr unsigned kReasons = 8;    // each of them has its reason
// What the ids of delivered records add to the ledger follows behind these.
inline constexpr unsigned kHashesIds = 16;
inline constexpr unsigned kAddsSums = 32;  // likewise, behind all else: what their measurements add
// What of a suspect.
enum class SuspectPart : std::uint8_t { kRetry, kEnd };

// Where a batch says whether it is made of dead letters (1) or not (0): it is of a replay, whose id follows, or made of
// a suspect.
inline constexpr unsigned kOfReplay = 2;
inline constexpr unsigned kOfSuspect = 3;
// Added to it: the batch's layout follows.
inline constexpr unsigned kHasLayout = 16;
// How a message of a quarantine retry ends: not at all, or as dropped; else the outcome's number in the ledger.
inline constexpr unsigned kInBatch = 0;
inline constexpr unsigned kEndsDropped = 1;

}  // namespace packhorse::queue
