#pragma once

#include <array>
#include <string>

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/values.h"

namespace packhorse::queue {

// When a queue goes on under another id (FORMAT.md, "Identity"). For the time of opening.

struct Renewal {
  std::string id;       // the new one; empty: the queue keeps its id
  std::string because;  // for the operator
};

// What was found while opening that may make the numbers that follow ambiguous.
struct Doubts {
  std::string machine;  // of this machine; empty: unknown
  bool log_missing =
      false;  // the database was in use and its write-ahead log is gone, and no journal shows where it was
  bool salvaged = false;
};

Result<Renewal> DecideRenewal(Database& db, const Doubts& doubts);

// Inside a transaction: notes the machine and, if the id is renewed, that all numbers up to `last` belong to the id
// before.
Status WriteIdentity(Database& db, const Renewal& renewal, const std::string& machine,
                     const std::array<Sequence, kLanes>& last);

}  // namespace packhorse::queue
