#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::cloud {

// The content of one gzip stream (RFC 1952). kLimitExceeded over `max_bytes`, kCorrupt for anything that is not gzip,
// is cut short or has bytes behind its end.
Result<std::string> Gunzip(std::string_view compressed, std::uint64_t max_bytes);

}  // namespace packhorse::cloud
