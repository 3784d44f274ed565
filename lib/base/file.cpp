#include "base/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace packhorse {
namespace {

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return ErrnoError("write " + path, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

int Fd::Release() { return std::exchange(fd_, -1); }

void Fd::Close() {
  if (fd_ >= 0) {
    close(fd_);
    fd_ = -1;
  }
}

void ReserveStandardFds() {
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO) {
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);  // the lowest that is free
  }
  close(fd);
}

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return ErrnoError("open " + path, errno);
  }
  std::string text;
  std::array<char, 16384> chunk{};
  while (true) {
    const ssize_t n = read(fd.get(), chunk.data(), chunk.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return ErrnoError("read " + path, errno);
    }
    if (n == 0) {
      return text;
    }
    if (text.size() + static_cast<std::size_t>(n) > max_bytes) {
      return Error{ErrorCode::kLimitExceeded, path + " is larger than " + std::to_string(max_bytes) + " bytes"};
    }
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string temporary = path + ".tmp";
  // A leftover of a crash may have another mode or be open elsewhere: never written into, always made anew.
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("remove " + temporary, errno);
  }
  const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    return ErrnoError("create " + temporary, errno);
  }
  if (fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) {  // not by open(), which the umask would limit
    const int number = errno;
    unlink(temporary.c_str());
    return ErrnoError("change the mode of " + temporary, number);
  }
  if (Status written = WriteAll(fd.get(), bytes, temporary); !written) {
    unlink(temporary.c_str());
    return written;
  }
  if (fsync(fd.get()) != 0) {
    const int number = errno;
    unlink(temporary.c_str());
    return ErrnoError("fsync " + temporary, number);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int number = errno;
    unlink(temporary.c_str());
    return ErrnoError("rename to " + path, number);
  }
  return SyncDirectoryOf(path);
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

std::string FollowLinks(std::string path) {
  constexpr int kMostLinks = 40;  // as path_resolution(7)
  for (int i = 0; i < kMostLinks; ++i) {
    std::array<char, 4096> target{};
    const ssize_t length = readlink(path.c_str(), target.data(), target.size());
    if (length <= 0) {
      break;
    }
    std::string next(target.data(), static_cast<std::size_t>(length));
    path = next.front() == '/' ? std::move(next) : FolderOf(path) + "/" + next;
  }
  return path;
}

Status SyncFile(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) {
    return ErrnoError("sync " + path, errno);
  }
  return {};
}

Status SyncDirectoryOf(const std::string& path) {
  const std::string directory = FolderOf(path);
  const Fd dir(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid() || fsync(dir.get()) != 0) {
    return ErrnoError("sync directory " + directory, errno);
  }
  return {};
}

Status RenameIfThere(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("rename " + from + " to " + to, errno);
  }
  return {};
}

bool LeadsTo(const std::string& path, const Fd& file) {
  struct stat held {};
  struct stat there {};
  return fstat(file.get(), &held) == 0 && stat(path.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
}

std::uint64_t FileBytes(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::uint64_t FreeBytesAt(const std::string& path) {
  struct statvfs status {};
  const bool told =
      statvfs(path.c_str(), &status) == 0 || (errno == ENOENT && statvfs(FolderOf(path).c_str(), &status) == 0);
  return told ? status.f_bavail * status.f_frsize : 0;
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

bool OnTmpfs(const std::string& path) {
  struct statfs info {};
  if (statfs(path.c_str(), &info) != 0) {
    return false;
  }
  const auto type = static_cast<std::uint32_t>(info.f_type);  // a signed word whose width differs by architecture
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

}  // namespace packhorse
