#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "queue/queue.h"

namespace packhorse::queue {

// What to do with a database that SQLite or a checksum says is damaged. Before anything has it open, under the queue's
// lock.
//
// Everything that can be read goes into a new database, row by row; the damaged file stays beside it as
// `<path>.damaged` (one: an older one is replaced). Then the ledger is made to agree with what is left: pending
// messages whose bytes are gone count as dropped, with the reason "damaged". When it cannot be known any more what was
// already sent, everything stored is pending again, under the same record ids.

// Fails when the new database cannot be written (a full disk): everything is then as before.
Result<Salvaged> Salvage(const std::string& path, const std::string& because, const std::vector<StreamOptions>& streams,
                         const std::vector<DestinationOptions>& destinations, WallTime now);

// Ends the renames of a salvage that a power cut interrupted, or removes what is left of one that did not get so far.
Status FinishSalvage(const std::string& path);

// Damage found while the queue was open is noted beside it and salvaged at the next start: `<path>.damage`.
void NoteDamage(const std::string& path, const std::string& because);
std::optional<std::string> NotedDamage(const std::string& path);

}  // namespace packhorse::queue
