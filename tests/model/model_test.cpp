// Random histories of a queue, over several processes that end well, crash or lose their power, against a model.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "player.h"
#include "shared_memory.h"
#include "support/temp_dir.h"

namespace packhorse::queue::model {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// One process of the queue. False when something was not as the model says.
bool RunLife(Shared& shared, const Options& options, std::uint64_t seed, Found found, End end, unsigned steps) {
  const pid_t child = fork();
  if (child == 0) {
    Player player(shared, options, seed);
    player.Live(found, end, steps);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// How long a history is at most.
struct Length {
  std::uint64_t lives;  // processes, at least 2
  std::uint64_t steps;  // of each of them
};

void RunSequence(std::uint64_t seed, const Length& length) {
  std::mt19937_64 random(seed);
  const auto draw = [&](std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random);
  };
  const test::TempDir dir;
  const SharedMemory memory;
  Shared& shared = *memory;
  shared.moments = 1;
  Model& start = shared.progress[0];
  start.configuration = Configuration{draw(2) == 0, draw(2) == 0, draw(4) != 0};
  Options options;
  options.path = dir / "queue.db";
  options.runtime_dir = draw(8) == 0 ? dir / "no/such/folder" : dir / "run";
  options.strict = draw(5) == 0;
  options.journal_bytes = draw(2) == 0 ? 16U << 10U : 1U << 20U;
  options.cache_bytes = draw(2) == 0 ? 1'000 : 1U << 20U;
  Found found = Found::kNew;
  const std::uint64_t lives = 2 + draw(length.lives - 1);
  for (std::uint64_t life = 0; life < lives; ++life) {
    const Configuration& configuration = shared.progress[shared.moments - 1].configuration;
    options.streams = Streams(configuration);
    options.destinations = Destinations(configuration);
    const auto end = static_cast<End>(draw(3));
    ASSERT_TRUE(RunLife(shared, options, random(), found, end, static_cast<unsigned>(draw(length.steps + 1))))
        << "PACKHORSE_SEED=" << seed << ", process " << life << ": "
        << (shared.failure[0] == '\0' ? "it crashed" : static_cast<const char*>(shared.failure));
    found = end == End::kOrderly ? Found::kAfterEnd : Found::kAfterCrash;
    if (end != End::kOrderly && draw(3) == 0) {
      found = Found::kAfterPowerCut;
      std::filesystem::remove_all(options.runtime_dir);
    }
  }
}

void RunSequences(const char* variable, std::uint64_t fallback, const Length& length) {
  const std::uint64_t seed = FromEnvironment("PACKHORSE_SEED", std::random_device()());
  const std::uint64_t sequences = FromEnvironment(variable, fallback);
  // What counts is which bytes were written, not that a disk has them: crashes of processes lose no page.
  test::WorkInMemory();
  std::cout << "PACKHORSE_SEED=" << seed << " " << variable << "=" << sequences << std::endl;
  for (std::uint64_t i = 0; i < sequences && !testing::Test::HasFatalFailure(); ++i) {
    RunSequence(seed + i, length);
  }
}

TEST(QueueModel, RandomHistoriesWithCrashesAndPowerCutsEqualTheModel) {
  RunSequences("PACKHORSE_SEQUENCES", 40, {5, 39});
}

// 800 short ones, in parts that run beside each other; `make histories` plays 3,200 more, `make nightly` 10,000.
constexpr int kParts = 8;
class QueueModelPart : public testing::TestWithParam<int> {};

TEST_P(QueueModelPart, ShortRandomHistoriesEqualTheModel) {
  RunSequences("PACKHORSE_SHORT_SEQUENCES", 800 / kParts, {2, 8});
}

INSTANTIATE_TEST_SUITE_P(Parts, QueueModelPart, testing::Range(0, kParts));

}  // namespace
}  // namespace packhorse::queue::model
