#include "queue/recovery/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "queue/sqlite/writable.h"

namespace packhorse::queue {
namespace {

Error HeldByAnother(const std::string& path, const std::string& what, const std::string& remedy) {
  const Result<std::string> holder = ReadFile(path, 64);
  return Error{ErrorCode::kBusy, what + " is in use by process " + (holder ? *holder : "?") + "; " + remedy};
}

}  // namespace

Result<LockFile> LockFile::Take(const std::string& path, const std::string& what, const std::string& remedy) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return WriteError("open " + path, errno);
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return HeldByAnother(path, what, remedy);
  }
  // In this order it needs no new room on a disk that is full.
  const std::string pid = std::to_string(getpid());
  if (pwrite(fd.get(), pid.data(), pid.size(), 0) < 0 || ftruncate(fd.get(), static_cast<off_t>(pid.size())) != 0) {
    return ErrnoError("write " + path, errno);
  }
  return LockFile(std::move(fd), path);
}

Status LockFile::Look(const std::string& path, const std::string& what, const std::string& remedy) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.valid() && flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
    return HeldByAnother(path, what, remedy);
  }
  return {};
}

bool LockFile::Holds() const { return LeadsTo(path_, fd_); }

}  // namespace packhorse::queue
