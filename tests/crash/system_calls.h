#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace packhorse::test {

// Between this program, with all its libraries, and the C library: what they ask of the system goes through a watcher,
// which may record it, refuse it, or end the process. Concerns files below one folder, and sockets.

enum class CallKind : std::uint8_t {
  kOpen,      // only what creates a file or reads or writes one; `bytes` is empty
  kWrite,     // `bytes` at `offset`
  kStore,     // likewise into a mapping, which is no call: it cannot be refused
  kTruncate,  // to `offset`
  kAllocate,  // `offset` bytes
  kSync,      // of a file or folder
  kUnlink,
  kRename,  // `path` to `bytes`
  kMkdir,
  kMap,
  kSocket,  // `path` is empty
  kAccess,  // the question whether `path`, or the folder itself, may be written
};

struct SystemCall {
  CallKind kind = CallKind::kOpen;
  int fd = -1;
  std::string path;
  std::string_view bytes;
  std::uint64_t offset = 0;
  bool creates = false;  // kOpen: the file was not there
  bool writes = false;   // kOpen: for writing
};

class SystemCalls {
 public:
  // Called before each call, one at a time, on the thread that makes it: 0 lets it go on, else it fails with that
  // errno. What a watcher itself does on files is not watched.
  using Watcher = std::function<int(const SystemCall&)>;
  static void Watch(std::string root, Watcher watcher);
  // Runs `work` while no watched call is going on or begins; what it does itself is not watched.
  static void Alone(const std::function<void()>& work);
};

}  // namespace packhorse::test
