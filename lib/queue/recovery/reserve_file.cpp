#include "queue/recovery/reserve_file.h"

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

ReserveFile::ReserveFile(std::string path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes), there_(Exists(path_)), held_(FileBytes(path_)) {}

Status ReserveFile::Take() {
  if (bytes_ == 0) {
    return {};
  }
  Fd fd(open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    return ErrnoError("open " + path_, errno);
  }
  const int error = Allocate(fd, bytes_);
  if (error == 0 && ftruncate(fd.get(), static_cast<off_t>(bytes_)) == 0) {  // it may have been more
    there_ = true;
    held_ = bytes_;
    return {};
  }
  // A part of it may have been taken. Of one that was given up the file stays.
  if (!there_ || ftruncate(fd.get(), static_cast<off_t>(held_)) != 0) {
    unlink(path_.c_str());
    held_ = 0;
  }
  return error == EOPNOTSUPP ? Error{ErrorCode::kUnsupported, "the file system cannot set room aside for " + path_}
                             : ErrnoError("set " + std::to_string(bytes_) + " bytes aside for " + path_, error);
}

bool ReserveFile::GiveUp() {
  if (held_ == 0) {
    return false;
  }
  // By a file that is too short the next start sees that the disk was full.
  const std::uint64_t left = held_ > bytes_ / 2 ? bytes_ / 2 : 0;
  if (truncate(path_.c_str(), static_cast<off_t>(left)) == 0) {
    held_ = left;
  } else {
    unlink(path_.c_str());
    held_ = 0;
  }
  return true;
}

}  // namespace packhorse::queue
