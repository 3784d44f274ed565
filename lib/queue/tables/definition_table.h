#pragma once

#include <array>
#include <vector>

#include "base/result.h"
#include "queue/sqlite/database.h"
#include "queue/values/definition.h"
#include "queue/values/options.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// The definitions of the streams in the database: what they are now and what they were, as long as a stored message may
// have come under them (FORMAT.md "Definitions of streams").

// Versions kept of one stream; beyond that the oldest go, needed or not.
inline constexpr std::size_t kMaxDefinitions = 64;

// Brings the definitions in line with a configuration: those that differ begin behind `last`, the ones before end
// there, and of the ended ones those go that no stored message needs. Within a transaction in which everything up to
// `last` is stored that anybody needs.
Status KeepDefinitions(Database& db, const std::vector<StreamOptions>& streams,
                       const std::array<Sequence, kLanes>& last);

// All of them, by stream, the one in use last first.
Result<std::vector<KeptDefinition>> ReadDefinitions(Database& db);

}  // namespace packhorse::queue
