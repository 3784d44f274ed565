#include "queue/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"

namespace packhorse::queue {
namespace {

// fallocate(2): never the emulation of posix_fallocate, which writes to every block.
int Allocate(const Fd& fd, std::uint64_t bytes) {
  while (fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

Ballast::Ballast(std::string path, std::uint64_t bytes)
    : path_(std::move(path)),
      bytes_(bytes),
      given_up_(bytes > 0 && Exists(path_) && FileBytes(path_) == 0),
      held_(bytes > 0 && FileBytes(path_) > 0) {}

Status Ballast::Take() {
  if (bytes_ == 0) {
    return {};
  }
  Fd fd(open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    return ErrnoError("open " + path_, errno);
  }
  const int error = Allocate(fd, bytes_);
  held_ = error == 0 && ftruncate(fd.get(), static_cast<off_t>(bytes_)) == 0;  // it may have been more
  if (held_) {
    given_up_ = false;
    return {};
  }
  // A part of it may have been taken. Of one that was given up the empty file stays.
  if (!given_up_ || ftruncate(fd.get(), 0) != 0) {
    unlink(path_.c_str());
  }
  return error == EOPNOTSUPP ? Error{ErrorCode::kUnsupported, "the file system cannot set room aside for " + path_}
                             : ErrnoError("set " + std::to_string(bytes_) + " bytes aside for " + path_, error);
}

void Ballast::GiveUp() {
  if (bytes_ == 0) {
    return;
  }
  // By an empty file the next start sees that the disk was full.
  if (truncate(path_.c_str(), 0) != 0) {
    unlink(path_.c_str());
  }
  held_ = false;
  given_up_ = true;
}

}  // namespace packhorse::queue
