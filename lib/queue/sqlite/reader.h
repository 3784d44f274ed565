#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "queue/queue.h"
#include "queue/sqlite/books.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// Everything that is read from the disk, on a connection of its own. Sees what is committed. Loop thread.
class Reader {
 public:
  static Result<Reader> Open(const std::string& path);

  // Calls `visit` with the plain bytes of the segments that end at or after `from`, in order, until it returns false.
  using Visit = std::function<Result<bool>(Sequence first, Sequence last, const std::string& plain)>;
  Status VisitSegments(Lane lane, Sequence from, const Visit& visit);
  Result<StoredMessage> Message(Lane lane, Sequence sequence);
  Result<std::vector<FrozenBatch>> FrozenBatches(DestinationId destination);
  Result<std::vector<DeadLetter>> DeadLetters(std::size_t limit, std::int64_t after_id);
  Result<DeadLetter> FindDeadLetter(std::int64_t id);
  Result<std::vector<QuarantinedMessage>> Quarantined(std::size_t limit, Sequence after);
  // What the segments hold, all lanes together.
  Result<Books::Trimmed> Held();
  Result<std::int64_t> Rows(const char* table);
  // Compares the pending counters with what is stored, and the identity of P3. One line per gap. Reads every stored
  // message.
  Result<std::vector<std::string>> Verify();

 private:
  explicit Reader(Database db) : db_(std::move(db)) {}
  Database db_;
};

}  // namespace packhorse::queue
