#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

inline constexpr int kFormatMajor = 2;
inline constexpr int kFormatMinor = 3;
inline constexpr std::int64_t kApplicationId = 0x50414B48;  // "PAKH"
// Of the write-ahead log, before SQLite copies it back into the database.
inline constexpr std::uint64_t kLogBytes = 4ULL << 20U;

// Eight base-32 digits are 40 bits: two of a thousand queues share an id once in two million fleets.
std::string NewQueueId();

// Makes a new database or brings an older one to this release's format, in one transaction. kUnsupported when its
// format major is newer; a newer minor of the same major opens as it is.
Status PrepareSchema(Database& db);

// Notes this release's format.
Status WriteFormat(Database& db);

// kUnsupported when it is none of ours or its format major is newer than ours. Reads only.
Status CheckFormat(Database& db);

// Whether a database can be read as it is: a queue of this release's format or a newer minor. Reads only.
Status CheckCurrent(Database& db);

// Settings of the writing connection, once per connection.
Status TuneWriter(Database& db);

}  // namespace packhorse::queue
