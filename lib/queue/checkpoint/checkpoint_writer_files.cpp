// A database that was removed or replaced while it is open: the connection still has all of it.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/file.h"
#include "queue/checkpoint/checkpoint_writer.h"
#include "queue/sqlite/writable.h"

namespace packhorse::queue {
namespace {

// Whatever lies there is not ours. Its log must not be taken for that of the new file.
Status SetStrangerAside(const std::string& path) {
  const std::string aside = path + ".replaced";
  const bool there = Exists(path);
  for (const char* suffix : {"", "-wal"}) {
    unlink((aside + suffix).c_str());
    if (!there) {
      unlink((path + suffix).c_str());
    } else if (Status moved = RenameIfThere(path + suffix, aside + suffix); !moved) {
      return moved;
    }
  }
  unlink((path + "-shm").c_str());
  return SyncDirectoryOf(path);
}

}  // namespace

CheckpointWriter::Place CheckpointWriter::PlaceOf(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? Place{static_cast<std::uint64_t>(status.st_dev), status.st_ino} : Place{};
}

bool CheckpointWriter::Moved() const { return PlaceOf(path_) != place_ || (beside_ && PlacesBeside() != *beside_); }

Status CheckpointWriter::PutBack() {
  const std::string copy = path_ + ".copy";
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    unlink((copy + suffix).c_str());
  }
  RETURN_IF_ERROR(MakeParent(path_));
  statements_.clear();
  Result<Statement> write = db_.Prepare("VACUUM INTO ?");
  RETURN_IF_ERROR(write);
  Status written = write->Bind(std::string_view(copy)).Run();
  if (written) {
    written = SyncFile(copy);
  }
  if (written) {
    written = SetStrangerAside(path_);
  }
  if (written) {
    written = RenameIfThere(copy, path_);
  }
  if (written) {
    written = SyncDirectoryOf(path_);
  }
  if (!written) {
    unlink(copy.c_str());
    return Error(written.error()).With("write the queue into a new file");
  }
  Result<CheckpointWriter> fresh = Open(path_, limits_);
  RETURN_IF_ERROR(fresh);
  // SQLite opens the log with the first look behind that, and cannot once the database is gone again.
  RETURN_IF_ERROR(fresh->db_.Execute("PRAGMA journal_mode = WAL; SELECT count(*) FROM meta"));
  db_.LeaveFiles();
  *write = Statement();
  db_ = std::move(fresh->db_);
  place_ = fresh->place_;
  beside_ = PlacesBeside();
  trimmer_.Forget();
  return {};
}

}  // namespace packhorse::queue
