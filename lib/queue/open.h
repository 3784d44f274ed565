#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "queue/ballast.h"
#include "queue/index.h"
#include "queue/journal.h"
#include "queue/lock_file.h"
#include "queue/queue.h"
#include "queue/sqlite/books.h"
#include "queue/sqlite/reader.h"
#include "queue/witness.h"

namespace packhorse::queue {

// Everything that a queue is made of, as found on the disk and in the journal.
struct Opened {
  std::optional<LockFile> lock;
  std::optional<LockFile> runtime_lock;
  std::unique_ptr<WitnessKeeper> witness;
  QueueIds ids;
  std::unique_ptr<Index> index;
  Reader reader;
  Books books;
  std::optional<Journal> journal;
  Position position = 0;
  std::uint64_t epoch = 0;  // of the journal from here on
  StartReport report;
  std::optional<Ballast> ballast;
};

// What the database says of itself under this key; kCorrupt when it has none.
Result<std::string> MetaText(Database& db, const char* key);
Result<std::uint64_t> MetaNumber(Database& db, const char* key);
// Fills an empty index with the state that the database is at. Reads only.
Status LoadIndex(Database& db, Reader& reader, Index& index);

// A damaged database is salvaged first (sqlite/salvage.h): kCorrupt only if that did not help.
Result<Opened> OpenQueue(const Options& options, const Clock& clock);

}  // namespace packhorse::queue
