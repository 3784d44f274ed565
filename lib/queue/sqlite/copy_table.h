#pragma once

#include <cstdint>

#include "base/result.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// Copies what can be read of one table of a damaged database into the same table of a sound one.

struct Table {
  const char* name;
  // Whether a row makes sense, in the columns of the sound database's table; null: every row does.
  bool (*holds)(const Statement& row);
  bool may_lack = false;  // the damaged database may do without it
};

struct Copied {
  std::uint64_t rows = 0;
  std::uint64_t lost = 0;  // rows that were found and could not be read, or made no sense
  bool whole = true;       // nothing is missing for all one can see
};

// Rows take the place of those that `to` has under the same key. Fails only when `to` cannot be written. A table with a
// rowid is read on both sides of each damaged place; one without from both ends up to the first.
Result<Copied> CopyTable(Database& from, Database& to, const Table& table);

}  // namespace packhorse::queue
