#include "system_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

#include "base/mapping.h"

namespace packhorse::test {
namespace {

// Where a part of a file is in memory.
struct Mapped {
  int fd;
  std::uint64_t offset;
};

struct State {
  std::recursive_mutex mutex;
  std::string root;
  SystemCalls::Watcher watcher;
  std::map<int, std::string> paths;  // of open files below the root
  std::map<const char*, Mapped> mapped;
  bool watching = false;  // a watcher runs
};
State& Get() {
  static auto* state = new State;  // used until the very end of the process
  return *state;
}

constexpr std::uint64_t kAtTheEnd = ~0ULL;  // where write() goes on

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool Watched(const State& state) { return state.watcher && !state.watching; }
bool Below(const State& state, std::string_view path) {
  return path.size() > state.root.size() && path.substr(0, state.root.size()) == state.root;
}

// 0, or the errno with which the call fails.
int Ask(State& state, const SystemCall& call) {
  state.watching = true;
  const int refused = state.watcher(call);
  state.watching = false;
  return refused;
}

int AskOfFile(CallKind kind, int fd, std::string_view bytes, std::uint64_t offset) {
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  const auto path = state.paths.find(fd);
  if (!Watched(state) || path == state.paths.end()) {
    return 0;
  }
  if (offset == kAtTheEnd) {
    offset = static_cast<std::uint64_t>(lseek(fd, 0, SEEK_CUR));
  }
  return Ask(state, SystemCall{kind, fd, path->second, bytes, offset, false, false});
}

int AskOfPath(CallKind kind, const char* path, std::string_view bytes) {
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  if (!Watched(state) || !Below(state, path)) {
    return 0;
  }
  return Ask(state, SystemCall{kind, -1, path, bytes, 0, false, false});
}

int Refused(int error) {
  errno = error;
  return -1;
}

}  // namespace

void SystemCalls::Watch(std::string root, Watcher watcher) {
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  state.root = std::move(root);
  state.watcher = std::move(watcher);
}

void SystemCalls::Alone(const std::function<void()>& work) {
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  state.watching = true;
  work();
  state.watching = false;
}

}  // namespace packhorse::test

// In the place of the one that writes into a mapping.
void packhorse::CopyIntoMapping(char* to, std::string_view bytes) {
  using namespace packhorse::test;
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  if (const auto behind = state.mapped.upper_bound(to); behind != state.mapped.begin()) {
    const auto& [begin, mapped] = *std::prev(behind);
    static_cast<void>(
        AskOfFile(CallKind::kStore, mapped.fd, bytes, mapped.offset + static_cast<std::uint64_t>(to - begin)));
  }
  std::copy(bytes.begin(), bytes.end(), to);
}

