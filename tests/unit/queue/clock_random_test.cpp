// Random boots, crashes, power cuts, syncs and renderings: whatever happens, a stamp that was shown once is shown for
// ever, and a corrected one is right.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <sstream>

#include "queue/queue.h"
#include "support/manual_clock.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::queue {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

const WallTime kTruth{microseconds(1'795'172'531'500'000)};
const std::array<std::string, 2> kNames = {"cloud", "archive"};

// What outlives a process.
struct World {
  std::int64_t uptime;  // of all boots together, microseconds
  std::int64_t booted;  // at which of these the machine started
  std::int64_t wall;    // microseconds
  unsigned boot;
  bool synchronized;
  char failure[512];
};

class Life {
 public:
  Life(World& world, const std::string& directory, std::uint64_t seed)
      : world_(world), log_path_(directory + "/log"), random_(seed) {
    clock_.Advance(microseconds(world.booted));
    clock_.Reboot("boot-" + std::to_string(world.boot), WallTime());
    clock_.Advance(microseconds(world.uptime - world.booted));
    clock_.SetWall(WallTime(microseconds(world.wall)));
    clock_.SetSynchronized(world.synchronized);
    options_.path = directory + "/queue.db";
    options_.runtime_dir = directory + "/run";
    options_.streams = {{"telemetry", Lane::kNormal, {"cloud", "archive"}}, {"alarms", Lane::kUrgent, {"archive"}}};
    options_.destinations = {"cloud", "archive"};
  }

  void Live(unsigned steps) {
    ReadLog();
    Result<std::unique_ptr<Queue>> opened = Open(options_, clock_);
    Require(opened.has_value(), opened ? "" : opened.error().message);
    queue_ = *std::move(opened);
    for (unsigned i = 0; i < steps; ++i) {
      Step();
    }
    Keep();
  }
  void End() { queue_.reset(); }

 private:
  using Key = std::pair<int, Sequence>;
  struct Arrived {
    unsigned boot = 0;
    std::int64_t at = 0;
  };

  std::uint64_t Random(std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_);
  }
  void Require(bool holds, const std::string& what) {
    if (!holds) {
      std::snprintf(static_cast<char*>(world_.failure), sizeof world_.failure, "%s", what.c_str());
      _exit(1);
    }
  }
  void Keep() {
    world_.wall = clock_.Wall().time_since_epoch().count();
    world_.synchronized = clock_.Synchronized();
  }
  void Advance(microseconds by) {
    world_.uptime += by.count();
    clock_.Advance(by);
  }
  WallTime Truth(std::int64_t uptime) const { return kTruth + microseconds(uptime); }

  void ReadLog() {
    std::ifstream log(log_path_);
    std::string line;
    while (std::getline(log, line)) {
      std::istringstream words(line);
      char kind = 0;
      int lane = 0;
      Sequence sequence = 0;
      words >> kind >> lane >> sequence;
      if (kind == 'a') {
        Arrived& arrived = arrived_[{lane, sequence}];
        words >> arrived.boot >> arrived.at;
        shown_.erase({lane, sequence});  // after a power cut the number is another message's, under another queue id
      } else {
        std::getline(words, shown_[{lane, sequence}]);
      }
    }
  }
  void Log(char kind, Lane lane, Sequence sequence, const std::string& text) {
    std::ofstream log(log_path_, std::ios::app);
    log << kind << ' ' << static_cast<int>(lane) << ' ' << sequence << text << '\n';
  }

  void Step() {
    switch (Random(12)) {
      case 0:
        Advance(microseconds(Random(40'000'000)));
        return;
      case 1:
        if (!clock_.Synchronized()) {
          clock_.StepWall(seconds(static_cast<std::int64_t>(Random(20'000'000)) - 10'000'000));
        }
        return;
      case 2:
        if (Random(3) == 0) {
          clock_.SetWall(Truth(world_.uptime));
          clock_.SetSynchronized(true);
        }
        return;
      case 3:
        if (queue_->ClockOfBoot().state != BootClock::State::kAwaited && Random(6) == 0) {
          clock_.SetSynchronized(false);
        }
        return;
      case 4:
        if (queue_->LearnClock() && Random(2) == 0) {
          Require(test::WaitFor([&] { return !queue_->ClockOfBoot().withholds; }), "what was learnt is not released");
        }
        return;
      case 5:
        Settle();
        return;
      case 6:
      case 7:
        Render();
        return;
      case 8:
        ReadAgain();
        return;
      default:
        Arrive();
    }
  }

  void Arrive() {
    RawMessage message;
    message.stream = *queue_->Stream(Random(3) == 0 ? "alarms" : "telemetry");
    message.topic = "a/b";
    message.payload = "x";
    message.received_at = clock_.Wall();
    message.boot_time = clock_.Boot();
    message.clock = clock_.Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
    const Lane lane = message.stream == *queue_->Stream("alarms") ? Lane::kUrgent : Lane::kNormal;
    const Result<Sequence> sequence = queue_->Append(message);
    Require(sequence.has_value(), "not stored");
    arrived_[{static_cast<int>(lane), *sequence}] = Arrived{world_.boot, world_.uptime};
    shown_.erase({static_cast<int>(lane), *sequence});
    Log('a', lane, *sequence, " " + std::to_string(world_.boot) + " " + std::to_string(world_.uptime));
  }

  // A stamp leaves the process: it must be the one that did before.
  void Show(Lane lane, const StoredMessage& stored) {
    const RawMessage& message = stored.message;
    const Key key{static_cast<int>(lane), stored.sequence};
    std::string text = " " + FormatUtc(message.received_at) + " " + std::string(Name(message.clock)) + " " +
                       (message.received_at_raw ? FormatUtc(*message.received_at_raw) : "");
    const std::string what = std::string(1, Letter(lane)) + std::to_string(stored.sequence) + " now" + text;
    const auto [known, fresh] = shown_.try_emplace(key, text);
    Require(known->second == text, what + ", before" + known->second);
    const Arrived& arrived = arrived_.at(key);
    const bool right = message.clock == ClockState::kUnsynchronized || message.received_at == Truth(arrived.at);
    Require(right, what + ", in truth " + FormatUtc(Truth(arrived.at)));
    if (fresh) {
      Log('s', lane, stored.sequence, text);
    }
  }

  void Render() {
    const std::string& destination = kNames.at(Random(2));
    const Lane lane = Random(3) == 0 ? Lane::kUrgent : Lane::kNormal;
    const Result<Pending> pending = queue_->Peek(destination, lane, 1 + Random(5), 1'000'000);
    // Now, hence also while it was read. Once the time is learnt, what had been let go before is shown as before.
    const BootClock boot_clock = queue_->ClockOfBoot();
    const bool awaits = boot_clock.withholds && boot_clock.state == BootClock::State::kAwaited;
    Require(pending.has_value(), pending ? "" : pending.error().message);
    if (pending->messages.empty()) {
      return;
    }
    auto batch = std::make_unique<PreparedBatch>();
    batch->destination = destination;
    batch->lane = lane;
    batch->idempotency_key = "key";
    for (const StoredMessage& stored : pending->messages) {
      const bool open = awaits && arrived_.at({static_cast<int>(lane), stored.sequence}).boot == world_.boot;
      Require(!open, "shown before it was decided");
      batch->members.push_back(Member{stored.sequence, stored.message.stream, 0, 1, 1, 0});
    }
    batch->records = static_cast<std::uint32_t>(batch->members.size());
    PrepareRequest request{destination, lane, pending->from, pending->through, {}, {}};
    request.batches.push_back(std::move(batch));
    std::optional<Result<std::vector<BatchId>>> prepared;
    queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
    Await(prepared);
    for (const StoredMessage& stored : pending->messages) {
      Show(lane, stored);
    }
  }

  void Await(std::optional<Result<std::vector<BatchId>>>& done) {
    Require(test::WaitFor([&] {
              queue_->Poll();
              return done.has_value();
            }),
            "no answer");
    Require(done->has_value(), *done ? "" : (*done).error().message);
  }

  // A batch is split: its messages are read and rendered once more.
  void ReadAgain() {
    const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches(kNames.at(Random(2)));
    for (const PreparedBatch& batch : *batches) {
      for (const Member& member : batch.members) {
        const Result<StoredMessage> stored = queue_->Read(batch.lane, member.sequence);
        Require(stored.has_value(), stored ? "" : stored.error().message);
        Show(batch.lane, *stored);
      }
    }
  }

  void Settle() {
    const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches(kNames.at(Random(2)));
    if (batches->empty()) {
      return;
    }
    Settlement settlement;
    settlement.batch = batches->front().id;
    std::optional<Result<std::vector<BatchId>>> settled;
    queue_->Settle(std::move(settlement), [&](Result<std::vector<BatchId>> ids) { settled = std::move(ids); });
    Await(settled);
  }

  World& world_;
  std::string log_path_;
  std::mt19937_64 random_;
  test::ManualClock clock_;
  Options options_;
  std::map<Key, Arrived> arrived_;
  std::map<Key, std::string> shown_;
  std::unique_ptr<Queue> queue_;
};

TEST(RandomClocks, StampThatWasShownOnceStaysTheSameThroughBootsCrashesAndPowerCuts) {
  const char* given = std::getenv("PACKHORSE_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  SCOPED_TRACE("PACKHORSE_SEED=" + std::to_string(seed));
  void* memory = mmap(nullptr, sizeof(World), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  World& world = *static_cast<World*>(memory);
  std::mt19937_64 random(seed);
  for (int history = 0; history < 6; ++history) {
    const test::TempDir dir;
    world = World{};
    for (int life = 0; life < 8; ++life) {
      const std::uint64_t life_seed = random();
      const std::uint64_t end = random() % 5;
      const pid_t child = fork();
      if (child == 0) {
        Life player(world, dir / "", life_seed);
        player.Live(60);
        if (end == 0) {
          player.End();
        }
        _exit(0);
      }
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
          << "history " << history << ", life " << life << ": " << static_cast<const char*>(world.failure);
      world.uptime += 1'000'000;  // the daemon is away
      world.wall += 1'000'000;
      if (end == 4) {
        std::filesystem::remove_all(dir / "run");
      } else if (end >= 2) {
        ++world.boot;
        world.booted = world.uptime;
        world.wall = 30'000'000;
        world.synchronized = false;
        if (end == 3) {
          std::filesystem::remove_all(dir / "run");
        }
      }
    }
  }
  munmap(memory, sizeof(World));
}

}  // namespace
}  // namespace packhorse::queue
