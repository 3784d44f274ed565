#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/clock.h"
#include "queue/clock/age.h"
#include "queue/clock/clock_epochs.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// Decides what is too old to be sent: everything that waits for a destination is asked about here, wherever it is kept
// (decision 0014). What expires is gone for good, so nothing does before
// - its age, a lower bound (age.h), has reached max_age,
// - the wall clock has been left alone for a while (Wait()) and, where it is synchronised, has been so for that long,
// - it has been told for that long that messages of the destination expire soon.
// Loop thread.
class Expiry {
 public:
  // An hour, or a tenth of max_age where that is shorter.
  static std::chrono::milliseconds Wait(std::chrono::milliseconds max_age);

  // 0: nothing expires. Another one has to be told anew.
  void SetMaxAge(std::chrono::milliseconds max_age);
  bool enabled() const { return max_age_ > std::chrono::milliseconds(0); }
  std::chrono::milliseconds max_age() const { return max_age_; }

  // A look at what there is: Begin(), IsDue() about the oldest of each place where messages wait, End().
  void Begin(const ClockEpochs& boots, const ClockReading& clocks, MonoTime now);
  // Whether the message has expired; notes that the destination is to be told when that is near.
  bool IsDue(DestinationId destination, Lane lane, Sequence sequence, std::chrono::nanoseconds boot_time);
  // No younger message than one that is not near need be asked about.
  bool IsNear(Lane lane, Sequence sequence, std::chrono::nanoseconds boot_time) const;
  // As of the last Begin().
  const Ages& ages() const { return ages_; }

  // What is to be told: of this destination messages expire `in` so long, at the earliest.
  struct Near {
    DestinationId destination = 0;
    std::chrono::microseconds age{};  // of its oldest message
    std::chrono::microseconds in{};
    bool by_running_time = false;  // the clock has not been synchronised: only the time that the machine ran counts
  };
  // `complete`: everything was asked about, so that what was not near is not told any more.
  std::vector<Near> End(bool complete);

 private:
  struct Told {
    MonoTime since{};
    std::chrono::microseconds oldest{};
  };

  std::chrono::milliseconds max_age_{0};
  std::map<DestinationId, Told> told_;
  std::set<DestinationId> near_;  // in this look
  MonoTime now_{};
  Ages ages_;                              // what counts
  Ages outlook_;                           // what will, should the clock go on as it is
  std::chrono::nanoseconds clock_left_{};  // how long the clock still has to be left alone
  bool by_running_time_ = false;
};

}  // namespace packhorse::queue
