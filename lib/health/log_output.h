#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"

namespace packhorse::health {

// Writes lines to a descriptor that others may share, and never waits for its reader: a line that it does not take now
// is dropped. The flag O_NONBLOCK belongs to whoever shares the descriptor, so it is left as it is:
//  - a socket is sent to with MSG_DONTWAIT,
//  - a pipe or a terminal is opened once more, for us alone, without waiting,
//  - a pipe that cannot be opened (it belongs to another user, as in a container) is asked whether it has room for a
//    line (4 KiB, PIPE_BUF) before each write; that can only wait if another process fills it in between,
//  - a file takes everything at once.
// What the descriptor leads to may change at any time. Not thread-safe.
class LogOutput {
 public:
  explicit LogOutput(int fd) : fd_(fd) {}

  // `line` ends with a line feed and has at most 4 KiB. False: it was dropped, and counted.
  bool Write(std::string_view line);
  // Lines dropped since TakeDropped() was called last.
  std::uint64_t TakeDropped();

 private:
  enum class Kind : std::uint8_t { kFile, kSocket, kOpened, kAsked };

  // Finds out what the descriptor leads to, when that has changed.
  void Look();
  // How many bytes it took; -1: none, and errno says why.
  ssize_t Put(std::string_view bytes) const;
  // Writes what is left of a line that was taken in part. False: not all of it.
  bool Finish();

  const int fd_;
  Kind kind_ = Kind::kFile;
  bool looked_ = false;
  dev_t device_{};
  ino_t file_{};
  Fd opened_;
  std::string rest_;  // at most a line
  std::uint64_t dropped_ = 0;
};

}  // namespace packhorse::health
