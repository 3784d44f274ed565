#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "queue/values/definition.h"
#include "record/policies.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// How a queue is opened and what it may keep. Plain values.

struct StreamOptions {
  std::string name;
  Lane lane = Lane::kNormal;
  std::vector<std::string> destinations;  // names; each message counts once per destination
  // Messages stay readable for a replay so long after they were stored, delivered or not; 0: until nobody needs them.
  std::chrono::milliseconds retain_delivered{0};
  bool moves_to_bulk = false;  // some of its messages come into lane bulk instead
  StreamDefinition definition{};
};

// Where a destination begins that is new to the queue, which never had a stream before. Decided once, when it gets its
// first; a queue in which nothing is stored knows no difference.
enum class StartAt : std::uint8_t {
  kNow,     // what arrives from now on
  kOldest,  // everything that is still stored of its streams
};

struct DestinationOptions {
  // NOLINTNEXTLINE(google-explicit-constructor): a name alone starts at now.
  DestinationOptions(std::string of, StartAt at = StartAt::kNow) : name(std::move(of)), start(at) {}
  // NOLINTNEXTLINE(google-explicit-constructor): likewise.
  DestinationOptions(const char* of) : name(of) {}
  std::string name;
  StartAt start = StartAt::kNow;
};

// How much a queue may keep, and how long. 0: no limit.
struct Limits {
  // Of the database's pages in use. Its write-ahead log (at most 8 MiB), the reserve file (at most 8 MiB) and what has
  // not been checkpointed yet (at most the journal) come on top.
  std::uint64_t max_bytes = 0;
  std::uint64_t max_messages = 0;  // that wait for one destination
  std::chrono::milliseconds max_age{0};
  std::array<Overflow, kLanes> overflow{};  // by lane; kBlock: see Stats::full

  bool operator==(const Limits&) const = default;
};

struct Options {
  std::string path = "/var/lib/packhorse/queue.db";
  std::string runtime_dir = "/run/packhorse";  // a tmpfs: holds the intake journal
  // Strict: an acknowledged message is on the disk. Else at most `window` later; until then the journal keeps it safe
  // from everything but a power cut.
  bool strict = false;
  std::chrono::milliseconds window{2'000};
  std::uint64_t journal_bytes = 4ULL << 20U;  // of each of the two journal files
  // Messages that came before this boot's clock was right wait for that until the machine has run for so long; after
  // that they go out as they were stamped.
  std::chrono::milliseconds clock_wait{std::chrono::minutes(2)};
  std::vector<StreamOptions> streams;
  std::vector<DestinationOptions> destinations;
  std::uint64_t cache_bytes =
      4ULL << 20U;  // newest segments kept in memory so that a healthy link does not read the disk
  Limits limits;
  std::uint32_t max_settled_batches = 10'000;  // rows kept of the log of settled batches
  std::uint32_t max_given_up = 1'000;          // likewise, of what was given up
  std::uint32_t max_dead_letters = 100'000;    // the oldest go first
  std::uint32_t max_quarantined = 100'000;     // likewise
  // How often it looks whether its files and locks are where they were put.
  std::chrono::milliseconds watch_interval{1'000};
  // Checkpoints only when somebody waits for one, or asks: for a program that simulates time.
  bool checkpoint_when_asked = false;
  // Called from the store thread when completions wait for Poll(); must not block.
  std::function<void()> wake;
};

}  // namespace packhorse::queue
