#pragma once

#include <array>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/result.h"
#include "queue/index.h"
#include "queue/queue.h"
#include "queue/sqlite/books.h"
#include "queue/sqlite/reader.h"
#include "queue/store.h"

namespace packhorse::queue {

// The exclusive lock on `<path>.lock`; released when destroyed. The file names the pid that holds it.
class LockFile {
 public:
  static Result<LockFile> Take(const std::string& path);

 private:
  explicit LockFile(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// Everything that a queue is made of, as read from the disk.
struct Opened {
  LockFile lock;
  std::string queue_id;
  std::unique_ptr<Index> index;
  BatchId next_batch = 1;
  Reader reader;
  Books books;
  std::array<Store::Numbers, kLanes> numbers;
  Books::Trimmed held;
};

Result<Opened> OpenDatabase(const Options& options);

// Last sequence that a lane's segments hold, 0 when there is none.
Result<std::array<Sequence, kLanes>> LastStored(Database& db);

}  // namespace packhorse::queue
