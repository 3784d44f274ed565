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
#include "queue/ballast.h"
#include "queue/index.h"
#include "queue/journal.h"
#include "queue/operation.h"
#include "queue/sqlite/books.h"
#include "queue/start_report.h"
#include "queue/witness.h"

namespace packhorse::queue {

// Longer than this nobody waits for a fold that the disk does not take.
inline constexpr std::chrono::milliseconds kFoldPatience{3'000};

struct StoreOptions {
  Position position = 0;                            // of the last operation that the database has
  bool strict = false;                              // an arrival waits for a synced commit
  std::chrono::milliseconds window{2'000};          // else: at most this long until one
  std::chrono::milliseconds watch_interval{1'000};  // Options::watch_interval
  bool fold_when_asked = false;                     // Options::fold_when_asked
  std::function<void()> wake;
};

// Makes operations safe and applies them: first into the journal, then to the index, later, many at once, into the
// database (a fold). Owns the journal, the one writing connection and the store thread, which folds when a message has
// been in memory for almost the window, when the journal fills up, when somebody waits for the disk, and once a minute.
// While the disk refuses, nothing is lost: it tries again until it works or Stop() is called. Of a full disk the
// ballast is given up, so that what leaves the queue can be written down; arrivals wait until it could be taken again.
//
// All members are guarded by `mutex`, which the index shares; the store thread holds it except while it writes.
class Store {
 public:
  // Without a journal every operation waits for the disk.
  Store(Books books, Index& index, std::mutex& mutex, const Clock& clock, std::optional<Journal> journal,
        Ballast ballast, std::unique_ptr<WitnessKeeper> witness, StoreOptions options);
  ~Store();

  // Blocks until the arrival is safe, or until Stop(). While the disk refuses, in either mode, until a fold has it. A
  // reason: into quarantine.
  Result<Slot> Append(std::optional<Lane> wanted, const RawMessage& message, std::string_view reason,
                      std::string_view detail);
  // Applies the operation at once. `finished` is called (with the mutex held) when it is safe from a crash of the
  // process: now or after the next fold; with an error only when the store stops before that. `power_cut`: safe from a
  // power cut too, hence after the next fold in any case. REQUIRES: mutex held.
  void PostLocked(const Operation& operation, std::function<void(const Status&)> finished, bool power_cut = false);
  // Calls `finished` (with the mutex held) once the database is at the present position; folds for that at once. With
  // an error only when the store stops before. REQUIRES: mutex held.
  void WhenFoldedLocked(std::function<void(const Status&)> finished);
  // Folds what there is; with `change`, in one transaction with it. Holds the mutex all the while: for rare things.
  Status FoldNow(std::unique_lock<std::mutex>& lock, const Books::Change& change);
  // Waits until everything that was posted is in the database; kUnavailable when that takes longer.
  Status Barrier();
  void Stop();

  // What was posted so far goes into the database as soon as the disk takes it. REQUIRES: mutex held.
  void AskFoldLocked();

  // REQUIRES: mutex held.
  Position position_locked() const { return position_; }
  Position folded_locked() const { return folded_; }
  // The disk is full: soon no arrival is taken any more.
  bool disk_full_locked() const { return ballast_.given_up(); }
  const std::string& damage_locked() const { return damage_; }
  // Notes that the database does not hold what it should; the first finding stays. The store thread writes it down.
  void NoteDamageLocked(const Error& error);
  const std::string& last_error_locked() const { return last_error_; }
  WallTime failing_since_locked() const { return failing_since_; }
  std::uint64_t commits_locked() const { return commits_; }
  const Replaced& replaced_locked() const { return replaced_; }
  // It was put back, and no fold begins before whoever reads has it open there.
  bool reader_behind_locked() const { return reader_behind_; }
  void ReaderFollowsLocked() {
    reader_behind_ = false;
    work_.notify_one();
  }
  // A fold is on its way that was begun before now; the next commit is its.
  bool folding_locked() const { return folding_ || unwritten_.has_value(); }
  std::uint64_t journal_bytes_locked() const { return journal_ ? journal_->active_bytes() : 0; }

 private:
  struct Waiter {
    Position position;
    std::function<void(const Status&)> finished;
  };

  Result<Slot> Prepare(std::unique_lock<std::mutex>& lock, std::optional<Lane> wanted, const RawMessage& message,
                       std::string_view reason, std::string_view detail);
  // --- store_witness.cpp ---
  static constexpr std::chrono::seconds kWitnessInterval{60};  // a page of flash each time
  // What no crash of the process can lose is known outside the database from here on.
  void NoteLocked();
  void NoteFoldLocked(const FoldWork& work);
  // After a fold, once in a while and at the `last` one.
  void SaveWitness(std::unique_lock<std::mutex>& lock, bool last);
  // Once a second: whether database, journal and witness are where they were put. False: there is nothing to wait for.
  bool Watches(std::unique_lock<std::mutex>& lock);
  void PutBack(std::unique_lock<std::mutex>& lock);
  // Somebody removed the journal's files: no start would find what is written to them from then on.
  void PutJournalBack();
  void Run();
  bool JournalFills() const;
  bool FoldDue() const;
  std::chrono::nanoseconds UntilNextLook() const;
  // Makes the work for a fold, and lets the journal go on in its other file.
  FoldWork BeginFold(bool clean);
  void EndFold(const FoldWork& work, const FoldResult& result);
  // Writes until it works; false when it was given up because of Stop().
  bool WriteUntilDone(std::unique_lock<std::mutex>& lock, const FoldWork& work);
  void NoteFailure(const Error& error);
  // Writes down for the next start what damage was found, without the mutex.
  void WriteDamage(std::unique_lock<std::mutex>& lock);
  // On a full disk. Whether there is room now that there was not.
  bool GiveWay(std::unique_lock<std::mutex>& lock);
  void NoteFullDisk();
  bool BallastDue() const;
  // Takes it again if there is room; on a full disk from what has become free within the database.
  void TakeBallast(std::unique_lock<std::mutex>& lock);
  bool MakeRoomForBallast(std::unique_lock<std::mutex>& lock);
  // Puts an operation that is about to be applied into the journal. Returns the position that has to be in the database
  // before a crash can no longer lose it: 0 when the journal is enough.
  Position Record(std::string_view bytes);
  void FailWaiters(const Error& error);
  void WaitForFoldLocked(Position position, std::function<void(const Status&)> finished);
  void Wake() const {
    if (options_.wake) {
      options_.wake();
    }
  }

  Books books_;
  Index& index_;
  std::mutex& mutex_;
  const Clock& clock_;
  std::optional<Journal> journal_;
  std::optional<Journal::Options> lost_journal_;  // its files were removed, and could not be made anew yet
  Ballast ballast_;
  std::unique_ptr<WitnessKeeper> witness_;
  const StoreOptions options_;

  Position position_;         // of the last operation
  Position folded_;           // of the last one that the database has
  std::uint64_t grace_ = 0;   // bytes of arrivals that a full disk still takes, see store.cpp
  bool gap_ = false;          // an operation did not fit the journal: none is written to it before its next turn
  Position gap_through_ = 0;  // the journal counts only once the database has this
  bool folding_ = false;
  bool busy_ = false;  // the store thread works with the files without the mutex, and folds nothing
  bool fold_asked_ = false;
  bool retry_ = false;                 // somebody wants to know whether the disk still refuses
  unsigned urgent_ = 0;                // arrivals that wait for the disk
  std::optional<FoldWork> unwritten_;  // of a FoldNow() that failed
  MonoTime next_lazy_{};
  MonoTime next_bounded_{};
  MonoTime next_witness_{};
  MonoTime next_watch_{};
  Replaced replaced_;
  bool reader_behind_ = false;
  MonoTime next_ballast_{};
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

  std::condition_variable work_;   // the store thread waits for something to do
  std::condition_variable folds_;  // others wait for a fold
  std::thread thread_;
};

}  // namespace packhorse::queue
