// Power cuts: random histories of the queue on a disk that keeps what was synced and part of the rest, cut at any write
// or sync, against the model.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "disk.h"
#include "player.h"
#include "shared_memory.h"
#include "support/temp_dir.h"
#include "system_calls.h"

namespace packhorse::queue::model {
namespace {

using test::CallKind;
using test::Disk;
using test::SystemCall;
using test::SystemCalls;

std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// When the power fails, and before that perhaps a sync.
struct Plan {
  std::uint64_t cut_at = 0;  // this call to the disk is the last, or the first that does not reach it
  bool reached = false;
  std::uint64_t failed_sync = 0;  // since the queue is open; 0: none
  std::uint64_t seed = 0;
};

class Machine {
 public:
  Machine(Shared& shared, Plan plan, const std::string& root, const std::string& runtime_dir)
      : shared_(shared), plan_(plan), random_(plan.seed), disk_(root, runtime_dir) {
    SystemCalls::Watch(root, [this](const SystemCall& call) { return Watch(call); });
  }
  // The process learns that the power is gone.
  void EndIfCut(bool last) {
    SystemCalls::Alone([&] {
      if (last && !disk_.cut()) {
        Cut();
      }
      if (disk_.cut()) {
        disk_.Restore();
        _exit(0);
      }
    });
  }

 private:
  int Watch(const SystemCall& call) {
    if (disk_.cut() || !disk_.Concerns(call)) {
      return 0;
    }
    const bool last = ++calls_ == plan_.cut_at;
    if (last && !plan_.reached) {
      Cut();
      return 0;
    }
    if (call.kind == CallKind::kSync && shared_.step > 0 && ++syncs_ == plan_.failed_sync) {
      disk_.FailSync(call, random_);
      return EIO;
    }
    disk_.Follow(call);
    if (last) {
      Cut();
    }
    return 0;
  }
  void Cut() {
    disk_.Cut(random_);
    shared_.cut = Shared::Cut{true, shared_.checkpointed, shared_.at_risk, shared_.at_risk_at};
  }

  Shared& shared_;
  const Plan plan_;
  std::mt19937_64 random_;
  Disk disk_;
  std::uint64_t calls_ = 0;
  std::uint64_t syncs_ = 0;
};

// One process of the queue, until its power is cut. False when something was not as the model says.
bool RunLife(Shared& shared, const Options& options, const std::string& root, const Plan& plan, std::mt19937_64& random,
             bool first) {
  const std::uint64_t seed = random();
  const auto steps = static_cast<unsigned>(random() % 40);
  const End end = random() % 4 == 0 ? End::kOrderly : End::kCrash;
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    Machine machine(shared, plan, root, options.runtime_dir);
    Player player(shared, options, seed);
    player.AfterStep([&](bool last) { machine.EndIfCut(last); });
    player.Live(first ? Found::kNew : Found::kAfterPowerCut, end, steps);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Cuts the power that often.
void RunSequence(std::uint64_t seed, std::uint64_t cuts) {
  std::mt19937_64 random(seed);
  const test::TempDir dir;
  const SharedMemory memory;
  Shared& shared = *memory;
  shared.moments = 1;
  shared.disk_fails = true;
  shared.progress[0].configuration = Configuration{random() % 2 == 0, random() % 2 == 0, random() % 4 != 0};
  Options options;
  options.path = dir / "var/queue.db";
  options.runtime_dir = random() % 8 == 0 ? dir / "no/such/folder" : dir / "run";
  options.strict = random() % 2 == 0;
  options.journal_bytes = random() % 2 == 0 ? 16U << 10U : 1U << 20U;
  options.cache_bytes = random() % 2 == 0 ? 1'000 : 1U << 20U;
  for (std::uint64_t cut = 0; cut <= cuts; ++cut) {
    const Configuration& configuration = shared.progress[shared.moments - 1].configuration;
    options.streams = Streams(configuration);
    options.destinations = Destinations(configuration);
    Plan plan;
    plan.cut_at = 1 + random() % (random() % 3 == 0 ? 40 : 200);
    plan.reached = random() % 2 == 0;
    plan.failed_sync = random() % 3 == 0 ? 1 + random() % 10 : 0;
    plan.seed = random();
    ASSERT_TRUE(RunLife(shared, options, dir.path(), plan, random, cut == 0))
        << "PACKHORSE_SEED=" << seed << ", process " << cut << ", step " << shared.step << ": "
        << (shared.failure[0] == '\0' ? "it crashed" : static_cast<const char*>(shared.failure));
  }
}

TEST(PowerCut, AtAnyWriteOrSyncLosesNothingSyncedAndAtMostWhatWasAtRisk) {
  const std::uint64_t seed = FromEnvironment("PACKHORSE_SEED", std::random_device()());
  const std::uint64_t cuts = FromEnvironment("PACKHORSE_CUTS", 250);
  constexpr std::uint64_t kEach = 4;
  test::WorkInMemory();  // the disk is simulated
  std::cout << "PACKHORSE_SEED=" << seed << " PACKHORSE_CUTS=" << cuts << std::endl;
  for (std::uint64_t i = 0; i < cuts / kEach && !HasFatalFailure(); ++i) {
    RunSequence(seed + i, kEach);
  }
}

}  // namespace
}  // namespace packhorse::queue::model
