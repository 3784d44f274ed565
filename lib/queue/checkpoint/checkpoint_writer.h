#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/segment/trim.h"
#include "queue/sqlite/database.h"
#include "queue/state/checkpoint_work.h"

namespace packhorse::queue {

// Rows that are kept of what only grows.
struct TableLimits {
  std::uint32_t settled = 0;
  std::uint32_t given_up = 0;
  std::uint32_t dead = 0;
  std::uint32_t quarantined = 0;
};

// Writes checkpoints into the database: each one transaction with a full sync, after which the database is at the
// checkpoint's position. One thread at a time.
class CheckpointWriter {
 public:
  CheckpointWriter(std::string path, Database writer, TableLimits limits)
      : path_(std::move(path)), limits_(limits), db_(std::move(writer)), place_(PlaceOf(path_)) {}
  static Result<CheckpointWriter> Open(const std::string& path, TableLimits limits);

  // Something else that goes in with a checkpoint; what it counts in the ledger is written for it.
  using Change = std::function<Result<LedgerChanges>(Database&)>;
  // All of it or nothing. With `change`, in one transaction with it. After a failed or forbidden write or
  // sync nothing is assumed of what the connection holds: the next call opens a new one, and fails while the files may
  // not be written. When the commit itself seemed to fail, the next call must be with the same work (with or without
  // the change): it looks whether the commit is in, and then answers for it.
  Result<CheckpointResult> Write(const CheckpointWork& work, const Change& change);

  // Brings the write-ahead log into the database, so that the next checkpoint needs no more room for it than it has,
  // and gives up to so many bytes that are free within the database back to the file system. False: there were none.
  Result<bool> Shrink(std::uint64_t bytes);
  // Gives the log's room back, too, if there would be `wanted` bytes free then.
  void DropLog(std::uint64_t wanted);

  // Whether the path does not lead any more to the database that is open, or its log or the memory shared with readers
  // are not there any more: somebody removed or replaced them.
  bool Moved() const;
  // Writes everything that is in it into a new file at the path and goes on there; what lies there now is kept as
  // `<path>.replaced`. After an error it goes on without. Not while in_doubt().
  Status PutBack();
  bool broken() const { return broken_; }

  // Called with the number of each checkpoint before its commit is tried: what is told of it elsewhere comes first.
  void BeforeCommit(std::function<void(std::uint64_t checkpoint)> call) { before_commit_ = std::move(call); }
  // Of the last one that was tried.
  std::uint64_t checkpoint() const { return checkpoint_; }
  // Whether what the last call was to write may be in although it failed.
  bool in_doubt() const { return in_doubt_; }
  Database& database() { return db_; }
  const std::string& path() const { return path_; }

 private:
  // Which file it is, on which device.
  struct Place {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const Place&) const = default;
  };
  static Place PlaceOf(const std::string& path);
  // What SQLite keeps beside the database while it is open: the log, and memory shared with readers.
  std::array<Place, 2> PlacesBeside() const { return {PlaceOf(path_ + "-wal"), PlaceOf(path_ + "-shm")}; }
  Status Reopen();
  Status WriteAll(const CheckpointWork& work, CheckpointResult& result);
  Status WriteLanes(const CheckpointWork& work, CheckpointResult& result);
  Status InsertSegment(Lane lane, const SegmentEncoder& segment, SegmentTotals& held);
  Status WriteSegments(Lane lane, const CheckpointWork& work, SegmentTotals& held);
  Status WriteLedger(const Changes& changes) { return AddToLedger(changes.ledger); }
  Status AddToLedger(const LedgerChanges& changes);
  Status WriteConfiguration(const std::vector<Subscription>& subscriptions);
  Status WriteRanges(const Changes& changes);
  Status WriteBatches(const Changes& changes);
  Status InsertBatch(DestinationId destination, const PreparedBatch& batch);
  Status WritePartials(const Changes& changes);
  Status WriteDead(const Changes& changes);
  Status WriteSettled(const Changes& changes);
  Status WriteBounds(CheckpointResult& result);
  // The statement for this text, prepared once; texts are literals of books.cpp.
  Result<Statement*> Use(const char* sql);
  template <typename... Args>
  Status Run(const char* sql, Args&&... args);

  std::string path_;
  TableLimits limits_;
  Database db_;
  Place place_;
  std::optional<std::array<Place, 2>> beside_;  // as of the last commit
  std::map<const char*, Statement> statements_;
  bool broken_ = false;           // a write or a sync failed or was forbidden: the connection is not used again
  bool in_doubt_ = false;         // the last commit seemed to fail
  std::uint64_t checkpoint_ = 0;  // number of the last attempt, in the database if its commit is
  CheckpointResult last_result_;  // what it did
  Trimmer trimmer_;
  std::function<void(std::uint64_t)> before_commit_;
};

}  // namespace packhorse::queue
