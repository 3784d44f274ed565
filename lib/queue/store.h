#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "queue/checkpoint/checkpoint_writer.h"
#include "queue/journal/journal.h"
#include "queue/operation/operation.h"
#include "queue/recovery/reserve_file.h"
#include "queue/recovery/witness.h"
#include "queue/state/queue_state.h"
#include "queue/values/start_report.h"

namespace packhorse::queue {

// Longer than this nobody waits for a checkpoint that the disk does not take.
inline constexpr std::chrono::milliseconds kCheckpointPatience{3'000};

struct StoreOptions {
  LogPosition position = 0;                         // of the last operation that the database has
  bool strict = false;                              // an arrival waits for a synced commit
  std::chrono::milliseconds window{2'000};          // else: at most this long until one
  std::chrono::milliseconds watch_interval{1'000};  // Options::watch_interval
  bool checkpoint_when_asked = false;               // Options::checkpoint_when_asked
  std::function<void()> wake;
};

// Makes operations safe and applies them: first into the journal, then to the queue state, later, many at once, into
// the database (a checkpoint). Owns the journal, the one writing connection and the store thread, which checkpoints
// when a message has been in memory for almost the window, when the journal fills up, when somebody waits for the disk,
// and once a minute. While the disk refuses, nothing is lost: it tries again until it works or Stop() is called. Of a
// full disk the reserve file is given up, so that what leaves the queue can be written down; arrivals wait until it
// could be taken again.
//
// All members are guarded by `mutex`, which the queue state shares; the store thread holds it except while it writes.
class Store {
 public:
  // Without a journal every operation waits for the disk.
  Store(CheckpointWriter writer, QueueState& state, std::mutex& mutex, const Clock& clock,
        std::optional<Journal> journal, ReserveFile reserve_file, std::unique_ptr<WitnessKeeper> witness,
        StoreOptions options);
  ~Store();

  // Blocks until the arrival is safe, or until Stop(). While the disk refuses, in either mode, until a checkpoint has
  // it. A reason: into quarantine.
  Result<Slot> Append(std::optional<Lane> wanted, const RawMessage& message, std::string_view reason,
                      std::string_view detail);
  // Applies the operation at once. `finished` is called (with the mutex held) when it is safe from a crash of the
  // process: now or after the next checkpoint; with an error only when the store stops before that. `power_cut`: safe
  // from a power cut too, hence after the next checkpoint in any case. REQUIRES: mutex held.
  void PostLocked(const Operation& operation, std::function<void(const Status&)> finished, bool power_cut = false);
  // Calls `finished` (with the mutex held) once the database is at the present position; checkpoints for that at once.
  // With an error only when the store stops before. REQUIRES: mutex held.
  void WhenCheckpointedLocked(std::function<void(const Status&)> finished);
  // Checkpoints what there is; with `change`, in one transaction with it. Holds the mutex all the while: for rare
  // things.
  Status CheckpointNow(std::unique_lock<std::mutex>& lock, const CheckpointWriter::Change& change);
  // Waits until everything that was posted is in the database; kUnavailable when that takes longer.
  Status Barrier();
  void Stop();

  // What was posted so far goes into the database as soon as the disk takes it. REQUIRES: mutex held.
  void AskCheckpointLocked();

  // REQUIRES: mutex held.
  LogPosition position_locked() const { return position_; }
  LogPosition checkpointed_locked() const { return checkpointed_; }
  // The disk is full: soon no arrival is taken any more.
  bool disk_full_locked() const { return reserve_file_.given_up(); }
  const std::string& damage_locked() const { return damage_; }
  // Notes that the database does not hold what it should; the first finding stays. The store thread writes it down.
  void NoteDamageLocked(const Error& error);
  const std::string& last_error_locked() const { return last_error_; }
  WallTime failing_since_locked() const { return failing_since_; }
  std::uint64_t commits_locked() const { return commits_; }
  const Replaced& replaced_locked() const { return replaced_; }
  // It was put back, and no checkpoint begins before whoever reads has it open there.
  bool reader_behind_locked() const { return reader_behind_; }
  void ReaderFollowsLocked() {
    reader_behind_ = false;
    work_.notify_one();
  }
  // A checkpoint is on its way that was begun before now; the next commit is its.
  bool checkpointing_locked() const { return checkpointing_ || unwritten_.has_value(); }
  std::uint64_t journal_bytes_locked() const { return journal_ ? journal_->active_bytes() : 0; }

 private:
  struct Waiter {
    LogPosition position;
    std::function<void(const Status&)> finished;
  };

  Result<Slot> AwaitRoom(std::unique_lock<std::mutex>& lock, std::optional<Lane> wanted, const RawMessage& message,
                         std::string_view reason, std::string_view detail);
  // --- store_witness.cpp ---
  static constexpr std::chrono::seconds kWitnessInterval{60};  // a page of flash each time
  // What no crash of the process can lose is known outside the database from here on.
  void NoteLocked();
  void NoteCheckpointLocked(const CheckpointWork& work);
  // After a checkpoint, once in a while and at the `last` one.
  void SaveWitness(std::unique_lock<std::mutex>& lock, bool last);
  // Once every watch_interval: whether database, journal and witness are where they were put. False: there is nothing
  // to wait for.
  bool Watches(std::unique_lock<std::mutex>& lock);
  void PutBack(std::unique_lock<std::mutex>& lock);
  // Somebody removed the journal's files: no start would find what is written to them from then on.
  void PutJournalBack();
  void Run();
  bool JournalFills() const;
  bool CheckpointDue() const;
  std::chrono::nanoseconds UntilNextLook() const;
  // Makes the work for a checkpoint, and lets the journal go on in its other file.
  CheckpointWork BeginCheckpoint(bool clean);
  void EndCheckpoint(const CheckpointWork& work, const CheckpointResult& result);
  // Writes until it works; false when it was given up because of Stop().
  bool WriteUntilDone(std::unique_lock<std::mutex>& lock, const CheckpointWork& work);
  void NoteFailure(const Error& error);
  // Writes down for the next start what damage was found, without the mutex.
  void WriteDamage(std::unique_lock<std::mutex>& lock);
  // On a full disk. Whether there is room now that there was not.
  bool GiveWay(std::unique_lock<std::mutex>& lock);
  void NoteFullDisk();
  bool ReserveFileDue() const;
  // Takes it again if there is room; on a full disk from what has become free within the database.
  void TakeReserveFile(std::unique_lock<std::mutex>& lock);
  bool MakeRoomForReserveFile(std::unique_lock<std::mutex>& lock);
  // Puts an operation that is about to be applied into the journal. Returns the position that has to be in the database
  // before a crash can no longer lose it: 0 when the journal is enough.
  LogPosition Record(std::string_view bytes);
  void FailWaiters(const Error& error);
  void WaitForCheckpointLocked(LogPosition position, std::function<void(const Status&)> finished);
  void Wake() const {
    if (options_.wake) {
      options_.wake();
    }
  }

  CheckpointWriter writer_;
  QueueState& state_;
  std::mutex& mutex_;
  const Clock& clock_;
  std::optional<Journal> journal_;
  std::optional<Journal::Options> lost_journal_;  // its files were removed, and could not be made anew yet
  ReserveFile reserve_file_;
  std::unique_ptr<WitnessKeeper> witness_;
  const StoreOptions options_;

  LogPosition position_;      // of the last operation
  LogPosition checkpointed_;  // of the last one that the database has
  std::uint64_t grace_ = 0;   // bytes of arrivals that a full disk still takes, see store.cpp
  bool journal_skipped_ =
      false;  // an operation did not fit the journal: none is written to it before its next rotation
  LogPosition journal_skips_through_ = 0;  // the journal counts only once the database has this
  bool checkpointing_ = false;
  bool busy_ = false;  // the store thread works with the files without the mutex, and checkpoints nothing
  bool checkpoint_asked_ = false;
  bool retry_ = false;                       // somebody wants to know whether the disk still refuses
  unsigned urgent_ = 0;                      // arrivals that wait for the disk
  std::optional<CheckpointWork> unwritten_;  // of a CheckpointNow() that failed
  MonoTime next_lazy_{};
  MonoTime next_bounded_{};
  MonoTime next_witness_{};
  MonoTime next_watch_{};
  Replaced replaced_;
  bool reader_behind_ = false;
  MonoTime next_reserve_file_{};
  std::deque<Waiter> waiters_;
  std::string bytes_;  // reused
  std::string damage_;
  bool damage_noted_ = true;  // on the disk, or there is none
  std::string last_error_;
  WallTime failing_since_{};
  unsigned failures_ = 0;
  std::uint64_t commits_ = 0;
  bool stopping_ = false;
  bool stopped_ = false;

  std::condition_variable work_;         // the store thread waits for something to do
  std::condition_variable checkpoints_;  // others wait for a checkpoint
  std::thread thread_;
};

}  // namespace packhorse::queue
