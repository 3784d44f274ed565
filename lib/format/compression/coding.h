#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::format {

// Content codings by the names that HTTP has for them: "gzip", "zstd" (RFC 8878) and "snappy"; "" is none, and gives
// the bytes as they are. kUnsupported: any other name; else as the functions of the coding.
Result<std::string> Encode(std::string_view coding, std::string_view bytes);
Result<std::string> Decode(std::string_view coding, std::string_view bytes, std::uint64_t most);

}  // namespace packhorse::format
