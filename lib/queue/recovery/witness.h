#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/mapping.h"
#include "base/result.h"
#include "queue/journal/journal.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// What somebody else than the database knows of the queue: which database it is, how far it has come, and how much
// waits in it. It proves at a start that the queue goes on where it was, and counts what is gone when it does not
// (FORMAT.md, "Identity" and "Witness").

// How far a queue was at one moment.
struct Progress {
  LogPosition position = 0;             // of the last operation that no crash of the process can lose
  std::array<Sequence, kLanes> last{};  // numbers that were given
  std::uint64_t pending = 0;            // messages that wait or are on their way, once for each destination
  bool operator==(const Progress&) const = default;
};

struct Witness {
  std::string queue_id;
  std::string boot_id;  // of the machine, when the database had this checkpoint
  std::uint64_t checkpoint = 0;
  // Announced before a commit: when that is in, these two are the database's.
  std::string next_queue_id;
  std::uint64_t next_checkpoint = 0;
  Progress progress;
  std::int64_t at = 0;  // microseconds of the wall clock; of the one on the disk only
  bool clean = false;   // an orderly end: nothing came afterwards

  // Whether a database that says this of itself is the one that was worked with last.
  bool Names(const std::string& id, std::uint64_t last_checkpoint) const {
    return checkpoint != 0 && ((id == queue_id && last_checkpoint == checkpoint) ||
                               (id == next_queue_id && last_checkpoint == next_checkpoint));
  }
};

// A witness as bytes: at most so many, with a checksum. Pure functions. `place` says where it belongs: one that was
// copied elsewhere does not hold there.
inline constexpr std::size_t kWitnessBytes = 512;
std::string EncodeWitness(const Witness& witness, std::uint64_t generation, std::string_view place);
// The newest of the slots of `stride` bytes that holds, and in which slot it is.
struct FoundWitness {
  Witness witness;
  std::uint64_t generation = 0;
};
std::optional<FoundWitness> NewestWitness(std::string_view bytes, std::size_t stride, std::string_view place);

// The witness in the runtime folder, a page that is mapped: to change it costs no call to the system, and it survives
// every crash of the process. Not thread-safe.
class RuntimeWitness {
 public:
  // Opens `<directory>/queue.witness`, or makes it; what it says stays. `database` is the path of the queue that it is
  // about.
  static Result<RuntimeWitness> Open(const std::string& directory, const std::string& database);

  // None: there was none, it is damaged, of another database, or a copy.
  std::optional<Witness> Read() const;
  // Whether the file is still where a start would look for it, and whole.
  bool InPlace() const;
  // Likewise, another one.
  Result<RuntimeWitness> Again() const { return Open(directory_, database_); }
  void Write(const Witness& witness);
  // Likewise, where only the moment is new since it was written last: for each message, so it is cheap.
  void WriteProgress(const Witness& witness);

 private:
  RuntimeWitness(Mapping page, std::string directory, std::string database, std::string place)
      : page_(std::move(page)),
        directory_(std::move(directory)),
        database_(std::move(database)),
        place_(std::move(place)) {}
  void Put();
  Mapping page_;
  std::string directory_;
  std::string database_;
  std::string place_;
  std::uint64_t generation_ = 0;
  std::string written_;  // what the newest slot holds
};

// The witness beside the database, `<database>.witness`: two slots of one page each, allocated once, written in turn.
// Not thread-safe.
class DiskWitness {
 public:
  explicit DiskWitness(const std::string& database) : path_(database + ".witness") {}
  // None: there is none, or it does not hold.
  std::optional<Witness> Read();
  // Synced. After an error what it said before still holds.
  Status Write(const Witness& witness);

 private:
  std::string path_;
  std::uint64_t generation_ = 0;
};

// Keeps both up to date. Any thread.
class WitnessKeeper {
 public:
  // `found`: what the one in the runtime folder said; it stays until the first commit.
  WitnessKeeper(std::optional<RuntimeWitness> runtime, DiskWitness disk, const std::optional<Witness>& found)
      : runtime_(std::move(runtime)), disk_(std::move(disk)), state_(found.value_or(Witness())) {}

  // From the next commit on the queue has this id, in this boot.
  void Begin(const std::string& queue_id, const std::string& boot_id);
  // A commit is about to be tried.
  void Announce(std::uint64_t checkpoint);
  // It is in.
  void Committed(std::uint64_t checkpoint, const Progress& progress);
  // Something happened that no crash of the process can lose.
  void Note(const Progress& progress);
  // Writes down what the last commit has, unless that was done.
  Status Save(std::int64_t at, bool clean);
  // The one in the runtime folder is made anew where somebody removed it.
  void PutBack();
  // What the last commit has is not on the disk.
  bool unsaved() const;

 private:
  mutable std::mutex mutex_;
  std::optional<RuntimeWitness> runtime_;
  DiskWitness disk_;
  std::string queue_id_;
  std::string boot_id_;
  Witness state_;
  Progress committed_;
  std::uint64_t committed_checkpoint_ = 0;
  std::optional<Witness> saved_;
};

}  // namespace packhorse::queue
