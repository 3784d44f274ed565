#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/clock/clock_epochs.h"
#include "queue/segment/segment.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

struct TrimWork {
  std::array<Sequence, kLanes> last{};  // number of each lane
  std::vector<NeededSpan> needed;
  ClockEpochEnd boot;
  Ages ages;                        // at `boot`
  std::uint64_t release_bytes = 0;  // of what is only kept for replays, that is to go before its time
};
struct TrimResult {
  std::array<SegmentTotals, kLanes> held;        // differences
  std::array<SegmentTotals, kLanes> retained;    // in segments that nobody needs, kept for replays; bytes as stored
  std::int64_t released = 0;                     // messages of it that went before their time
  std::array<Sequence, kLanes> retained_from{};  // where the first segment that is to be kept begins; 0: none is
};

// Removes segments that are of no use to anybody: those that lie wholly between the spans that are needed and are not
// retained for replays, or not any more. What it has looked through it remembers, so that a checkpoint costs what
// changed and not what is kept. One thread at a time; everything within the transaction that is open.
class Trimmer {
 public:
  // Stretches of a lane, ascending, both ends included.
  using Spans = std::vector<std::pair<Sequence, Sequence>>;

  // Notes that a segment that has just been written is retained.
  Status Retain(Database& db, const TrimWork& work, Lane lane, Sequence first, std::chrono::milliseconds keep);

  // Adds what went to `held` of the result, and says what is retained.
  Status Trim(Database& db, const TrimWork& work, TrimResult& result);
  // The transaction is not in: what was looked through is not known.
  void Forget() { *this = Trimmer(); }

 private:
  struct Segment {
    std::int64_t key = 0;
    Sequence last = 0;
    SegmentTotals held;      // as the lanes count
    std::int64_t bytes = 0;  // as stored
    bool retained = false;
  };
  struct PerLane {
    Spans seen;              // free stretches that were looked through
    SegmentTotals retained;  // in them; bytes as stored
  };

  static Segment FromRow(const Statement& row);
  static Result<std::vector<Segment>> Read(Statement& rows);
  // Of all lanes, once those were looked through.
  Status TrimRetained(Database& db, const TrimWork& work, TrimResult& result);
  Status EndRetention(Database& db, const TrimWork& work, TrimResult& result);
  Status EndRetentionOf(Database& db, std::int64_t boot, const Ages& ages, TrimResult& result);
  Status ReleaseOldest(Database& db, const TrimWork& work, TrimResult& result);
  // They are not retained any more, and go where they lie in what was looked through.
  Status Release(Database& db, const std::vector<Segment>& segments, TrimResult& result);
  Status LookThrough(Database& db, Lane lane, const Spans& free, TrimResult& result);
  // False: the rest is for the next checkpoint.
  Result<bool> LookAt(Database& db, Lane lane, const Spans& free, const std::pair<Sequence, Sequence>& stretch,
                      std::int64_t& looked_through, TrimResult& result);
  static Status Remove(Statement& remove, const Segment& segment, TrimResult& result);

  std::array<PerLane, kLanes> lanes_;
  std::int64_t rows_ = 0;  // that this checkpoint may still look at
  bool retains_ = true;    // false: nothing is retained, there is nothing to look for
};

// What of `all` is not in `without`. Both ascending and without overlaps.
Trimmer::Spans Minus(const Trimmer::Spans& all, const Trimmer::Spans& without);

// Where the first segment of a lane begins that is retained; 0: none is.
Result<Sequence> RetainedFrom(Database& db, Lane lane);

}  // namespace packhorse::queue
