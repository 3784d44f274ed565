#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "queue/values/values.h"

namespace packhorse::queue {

// The layout of a batch as bytes: its part, where its items lie and how many each record has (FORMAT.md). Empty for a
// batch without any of these. Pure functions; any thread.
std::string EncodeLayout(const PreparedBatch& batch);
// Fills these members of `batch`, whose number of records is known. kCorrupt when the bytes contradict their format or
// that number.
Status DecodeLayout(std::string_view bytes, PreparedBatch& batch);

}  // namespace packhorse::queue
