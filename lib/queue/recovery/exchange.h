#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "queue/values/start_report.h"

namespace packhorse::queue {

// How a database that was made anew takes the place of the damaged one, whenever the power fails: `<path>.salvage`
// becomes `<path>`, which becomes `<path>.damaged`. What has to be told of it lies in `<path>.salvaged` from the moment
// when the new one is complete until the first checkpoint into it: no start in between may begin again, or forget it.

// Where the new database is made, and where the damaged one is kept.
std::string SalvagedFile(const std::string& path);
std::string DamagedPath(const std::string& path);
// Removes a database with its log and the like.
void RemoveDatabase(const std::string& path);

// kDiskFull unless there is room beside the damaged database for what it may hold, once `reserve_file` bytes are given
// up.
Status CheckSalvageRoom(const std::string& path, std::uint64_t reserve_file);
// Whether a write-ahead log is there and begins as one: without that SQLite takes the database as it is, without a
// word. An empty one does.
bool LogHolds(const std::string& log);
// SQLite reads nothing of a file that is shorter than its header says: what is missing at the end becomes zeros.
// Likewise of one that is empty or gone, while its log says how long it was.
Status PadDatabase(const std::string& path);

// The new database is complete and synced. After an error a later FinishExchange() goes on.
Status Exchange(const std::string& path, const Salvaged& report);
// Ends what was begun, and returns what has to be told; nothing when no exchange is to be told of. What is left of a
// salvage that did not get so far is removed.
Result<std::optional<Salvaged>> FinishExchange(const std::string& path);
// It need not be told any more.
void ForgetExchange(const std::string& path);

}  // namespace packhorse::queue