// Definitions in the program itself come before those of the C library, also for the libraries that it uses.
extern "C" {

using namespace packhorse::test;

int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  static auto* real = Real<int(const char*, int, ...)>("open64");
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  const bool watched = Watched(state) && (Below(state, path) || state.root == path);
  if (watched) {
    static auto* there = Real<int(const char*, int)>("access");
    const bool creates = (flags & O_CREAT) != 0 && there(path, F_OK) != 0;
    const bool writes = creates || (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
    if (const int error = Ask(state, SystemCall{CallKind::kOpen, -1, path, {}, 0, creates, writes}); error != 0) {
      return Refused(error);
    }
  }
  const int fd = real(path, flags, mode);
  if (watched && fd >= 0) {
    state.paths[fd] = path;
  }
  return fd;
}

int close(int fd) {
  static auto* real = Real<int(int)>("close");
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  state.paths.erase(fd);
  return real(fd);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  static auto* real = Real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  const std::string_view view(static_cast<const char*>(bytes), size);
  if (const int error = AskOfFile(CallKind::kWrite, fd, view, static_cast<std::uint64_t>(at)); error != 0) {
    return Refused(error);
  }
  return real(fd, bytes, size, at);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static auto* real = Real<ssize_t(int, const void*, size_t)>("write");
  const std::string_view view(static_cast<const char*>(bytes), size);
  if (const int error = AskOfFile(CallKind::kWrite, fd, view, kAtTheEnd); error != 0) {
    return Refused(error);
  }
  return real(fd, bytes, size);
}

int ftruncate64(int fd, off64_t size) noexcept {
  static auto* real = Real<int(int, off64_t)>("ftruncate64");
  if (const int error = AskOfFile(CallKind::kTruncate, fd, {}, static_cast<std::uint64_t>(size)); error != 0) {
    return Refused(error);
  }
  return real(fd, size);
}

int posix_fallocate64(int fd, off64_t from, off64_t size) {
  static auto* real = Real<int(int, off64_t, off64_t)>("posix_fallocate64");
  const int error = AskOfFile(CallKind::kAllocate, fd, {}, static_cast<std::uint64_t>(from + size));
  return error != 0 ? error : real(fd, from, size);
}

int fallocate64(int fd, int mode, off64_t from, off64_t size) {
  static auto* real = Real<int(int, int, off64_t, off64_t)>("fallocate64");
  const int error = AskOfFile(CallKind::kAllocate, fd, {}, static_cast<std::uint64_t>(from + size));
  return error != 0 ? Refused(error) : real(fd, mode, from, size);
}

int fsync(int fd) {
  static auto* real = Real<int(int)>("fsync");
  const int error = AskOfFile(CallKind::kSync, fd, {}, 0);
  return error != 0 ? Refused(error) : real(fd);
}

int fdatasync(int fd) {
  static auto* real = Real<int(int)>("fdatasync");
  const int error = AskOfFile(CallKind::kSync, fd, {}, 0);
  return error != 0 ? Refused(error) : real(fd);
}

int unlink(const char* path) noexcept {
  static auto* real = Real<int(const char*)>("unlink");
  const int error = AskOfPath(CallKind::kUnlink, path, {});
  return error != 0 ? Refused(error) : real(path);
}

int rename(const char* from, const char* to) noexcept {
  static auto* real = Real<int(const char*, const char*)>("rename");
  const int error = AskOfPath(CallKind::kRename, from, to);
  return error != 0 ? Refused(error) : real(from, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* real = Real<int(const char*, mode_t)>("mkdir");
  static auto* there = Real<int(const char*, int)>("access");
  const int error = there(path, F_OK) == 0 ? 0 : AskOfPath(CallKind::kMkdir, path, {});
  return error != 0 ? Refused(error) : real(path, mode);
}

int access(const char* path, int mode) noexcept {
  static auto* real = Real<int(const char*, int)>("access");
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  if ((mode & W_OK) != 0 && Watched(state) && (Below(state, path) || state.root == path)) {
    if (const int error = Ask(state, SystemCall{CallKind::kAccess, -1, path, {}, 0, false, false}); error != 0) {
      return Refused(error);
    }
  }
  return real(path, mode);
}

void* mmap64(void* at, size_t size, int protection, int flags, int fd, off64_t offset) noexcept {
  static auto* real = Real<void*(void*, size_t, int, int, int, off64_t)>("mmap64");
  if (const int error = fd < 0 ? 0 : AskOfFile(CallKind::kMap, fd, {}, 0); error != 0) {
    errno = error;
    return MAP_FAILED;
  }
  void* data = real(at, size, protection, flags, fd, offset);
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  if (fd >= 0 && data != MAP_FAILED) {
    state.mapped[static_cast<const char*>(data)] = Mapped{fd, static_cast<std::uint64_t>(offset)};
  }
  return data;
}

int munmap(void* at, size_t size) noexcept {
  static auto* real = Real<int(void*, size_t)>("munmap");
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  state.mapped.erase(static_cast<const char*>(at));
  return real(at, size);
}

int socket(int domain, int type, int protocol) noexcept {
  static auto* real = Real<int(int, int, int)>("socket");
  State& state = Get();
  const std::lock_guard lock(state.mutex);
  const int error = Watched(state) ? Ask(state, SystemCall{CallKind::kSocket, -1, "", {}, 0, false, false}) : 0;
  return error != 0 ? Refused(error) : real(domain, type, protocol);
}

}  // extern "C"
