// A disk whose syncs take as long as those of a memory card: BENCH_SYNC_MS milliseconds are added to each. These
// definitions stand before those of the C library for every library of the process that links them.
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace {

void Delay() {
  static const char* const text = std::getenv("BENCH_SYNC_MS");
  static const std::chrono::milliseconds delay(text == nullptr ? 0 : std::atoi(text));
  if (delay.count() > 0) {
    std::this_thread::sleep_for(delay);
  }
}

}  // namespace

extern "C" int fsync(int fd) {
  Delay();
  return static_cast<int>(syscall(SYS_fsync, fd));
}

extern "C" int fdatasync(int fd) {
  Delay();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
