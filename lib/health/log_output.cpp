#include "health/log_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace packhorse::health {

void LogOutput::Look() {
  struct stat about {};
  if (fstat(fd_, &about) != 0) {
    about = {};  // closed: every write says so
  }
  if (looked_ && about.st_dev == device_ && about.st_ino == file_) {
    return;
  }
  looked_ = true;
  device_ = about.st_dev;
  file_ = about.st_ino;
  rest_.clear();
  opened_.Close();
  kind_ = Kind::kFile;
  if (S_ISSOCK(about.st_mode)) {
    kind_ = Kind::kSocket;
  } else if (S_ISFIFO(about.st_mode) || S_ISCHR(about.st_mode)) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd_);
    opened_ = Fd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    kind_ = opened_.valid() ? Kind::kOpened : Kind::kAsked;
  }
}

ssize_t LogOutput::Put(std::string_view bytes) const {
  switch (kind_) {
    case Kind::kSocket:
      return send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::kOpened:
      return write(opened_.get(), bytes.data(), bytes.size());
    case Kind::kAsked: {
      pollfd polled{fd_, POLLOUT, 0};
      if (poll(&polled, 1, 0) != 1 || (polled.revents & POLLOUT) == 0) {
        errno = EAGAIN;
        return -1;
      }
      break;
    }
    case Kind::kFile:
      break;
  }
  return write(fd_, bytes.data(), bytes.size());
}

bool LogOutput::Finish() {
  while (!rest_.empty()) {
    const ssize_t n = Put(rest_);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    rest_.erase(0, static_cast<std::size_t>(n));
  }
  return true;
}

bool LogOutput::Write(std::string_view line) {
  Look();
  if (!Finish()) {
    ++dropped_;
    return false;
  }
  rest_ = line;
  if (!Finish() && rest_.size() == line.size()) {  // nothing of it was taken
    rest_.clear();
    ++dropped_;
    return false;
  }
  return true;
}

std::uint64_t LogOutput::TakeDropped() { return std::exchange(dropped_, 0); }

}  // namespace packhorse::health
