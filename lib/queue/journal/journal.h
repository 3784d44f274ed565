#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/mapping.h"
#include "base/result.h"

namespace packhorse::queue {

// Position of an operation in the history of one queue: 1, 2, 3, ...; never used twice while its epoch lasts.
using LogPosition = std::uint64_t;

// The intake journal: what happened to the queue since it was last checkpointed into the database, in two files of
// fixed size in the runtime directory (a tmpfs). An entry that was appended survives any crash of the process; a power
// cut takes the whole journal. One file is written while the other one's operations are being checkpointed. FORMAT.md
// has the bytes.
//
// Bounded: two files of `file_bytes`, allocated when it is made, so that a full tmpfs shows at the start and not in
// between. Not thread-safe: its owner holds a lock.
class Journal {
 public:
  struct Options {
    std::string directory;
    std::uint64_t file_bytes = 4ULL << 20U;
    std::string queue_id;
    std::string boot_id;
    std::uint64_t epoch = 0;  // random; the database names the epoch whose entries it takes
    std::string before;       // id that this queue had until it was opened; its entries are in the database
  };

  // Makes both files anew, empty, ready for `first`. Entries of another queue that lie there are set aside: that queue
  // was not ended in order, and reads them when it is opened again.
  static Result<Journal> Create(const Options& options, LogPosition first);

  // What an earlier run left behind.
  struct Left {
    bool found = false;                 // a journal of this queue and epoch is there
    bool other_boot = false;            // written before the machine was started last: its tail may be missing
    std::uint64_t foreign_entries = 0;  // entries of another queue or epoch, which are left alone
    LogPosition through = 0;            // last entry that holds
  };
  // Calls `visit` with every entry after `after`, in order, up to the first that does not hold. An entry that was half
  // written when the process ended is such an end.
  using Visit = std::function<Status(LogPosition position, std::string_view bytes)>;
  static Result<Left> Read(const Options& options, LogPosition after, const Visit& visit);

  // Whether an entry of this size can ever be held.
  bool CanHold(std::size_t bytes) const;
  // Whether it fits now. Arrivals leave a reserve for the operations that empty the queue.
  bool HasRoom(std::size_t bytes, bool arrival) const;
  // REQUIRES: HasRoom. A failure leaves the journal as it was.
  Status Append(LogPosition position, std::string_view bytes);

  // Goes on in the other file. REQUIRES: CanRotate().
  bool CanRotate() const { return !files_[1 - active_].used; }
  Status Rotate(LogPosition next);
  // Everything up to `through` is in the database.
  void Release(LogPosition through);

  // Whether the files are still where a start would look for them, and whole.
  bool InPlace() const;
  // At an orderly end: everything is in the database, and nobody looks here for more.
  void Clear();

  const Options& options() const { return options_; }
  std::uint64_t file_bytes() const { return options_.file_bytes; }
  std::uint64_t active_bytes() const { return files_[active_].end; }

 private:
  struct File {
    Fd fd;
    std::string path;
    std::uint64_t end = 0;  // where the next entry goes
    LogPosition first = 0;
    LogPosition last = 0;  // 0: no entry
    bool used = false;
    MappedWriter writer;
  };
  explicit Journal(Options options) : options_(std::move(options)) {}
  Status Write(File& file, std::uint64_t at, std::string_view bytes) const;
  Status WriteHeader(File& file, LogPosition first);

  Options options_;
  std::array<File, 2> files_;
  std::size_t active_ = 0;
  std::string frame_;  // reused
};

}  // namespace packhorse::queue
