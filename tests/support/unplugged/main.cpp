// The daemon on a machine whose power fails. The folder of its queue is a disk that keeps what was synced and part of
// the rest (tests/crash/disk.h); its runtime directory is gone afterwards, which is the caller's affair.
// PACKHORSE_DISK=FOLDER  the disk
// PACKHORSE_CUT=N        the power fails at the N-th call that changes the disk or syncs it: the process ends with 111,
//                        and FOLDER.cut holds the time of it, in nanoseconds of the monotonic clock
// PACKHORSE_SEED=S       of what is left, and whether the call still reached the disk
// PACKHORSE_FAILED_SYNC=N  before that, the N-th sync fails and the disk forgets its pages; 0: none

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "disk.h"
#include "packhorsed/daemon.h"
#include "support/process.h"
#include "system_calls.h"

namespace {

using packhorse::test::CallKind;
using packhorse::test::Disk;
using packhorse::test::SystemCall;
using packhorse::test::SystemCalls;

constexpr int kUnplugged = 111;

std::uint64_t Number(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

class Machine {
 public:
  explicit Machine(std::string folder) : folder_(std::move(folder)), disk_(folder_, "/no/such/folder") {}

  int Watch(const SystemCall& call) {
    if (!disk_.Concerns(call)) {
      return 0;
    }
    const bool last = ++calls_ == cut_at_;
    if (last && !reached_) {
      Unplug();
    }
    if (call.kind == CallKind::kSync && ++syncs_ == failed_sync_) {
      disk_.FailSync(call, random_);
      return EIO;
    }
    disk_.Follow(call);
    if (last) {
      Unplug();
    }
    return 0;
  }

 private:
  // All other threads that touch the disk wait for this one.
  [[noreturn]] void Unplug() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    disk_.Cut(random_);
    disk_.Restore();
    packhorse::test::WriteAll(folder_ + ".cut", std::to_string(std::chrono::nanoseconds(now).count()));
    _exit(kUnplugged);
  }

  const std::string folder_;
  const std::uint64_t cut_at_ = Number("PACKHORSE_CUT");
  const std::uint64_t failed_sync_ = Number("PACKHORSE_FAILED_SYNC");
  std::mt19937_64 random_{Number("PACKHORSE_SEED")};
  const bool reached_ = random_() % 2 == 0;
  Disk disk_;
  std::uint64_t calls_ = 0;
  std::uint64_t syncs_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const char* folder = std::getenv("PACKHORSE_DISK");
  if (folder != nullptr) {
    auto* machine = new Machine(folder);  // used until the very end of the process
    SystemCalls::Watch(folder, [machine](const SystemCall& call) { return machine->Watch(call); });
  }
  return packhorse::daemon::Main(packhorse::daemon::ParseCommandLine(argc, argv));
}
