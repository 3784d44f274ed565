#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "queue/clock/age.h"
#include "queue/clock/clock_op.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// What is known of the wall clock that stamped the messages of one boot of the machine. Plain value.
struct ClockEpoch {
  enum class State : std::uint8_t {
    kAwaited,    // the clock was not right when the boot began, and has not been since
    kLearnt,     // then it was: stamps from before are corrected
    kAsStamped,  // it was right from the start, or the boot ended before it was: stamps stay as they are
  };
  std::int64_t number = 0;
  std::string boot_id;
  std::chrono::nanoseconds begun{};           // boot-time clock when the queue was first opened in this boot
  WallTime wall_then{};                       // WallAtBoot() at that moment
  std::array<Sequence, kLanes> from{};        // its messages are these and the later ones, up to the next boot
  std::array<Sequence, kLanes> as_stamped{};  // messages up to here keep their stamps, whatever is learnt later
  State state = State::kAwaited;
  // Of kLearnt: WallAtBoot() of the clock once it was right, and when that was by the boot-time clock.
  WallTime wall_at_boot{};
  std::chrono::nanoseconds learnt{};
  // For ages. How long the machine ran from the beginning of this boot to that of the next one, as far as it was noted.
  std::chrono::nanoseconds ran{};
  // The latest WallAtBoot() that its clock has shown while it was synchronised; none: it never was.
  std::optional<WallTime> synchronized_wall;
  bool several = false;  // the messages of several boots in one row: when they came is not known by boot time
};

// How long the present boot has run by now, and what its clock is worth: what each checkpoint notes.
struct ClockEpochEnd {
  std::int64_t boot = 0;
  std::chrono::nanoseconds ran{};
  std::optional<WallTime> synchronized_wall;
};

// Rows that changed; none: the row goes.
using ClockEpochChanges = std::map<std::int64_t, std::optional<ClockEpoch>>;

// Which stamps of the queue's messages are to be corrected, and which may not be shown yet. What a message's stamp
// becomes is decided once, in this order: released as it is (the first time somebody could no longer wait), or by the
// boot's state. Nothing here depends on the time at which it is asked. Not thread-safe: the queue state's owner holds a
// lock.
class ClockEpochs {
 public:
  // When a boot is begun.
  struct Now {
    std::string boot_id;
    std::chrono::nanoseconds boot{};
    WallTime wall_at_boot{};
    bool synchronized = false;
    bool forgot = false;  // which messages were released in this boot may be forgotten: all of them are taken to be
  };

  void Add(ClockEpoch boot) { clock_epochs_.push_back(std::move(boot)); }  // ascending; when opening
  // Goes on with the newest boot when it is this one, else begins another, whose messages have the numbers from `next`.
  // With too many, the oldest neighbours whose stamps stay as they are become one row.
  void Begin(const Now& now, const std::array<Sequence, kLanes>& next, ClockEpochChanges& changes);
  // Whether the operation decides what is still open.
  Status Check(const ClockOp& op) const;
  void Apply(const ClockOp& op, ClockEpochChanges& changes);
  // Drops the oldest boots of which no message at or above the low water is left.
  void Forget(const std::array<Sequence, kLanes>& low_water, ClockEpochChanges& changes);
  // What was learnt is on the disk: only now may it be shown, for a power cut would take it back.
  void Release() { released_ = true; }

  // Notes how long this boot has run and what its clock shows: with every checkpoint, and about once a second.
  void Note(const ClockReading& reading);
  // What this process has seen of the clock.
  const ClockRecord& clock_record() const { return record_; }
  // How old everything is at boot time `now` of this boot. `by_wall`: switched-off time counts, where the clock was
  // synchronised on both sides of it; else only the time that the machine ran.
  Ages AgesAt(std::chrono::nanoseconds now, bool by_wall) const;

  // As of the last Note(), by the wall where the clock has been synchronised for an hour.
  Ages ProvenAges() const;
  ClockEpochEnd End() const;

  const ClockEpoch* current() const { return clock_epochs_.empty() ? nullptr : &clock_epochs_.back(); }
  std::size_t size() const { return clock_epochs_.size(); }
  // First number whose stamp is open, or decided but not released; none when there is no such.
  std::optional<Sequence> OpenFrom(Lane lane) const;
  // The stamp as it is to be shown.
  void Correct(Lane lane, Sequence sequence, RawMessage& message) const;
  // When the message, corrected before, came by the wall clock as it goes now: to be shown. Of a message of this boot
  // that is told by the boot-time clock, wherever the wall clock has been set since; of one that an earlier boot
  // stamped by a wrong clock, by its age.
  WallTime Arrived(Lane lane, Sequence sequence, const RawMessage& message, const Clock& clock) const;
  // Likewise, of a stamp that is all that is left of a message: of the oldest one of a batch.
  WallTime Shown(Lane lane, Sequence sequence, WallTime stamp, const Clock& clock) const;

 private:
  const ClockEpoch* Find(Lane lane, Sequence sequence) const;

  void MergeOldest(ClockEpochChanges& changes);

  std::vector<ClockEpoch> clock_epochs_;  // ascending; the last is this one
  ClockRecord record_;
  bool released_ = true;
};

}  // namespace packhorse::queue
