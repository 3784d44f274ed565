#include "queue/store.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/units.h"
#include "queue/recovery/salvage.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

// Room for what happens between the decision to checkpoint and the commit: part of the window.
constexpr auto kMinMargin = 50ms;
// Counters and cursors alone may wait this long: a power cut forgets counts of delivered messages, nothing else.
constexpr auto kLazyCheckpoint = 60s;
constexpr auto kBoundInterval = 600s;
constexpr auto kLook = 500ms;
// How often room for the reserve file is looked for: on a disk that was full, and on one that never had any.
constexpr auto kTryReserveFile = 2s;
constexpr auto kTryFirstReserveFile = 600s;
// Until the sources are off their brokers, a second later, a full disk takes so much more: a receive thread that waits
// here cannot say goodbye.
constexpr std::uint64_t kGraceBytes = 512U << 10U;
// What the database gives back to the disk in one go for it: written twice, so little.
constexpr std::uint64_t kShrinkBytes = 256U << 10U;
constexpr auto kRetryFirst = 100ms;
constexpr auto kRetryMax = 2'000ms;
// How often the last checkpoint is tried: what only the journal has is gone when the machine goes down next.
constexpr unsigned kLastTries = 3;
// After so many failures in a row, most of a second, no longer than for one more try.
constexpr unsigned kRefuses = 4;
constexpr std::chrono::milliseconds kShortPatience = 300ms;
// A journal file that is filled to this part is checkpointed; arrivals may fill three quarters.
constexpr std::uint64_t kFillDivisor = 10;
constexpr std::uint64_t kFillParts = 6;

}  // namespace

Store::Store(CheckpointWriter writer, QueueState& state, std::mutex& mutex, const Clock& clock,
             std::optional<Journal> journal, ReserveFile reserve_file, std::unique_ptr<WitnessKeeper> witness,
             StoreOptions options)
    : writer_(std::move(writer)),
      state_(state),
      mutex_(mutex),
      clock_(clock),
      journal_(std::move(journal)),
      reserve_file_(std::move(reserve_file)),
      witness_(std::move(witness)),
      options_(std::move(options)),
      position_(options_.position),
      checkpointed_(options_.position),
      journal_skipped_(!journal_),
      next_lazy_(clock.Mono() + kLazyCheckpoint),
      next_witness_(clock.Mono() + kWitnessInterval),
      next_reserve_file_(clock.Mono() + kTryFirstReserveFile) {
  if (reserve_file_.given_up()) {
    NoteFullDisk();
    next_reserve_file_ = clock.Mono();  // there may be room now
  }
  thread_ = std::thread([this] { Run(); });
}

Store::~Store() { Stop(); }

LogPosition Store::Record(std::string_view bytes) {
  const LogPosition position = position_ + 1;
  if (journal_skipped_ || !journal_->HasRoom(bytes.size(), false)) {
    journal_skipped_ = true;
    return position;
  }
  if (Status appended = journal_->Append(position, bytes); !appended) {
    NoteFailure(appended.error());
    journal_skipped_ = true;
    return position;
  }
  return checkpointed_ >= journal_skips_through_ ? 0 : journal_skips_through_;
}

// Waits until journal and disk have room.
Result<Slot> Store::AwaitRoom(std::unique_lock<std::mutex>& lock, std::optional<Lane> wanted, const RawMessage& message,
                              std::string_view reason, std::string_view detail) {
  while (!stopping_) {
    const Lane lane = state_.LaneFor(message.stream, wanted);  // a reload may come while this waits
    const Numbers& numbers = state_.numbers(lane);
    bytes_.clear();
    EncodeArrival(bytes_, lane, numbers.next, message, reason, detail);
    if (reserve_file_.given_up() && grace_ < bytes_.size()) {
      checkpoints_.wait(lock);
      continue;
    }
    const bool fits = journal_skipped_ || !journal_->CanHold(bytes_.size()) || journal_->HasRoom(bytes_.size(), true);
    if (fits) {
      grace_ -= reserve_file_.given_up() ? bytes_.size() : 0;
      return Slot{lane, numbers.next};
    }
    checkpoint_asked_ = true;
    work_.notify_one();
    checkpoints_.wait(lock);
  }
  return Error{ErrorCode::kUnavailable, "the queue is stopping"};
}

