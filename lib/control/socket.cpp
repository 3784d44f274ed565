#include "control/socket.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/file.h"

namespace packhorse::control {
namespace {

constexpr char kGroup[] = "packhorse";
constexpr mode_t kMode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;

Result<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // One byte is for the NUL at the end: 107 are left.
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "a socket path has 1 to 107 bytes, this one has " +
                                                  std::to_string(path.size()) + ": " + path.substr(0, 120)};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Status SetTimeout(int fd, int option, std::chrono::milliseconds timeout) {
  timeval time{};
  time.tv_sec = static_cast<time_t>(timeout.count() / 1000);
  time.tv_usec = static_cast<suseconds_t>(timeout.count() % 1000 * 1000);
  if (setsockopt(fd, SOL_SOCKET, option, &time, sizeof time) != 0) {
    return ErrnoError("set a time-out of a socket", errno);
  }
  return {};
}

// The group `packhorse`, else the one that the folder belongs to.
std::optional<gid_t> Group(const std::string& path) {
  std::array<char, 16384> buffer{};
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(kGroup, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return entry.gr_gid;
  }
  struct stat folder {};
  if (stat(FolderOf(path).c_str(), &folder) == 0) {
    return folder.st_gid;
  }
  return std::nullopt;
}

// Removes a socket file that nobody listens on.
Status ClearWay(const std::string& path) {
  struct stat about {};
  if (lstat(path.c_str(), &about) != 0) {
    return errno == ENOENT ? Status{} : Status{ErrnoError("examine " + path, errno)};
  }
  if (!S_ISSOCK(about.st_mode)) {
    return Error{ErrorCode::kAlreadyExists,
                 path + " is in the way: it is not a socket; remove it or choose another path"};
  }
  const Result<Fd> peer = ConnectTo(path, std::chrono::milliseconds(0));
  if (peer || peer.error().code == ErrorCode::kBusy) {
    return Error{ErrorCode::kBusy, "another packhorsed answers at " + path + "; stop it or choose another path"};
  }
  if (peer.error().code != ErrorCode::kUnavailable && peer.error().code != ErrorCode::kNotFound) {
    return peer.error();
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("remove the stale " + path, errno);
  }
  return {};
}

// Whether the file belongs to `group`, now or already. The sandbox of the service denies chown as a system call, also
// when it would change nothing.
bool Give(const std::string& path, gid_t group) {
  struct stat about {};
  return (lstat(path.c_str(), &about) == 0 && about.st_gid == group) ||
         lchown(path.c_str(), static_cast<uid_t>(-1), group) == 0;
}

// Opens the file to its group. Who may not give it to that group keeps it for himself.
Status Share(const std::string& path) {
  const std::optional<gid_t> wanted = Group(path);
  const bool given = wanted && Give(path, *wanted);
  if (chmod(path.c_str(), given ? kMode : (S_IRUSR | S_IWUSR)) != 0) {
    return ErrnoError("set the mode of " + path, errno);
  }
  return {};
}

}  // namespace

Status SetReadTimeout(int fd, std::chrono::milliseconds timeout) { return SetTimeout(fd, SO_RCVTIMEO, timeout); }

Result<Fd> ConnectTo(const std::string& path, std::chrono::milliseconds timeout) {
  const Result<sockaddr_un> address = Address(path);
  RETURN_IF_ERROR(address);
  const bool waits = timeout.count() > 0;
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK), 0));
  if (!fd.valid()) {
    return ErrnoError("make a socket", errno);
  }
  if (waits) {
    if (Status set = SetTimeout(fd.get(), SO_SNDTIMEO, timeout); !set) {  // holds for connect() as well
      return set.error();
    }
    RETURN_IF_ERROR(SetReadTimeout(fd.get(), timeout));
  }
  while (connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    if (errno == EAGAIN) {
      return Error{ErrorCode::kBusy, "connect to " + path + ": too many wait there already"};
    }
    if (errno != EINTR) {
      return ErrnoError("connect to " + path, errno);
    }
  }
  return fd;
}

Result<Fd> BindTo(const std::string& path, int backlog) {
  const Result<sockaddr_un> address = Address(path);
  RETURN_IF_ERROR(address);
  RETURN_IF_ERROR(ClearWay(path));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return ErrnoError("make a socket", errno);
  }
  // Linux takes the mode of the file from the socket; so it is never open to anybody else, not even between two calls.
  if (fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0) {
    return ErrnoError("prepare the socket " + path, errno);
  }
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return errno == EADDRINUSE ? Error{ErrorCode::kBusy, "another packhorsed has just taken " + path}
                               : ErrnoError("listen on " + path, errno);
  }
  RETURN_IF_ERROR(Share(path));
  if (listen(fd.get(), backlog) != 0) {
    return ErrnoError("listen on " + path, errno);
  }
  return fd;
}

}  // namespace packhorse::control
