#include "queue/sqlite/writable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace packhorse::queue {
namespace {

std::string LockOf(const std::string& path) { return path + ".lock"; }

// The errno with which the lock file cannot be opened for writing; 0: it can, or is not there. A file system that was
// shut after an error may answer access(2) as if it took writes; only an open tells. Not the database's: to close it
// would end every lock that SQLite holds on it (fcntl(2)).
int RefusalOfLock(const std::string& path) {
  const Fd lock(open(LockOf(path).c_str(), O_RDWR | O_CLOEXEC));
  return lock.valid() || errno == ENOENT ? 0 : errno;
}

}  // namespace

Status CheckWritable(const std::string& path) {
  if (const int refused = RefusalOfLock(path); refused != 0) {
    return WriteError("write " + LockOf(path), refused);
  }
  bool complete = true;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::string file = path + suffix;
    const bool writable = access(file.c_str(), W_OK) == 0;
    if (!writable && errno != ENOENT) {
      return WriteError("write " + file, errno);
    }
    complete = complete && writable;
  }
  const std::string folder = FolderOf(path);
  if (!complete && access(folder.c_str(), W_OK | X_OK) != 0) {
    return WriteError("make files in " + folder, errno);
  }
  return {};
}

bool OnReadOnlyMedium(const std::string& path) {
  return (access(FolderOf(path).c_str(), W_OK) != 0 && errno == EROFS) || RefusalOfLock(path) == EROFS;
}

Status CheckIsFile(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode)) {
    return Error{ErrorCode::kUnsupported,
                 path + " is " + (S_ISDIR(about.st_mode) ? "a folder" : "not a file") +
                     ": queue.path names the queue's file, in a folder that the daemon may write"};
  }
  return {};
}

Status MakeParent(const std::string& path) {
  const std::string parent = FolderOf(path);
  if (parent == "." || parent == "/") {
    return {};
  }
  const bool made = mkdir(parent.c_str(), 0750) == 0;
  if (!made && errno != EEXIST) {
    return WriteError("make directory " + parent, errno);
  }
  if (!made && Exists(path)) {
    return {};
  }
  Status synced = SyncDirectoryOf(parent);
  return made ? synced : Status();  // one that was there may lie where we cannot read
}

Error WriteError(std::string_view what, int number) {
  Error error = ErrnoError(what, number);
  if (number == EROFS) {
    error.message += "; is the medium failing (dmesg)? It goes on by itself once it takes writes";
  } else if (number == EACCES || number == EPERM) {
    error.message += "; uid " + std::to_string(geteuid()) + " must be allowed to write it (ls -ln, lsattr)";
  }
  return error;
}

}  // namespace packhorse::queue
