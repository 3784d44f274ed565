#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::format {

// Zstandard (RFC 8878). Pure functions; each thread reuses one context of its own.

// `bytes` as one frame that tells their number. kLimitExceeded: more than 1 GiB.
Result<std::string> Zstd(std::string_view bytes);
// The bytes of one frame, whether it tells their number or not. kCorrupt: it is none, or there would be more than
// `most` bytes. Memory: `most` and a window of 8 MiB, what RFC 8878 section 3.1.1.1.2 asks of every decoder.
Result<std::string> Unzstd(std::string_view bytes, std::uint64_t most);

}  // namespace packhorse::format