Result<Slot> Store::Append(std::optional<Lane> wanted, const RawMessage& message, std::string_view reason,
                           std::string_view detail) {
  std::unique_lock lock(mutex_);
  const Result<Slot> slot = AwaitRoom(lock, wanted, message, reason, detail);
  if (!slot) {
    return slot;
  }
  LogPosition needed = Record(bytes_);
  ++position_;
  const bool wakes = state_.ApplyArrival(slot->lane, slot->sequence, message, reason, detail, clock_.Mono());
  NoteLocked();
  if (wakes) {
    Wake();
  }
  if (options_.strict || failures_ > 0) {
    needed = position_;  // while the disk refuses, what only the journal has would soon be older than the window
  }
  if (needed == 0) {
    if (JournalFills() && !checkpoint_asked_) {
      checkpoint_asked_ = true;
      work_.notify_one();
    }
    return slot;
  }
  ++urgent_;
  work_.notify_one();
  checkpoints_.wait(lock, [&] { return checkpointed_ >= needed || stopped_; });
  --urgent_;
  if (checkpointed_ < needed) {
    return Error{ErrorCode::kUnavailable, "the queue is stopping"};
  }
  return slot;
}

void Store::PostLocked(const Operation& operation, std::function<void(const Status&)> finished, bool power_cut) {
  if (stopped_) {
    finished(Error{ErrorCode::kUnavailable, "the queue is stopped"});
    return;
  }
  LogPosition needed = Record(EncodeOperation(operation));
  ++position_;
  if (power_cut) {
    needed = position_;
  }
  state_.Apply(operation, clock_.Mono());
  NoteLocked();
  if (needed == 0) {
    finished(Status());
    return;
  }
  WaitForCheckpointLocked(needed, std::move(finished));
}

void Store::WhenCheckpointedLocked(std::function<void(const Status&)> finished) {
  if (checkpointed_ >= position_) {
    finished(Status());
  } else if (stopped_) {
    finished(Error{ErrorCode::kUnavailable, "the queue is stopped"});
  } else {
    WaitForCheckpointLocked(position_, std::move(finished));
  }
}

// REQUIRES: not stopped, position not checkpointed. Waiters stand in the order of their positions.
void Store::WaitForCheckpointLocked(LogPosition position, std::function<void(const Status&)> finished) {
  const auto behind = std::upper_bound(waiters_.begin(), waiters_.end(), position,
                                       [](LogPosition at, const Waiter& waiter) { return at < waiter.position; });
  waiters_.insert(behind, Waiter{position, std::move(finished)});
  checkpoint_asked_ = true;
  work_.notify_one();
}

void Store::AskCheckpointLocked() {
  checkpoint_asked_ = true;
  work_.notify_one();
}

bool Store::JournalFills() const {
  return journal_ && journal_->active_bytes() > journal_->file_bytes() / kFillDivisor * kFillParts;
}

bool Store::CheckpointDue() const {
  if (unwritten_) {
    return true;
  }
  if (position_ == checkpointed_ && !state_.retained().releases()) {
    return false;
  }
  if (checkpoint_asked_ || urgent_ > 0) {
    return true;
  }
  if (options_.checkpoint_when_asked) {
    return false;
  }
  const MonoTime now = clock_.Mono();
  if (JournalFills()) {
    return true;
  }
  if (const std::optional<MonoTime> oldest = state_.OldestUnstored()) {
    const auto margin = std::max<std::chrono::nanoseconds>(options_.window / 8, kMinMargin);
    if (now - *oldest >= options_.window - margin) {
      return true;
    }
  }
  return now >= next_lazy_;
}

std::chrono::nanoseconds Store::UntilNextLook() const {
  std::chrono::nanoseconds wait = kLook;
  if (const std::optional<MonoTime> oldest = state_.OldestUnstored()) {
    const auto margin = std::max<std::chrono::nanoseconds>(options_.window / 8, kMinMargin);
    wait = std::min(wait, *oldest + options_.window - margin - clock_.Mono());
  }
  return std::max<std::chrono::nanoseconds>(wait, 1ms);
}

