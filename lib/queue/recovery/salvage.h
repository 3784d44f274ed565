#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "queue/values/options.h"
#include "queue/values/start_report.h"

namespace packhorse::queue {

// What to do with a database that SQLite or a checksum says is damaged. Before anything has it open, under the queue's
// lock.
//
// Everything that can be read goes into a new database, row by row; the damaged file stays beside it as
// `<path>.damaged` (one: an older one is replaced). Then the ledger is made to agree with what is left: pending
// messages whose bytes are gone count as dropped, with the reason "damaged". When it cannot be known any more what was
// already sent, everything stored is pending again, under the same record ids.

// Fails when the new database cannot be written: everything is then as before. On a disk without the room for it
// (kDiskFull) nothing is written at all. A file that is too short is padded with zeros first.
Result<Salvaged> Salvage(const std::string& path, const std::string& because, const std::vector<StreamOptions>& streams,
                         const std::vector<DestinationOptions>& destinations, WallTime now);

// Ends a salvage that a power cut interrupted, and returns what it came to; or removes what is left of one that did not
// get so far. The same again at each start, until ForgetSalvage() says that the first checkpoint is in the new
// database.
Result<std::optional<Salvaged>> FinishSalvage(const std::string& path);
void ForgetSalvage(const std::string& path);

// Damage found while the queue was open is noted beside it and salvaged at the next start: `<path>.damage`.
void NoteDamage(const std::string& path, const std::string& because);
std::optional<std::string> NotedDamage(const std::string& path);

}  // namespace packhorse::queue
