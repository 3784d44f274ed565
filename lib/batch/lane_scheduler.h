#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "record/raw_message.h"

namespace packhorse::batch {

// The lines of one destination: per lane one for what is new, and one for the backlog of an outage (order: live_first);
// and one for replays, of whatever lane.
struct Line {
  Lane lane = Lane::kNormal;
  bool backlog = false;
  bool replay = false;
  bool operator==(const Line&) const = default;
};
inline constexpr std::size_t kLines = 7;
inline constexpr Line kReplayLine{Lane::kBulk, false, true};
constexpr std::size_t IndexOf(Line line) {
  return line.replay ? kLines - 1 : 2 * static_cast<std::size_t>(line.lane) + (line.backlog ? 1U : 0U);
}
constexpr Line LineAt(std::size_t index) {
  return index == kLines - 1 ? kReplayLine : Line{static_cast<Lane>(index / 2), index % 2 != 0};
}

// Lines that have a batch which could go now.
using Ready = std::array<bool, kLines>;

// Whose batch goes next, where several lines wait for the same limit or connection. Counted in batches, which are full
// wherever it matters. Whoever waits alone has everything; where lines compete
//  - urgent goes first, but after four of its batches in a row one of another line gets a turn: an urgent batch waits
//    for at most one other;
//  - of the other turns the backlog gets `backfill_share`, so long as something new waits too;
//  - among new data and within the backlog, each lane gets four turns for one of the lanes below it;
//  - a replay goes when nobody else wants to, or after sixteen turns of others.
// So every line that waits gets a turn after a bounded number of others. Deterministic; no I/O, no clock. Not
// thread-safe (loop). State need not survive a restart.
class LaneScheduler {
 public:
  // (0, 1): a share outside is brought inside.
  explicit LaneScheduler(double backfill_share);
  // None when nothing is ready.
  std::optional<Line> Next(const Ready& ready) const;
  // `line` has just gone; `ready` as it was asked.
  void Took(Line line, const Ready& ready);
  double backfill_share() const { return share_; }

 private:
  // Turns in a row of a lane while one below it waited: of urgent and of normal.
  struct Runs {
    std::uint32_t urgent = 0;
    std::uint32_t normal = 0;
  };
  static std::optional<Line> NextOf(const Ready& ready, bool backlog, const Runs& runs);
  static void Count(Line line, const Ready& ready, Runs& runs);
  std::optional<Line> NextOther(const Ready& ready) const;

  double share_;
  double credit_ = 0;  // of the backlog: at 1 it has earned a turn
  Runs live_;
  Runs backlog_;
  std::uint32_t replay_waited_ = 0;  // turns of others since the last one of a replay that waits
};

}  // namespace packhorse::batch