void Store::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    WriteDamage(lock);
    if (!stopping_ && Watches(lock)) {
      continue;
    }
    if (!stopping_ && ReserveFileDue()) {
      TakeReserveFile(lock);
      continue;
    }
    if (!stopping_ && !CheckpointDue()) {
      work_.wait_for(lock, UntilNextLook());
      continue;
    }
    const bool last = stopping_;
    checkpoint_asked_ = false;
    checkpointing_ = true;
    bool written = true;
    if (unwritten_) {
      const CheckpointWork work = *std::exchange(unwritten_, std::nullopt);
      written = WriteUntilDone(lock, work);
    }
    if (written) {
      const CheckpointWork work = BeginCheckpoint(last);
      written = WriteUntilDone(lock, work);
    }
    checkpointing_ = false;
    if (written) {
      SaveWitness(lock, last);
    }
    if (written && last && journal_) {
      journal_->Clear();
    }
    WriteDamage(lock);
    if (last || !written) {
      stopped_ = true;
      FailWaiters(Error{ErrorCode::kUnavailable, "the queue is stopped"});
      checkpoints_.notify_all();
      return;
    }
    checkpoints_.notify_all();
  }
}

CheckpointWork Store::BeginCheckpoint(bool clean) {
  state_.NoteClock(ReadClocks(clock_));
  CheckpointWork work = state_.TakeCheckpoint(position_);
  const MonoTime now = clock_.Mono();
  work.clean = clean;
  if (now >= next_bounded_) {
    next_bounded_ = now + kBoundInterval;
    work.bounded = true;
  }
  next_lazy_ = now + kLazyCheckpoint;
  if (journal_ && journal_->CanRotate()) {
    // What does not go through here stays a gap until the next checkpoint: slower, not less safe.
    const Status rotated = journal_->Rotate(position_ + 1);
    if (!rotated) {
      NoteFailure(rotated.error());
    }
    if (journal_skipped_ && rotated) {
      journal_skips_through_ = position_;
    }
    journal_skipped_ = !rotated;
    checkpoints_.notify_all();  // there is room again
  }
  return work;
}

void Store::EndCheckpoint(const CheckpointWork& work, const CheckpointResult& result) {
  state_.Checkpointed(work, result);
  checkpointed_ = work.through;
  NoteCheckpointLocked(work);
  if (journal_) {
    journal_->Release(checkpointed_);
  }
  ++commits_;
  failures_ = 0;
  if (reserve_file_.given_up()) {
    next_reserve_file_ = clock_.Mono();
  } else {
    last_error_.clear();
    failing_since_ = {};
  }
  while (!waiters_.empty() && waiters_.front().position <= checkpointed_) {
    waiters_.front().finished(Status());
    waiters_.pop_front();
  }
  checkpoints_.notify_all();
  Wake();
}

void Store::WriteDamage(std::unique_lock<std::mutex>& lock) {
  if (damage_noted_) {
    return;
  }
  damage_noted_ = true;
  const std::string because = damage_;
  lock.unlock();
  NoteDamage(writer_.path(), because);
  lock.lock();
}

bool Store::WriteUntilDone(std::unique_lock<std::mutex>& lock, const CheckpointWork& work) {
  unsigned last_tries = 0;
  while (true) {
    lock.unlock();
    const Result<CheckpointResult> result = writer_.Write(work, nullptr);
    lock.lock();
    if (result) {
      if (result->changed) {
        state_.RestoreConfiguration(
            result->counted);  // who asked for the change of CheckpointNow() was told that it failed
      }
      EndCheckpoint(work, *result);
      return true;
    }
    NoteFailure(result.error());
    WriteDamage(lock);
    if (result.error().code == ErrorCode::kDiskFull && GiveWay(lock)) {
      continue;
    }
    const auto wait = std::min<std::chrono::milliseconds>(kRetryFirst * (1 << std::min(failures_ - 1, 5U)), kRetryMax);
    if (!stopping_) {
      work_.wait_for(lock, wait, [&] { return stopping_ || !damage_noted_ || std::exchange(retry_, false); });
    } else if (++last_tries < kLastTries) {
      work_.wait_for(lock, kRetryFirst);
    } else {
      return false;
    }
  }
}

void Store::NoteDamageLocked(const Error& error) {
  if (error.code != ErrorCode::kCorrupt || !damage_.empty()) {
    return;
  }
  damage_ = error.message;
  if (stopped_) {
    NoteDamage(writer_.path(), damage_);
    return;
  }
  damage_noted_ = false;
  work_.notify_one();
  Wake();
}

void Store::NoteFailure(const Error& error) {
  NoteDamageLocked(error);
  if (last_error_.empty()) {
    failing_since_ = clock_.Wall();
  }
  last_error_ = error.message;
  ++failures_;
  Wake();
}

