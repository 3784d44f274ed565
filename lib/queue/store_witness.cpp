// What the store tells the witness of the queue, and that it sees whether the database is still where it was put.

#include "queue/store.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {

void Store::NoteLocked() {
  if (journal_skipped_ || checkpointed_ < journal_skips_through_) {
    return;  // some of it waits for the disk
  }
  Progress progress{position_, {}, state_.pending()};
  for (const Lane lane : kAllLanes) {
    progress.last[At(lane)] = state_.last(lane);
  }
  witness_->Note(progress);
}

void Store::NoteCheckpointLocked(const CheckpointWork& work) {
  Progress progress{work.through, {}, work.pending};
  for (const Lane lane : kAllLanes) {
    progress.last[At(lane)] = work.lanes[At(lane)].numbers.next - 1;
  }
  witness_->Committed(writer_.checkpoint(), progress);
  NoteLocked();
}

bool Store::Watches(std::unique_lock<std::mutex>& lock) {
  if (reader_behind_) {
    work_.wait_for(lock, options_.watch_interval, [&] { return stopping_ || !reader_behind_; });
    return true;
  }
  const MonoTime now = clock_.Mono();
  if (now < next_watch_) {
    return false;
  }
  next_watch_ = now + options_.watch_interval;
  PutJournalBack();  // with its folder
  witness_->PutBack();
  if (unwritten_ || writer_.in_doubt() || writer_.broken() || !writer_.Moved()) {
    return false;
  }
  PutBack(lock);
  return true;
}

void Store::PutJournalBack() {
  if (journal_ && !journal_->InPlace()) {
    lost_journal_ = journal_->options();
    journal_.reset();
    journal_skipped_ = true;
  }
  if (!lost_journal_) {
    return;
  }
  Result<Journal> made = Journal::Create(*lost_journal_, position_ + 1);
  if (!made) {
    return;  // everything waits for the disk meanwhile
  }
  journal_ = *std::move(made);
  lost_journal_.reset();
  journal_skipped_ = false;
  journal_skips_through_ = position_;  // until this is in the database, too, the new files prove nothing
  AskCheckpointLocked();
}

void Store::PutBack(std::unique_lock<std::mutex>& lock) {
  busy_ = true;
  lock.unlock();
  Status put_back = writer_.PutBack();
  if (put_back) {
    static_cast<void>(witness_->Save(Micros(clock_.Wall()), false));  // it may have gone too
  }
  lock.lock();
  busy_ = false;
  replaced_.times += replaced_.problem.empty() ? 1U : 0U;
  replaced_.problem = put_back ? "" : put_back.error().message;
  next_watch_ = clock_.Mono() + (put_back ? options_.watch_interval : kWitnessInterval);
  reader_behind_ = static_cast<bool>(put_back);
  if (put_back && reserve_file_.whole()) {
    static_cast<void>(reserve_file_.Take());
  }
  checkpoints_.notify_all();
  Wake();
}

void Store::SaveWitness(std::unique_lock<std::mutex>& lock, bool last) {
  const MonoTime now = clock_.Mono();
  if (!last && (now < next_witness_ || !witness_->unsaved())) {
    return;
  }
  next_witness_ = now + kWitnessInterval;
  busy_ = true;  // no checkpoint begins meanwhile
  lock.unlock();
  // Should it fail, the one before holds: a loss is counted from there. What the disk refuses is told by the
  // checkpoints.
  static_cast<void>(witness_->Save(Micros(clock_.Wall()), last));
  lock.lock();
  busy_ = false;
}

}  // namespace packhorse::queue
