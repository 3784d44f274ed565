// What the store tells the witness of the queue.

#include "queue/sqlite/rows.h"
#include "queue/store.h"

namespace packhorse::queue {

void Store::NoteLocked() {
  if (gap_ || folded_ < gap_through_) {
    return;  // some of it waits for the disk
  }
  Moment moment{position_, {}, index_.pending()};
  for (const Lane lane : kAllLanes) {
    moment.last[At(lane)] = index_.last(lane);
  }
  witness_->Note(moment);
}

void Store::NoteFoldLocked(const FoldWork& work) {
  Moment moment{work.through, {}, work.pending};
  for (const Lane lane : kAllLanes) {
    moment.last[At(lane)] = work.lanes[At(lane)].numbers.next - 1;
  }
  witness_->Committed(books_.fold(), moment);
  NoteLocked();
}

void Store::SaveWitness(std::unique_lock<std::mutex>& lock, bool last) {
  const MonoTime now = clock_.Mono();
  if (!last && (now < next_witness_ || !witness_->unsaved())) {
    return;
  }
  next_witness_ = now + kWitnessInterval;
  lock.unlock();
  // Should it fail, the one before holds: a loss is counted from there. What the disk refuses is told by the folds.
  static_cast<void>(witness_->Save(Micros(clock_.Wall()), last));
  lock.lock();
}

}  // namespace packhorse::queue
