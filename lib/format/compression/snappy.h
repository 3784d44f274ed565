#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::format {

// Snappy's block format, which has no frame: what Prometheus remote write asks for. Pure functions.

// kLimitExceeded: more than 1 GiB.
Result<std::string> Snappy(std::string_view bytes);
// kCorrupt: it is no block, or there would be more than `most` bytes.
Result<std::string> Unsnappy(std::string_view bytes, std::uint64_t most);

}  // namespace packhorse::format
