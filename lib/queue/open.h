#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/result.h"
#include "queue/ballast.h"
#include "queue/index.h"
#include "queue/journal.h"
#include "queue/queue.h"
#include "queue/sqlite/books.h"
#include "queue/sqlite/reader.h"

namespace packhorse::queue {

// The exclusive lock on `<path>.lock`; released when destroyed. The file names the pid that holds it.
class LockFile {
 public:
  static Result<LockFile> Take(const std::string& path);

 private:
  explicit LockFile(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// Everything that a queue is made of, as found on the disk and in the journal.
struct Opened {
  std::optional<LockFile> lock;
  QueueIds ids;
  std::unique_ptr<Index> index;
  Reader reader;
  Books books;
  std::optional<Journal> journal;
  Position position = 0;
  StartReport report;
  std::optional<Ballast> ballast;
};

// What the database says of itself under this key; kCorrupt when it has none.
Result<std::string> MetaText(Database& db, const char* key);
Result<std::uint64_t> MetaNumber(Database& db, const char* key);
Result<QueueIds> LoadIds(Database& db);
// Fills an empty index with the state that the database is at. Reads only.
Status LoadIndex(Database& db, Reader& reader, Index& index);

// A damaged database is salvaged first (sqlite/salvage.h): kCorrupt only if that did not help.
Result<Opened> OpenQueue(const Options& options, const Clock& clock);

}  // namespace packhorse::queue