bool Store::GiveWay(std::unique_lock<std::mutex>& lock) {
  const bool first = reserve_file_.whole();
  const bool gives = reserve_file_.GiveUp();
  if (gives) {
    grace_ = first ? kGraceBytes : 0;
    NoteFullDisk();
  }
  lock.unlock();
  static_cast<void>(writer_.Shrink(0));  // the log may have room once it is in the database
  lock.lock();
  return gives;
}

void Store::NoteFullDisk() {
  NoteFailure(Error{ErrorCode::kDiskFull, "the disk is full: messages are taken again once " +
                                              FormatBytes(reserve_file_.bytes() - reserve_file_.held()) +
                                              " are free; what is queued goes out meanwhile"});
  next_reserve_file_ = clock_.Mono() + kTryReserveFile;
}

bool Store::ReserveFileDue() const {
  return !reserve_file_.whole() && !unwritten_ && clock_.Mono() >= next_reserve_file_;
}

bool Store::MakeRoomForReserveFile(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t wanted = reserve_file_.bytes() - reserve_file_.held();
  const bool drained =
      state_.MostWaiting() == 0 && state_.unsettled().empty();  // no checkpoint needs the log's room soon
  for (bool shrinks = true; shrinks && !stopping_;) {
    lock.unlock();
    const Result<bool> shrunk = writer_.Shrink(kShrinkBytes);
    shrinks = shrunk && *shrunk;
    if (!shrinks && drained) {
      writer_.DropLog(wanted);
    }
    lock.lock();
    if (reserve_file_.Take()) {
      return true;
    }
  }
  return false;
}

void Store::TakeReserveFile(std::unique_lock<std::mutex>& lock) {
  const bool was_full = reserve_file_.given_up();
  busy_ = true;
  const bool taken = reserve_file_.Take() || (was_full && MakeRoomForReserveFile(lock));
  busy_ = false;
  if (taken && was_full) {
    last_error_.clear();
    failing_since_ = {};
    Wake();
  } else if (was_full) {
    // What was delivered meanwhile has to be written down first, and what is only kept for replays has to go.
    next_lazy_ = std::min(next_lazy_, clock_.Mono() + kTryReserveFile);
    if (state_.retained().held().segments > 0) {
      state_.retained().Release(reserve_file_.bytes());
    }
  }
  next_reserve_file_ = clock_.Mono() + (was_full ? kTryReserveFile : kTryFirstReserveFile);
  checkpoints_.notify_all();
}

Status Store::CheckpointNow(std::unique_lock<std::mutex>& lock, const CheckpointWriter::Change& change) {
  const bool ready = checkpoints_.wait_for(lock, kCheckpointPatience,
                                           [&] { return (!checkpointing_ && !busy_ && !unwritten_) || stopped_; });
  if (stopped_ || !ready) {
    return Error{ErrorCode::kUnavailable, stopped_ ? "the queue is stopped" : "the disk refuses: " + last_error_};
  }
  CheckpointWork work = BeginCheckpoint(false);
  const Result<CheckpointResult> result = writer_.Write(work, change);
  if (!result) {
    // Without the change; the store thread sees to it. Until then a crash may find the change in the database: nothing
    // that happens from here on is safe in the journal, which knows nothing of it.
    unwritten_ = std::move(work);
    journal_skipped_ = journal_skipped_ || writer_.in_doubt();
    NoteFailure(result.error());
    work_.notify_one();
    return result.error();
  }
  EndCheckpoint(work, *result);
  return {};
}

Status Store::Barrier() {
  std::unique_lock lock(mutex_);
  const LogPosition target = position_;
  if (checkpointed_ >= target) {
    return {};
  }
  checkpoint_asked_ = true;
  work_.notify_one();
  retry_ = failures_ > 0;
  checkpoints_.wait_for(lock, failures_ < kRefuses ? kCheckpointPatience : kShortPatience,
                        [&] { return checkpointed_ >= target || stopped_; });
  if (checkpointed_ >= target) {
    return {};
  }
  return Error{ErrorCode::kUnavailable,
               last_error_.empty() ? "the disk takes too long" : "the disk refuses: " + last_error_};
}

void Store::FailWaiters(const Error& error) {
  for (Waiter& waiter : std::exchange(waiters_, {})) {
    waiter.finished(error);
  }
}

void Store::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_one();
    checkpoints_.notify_all();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

}  // namespace packhorse::queue
