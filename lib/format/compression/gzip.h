#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::format {

// gzip (RFC 1952). Pure functions; each thread reuses one compressor of its own.

// `bytes` as one gzip member. It tells neither a time nor a system, so that equal bytes stay equal. kLimitExceeded:
// more than 1 GiB.
Result<std::string> Gzip(std::string_view bytes);
// The bytes of one whole member. kCorrupt: it is none, or there would be more than `most` bytes.
Result<std::string> Gunzip(std::string_view bytes, std::uint64_t most);

// As far as `most` allows, of any gzip stream; `complete` is false where there was more, or the stream was cut.
// kInvalidArgument: that is no gzip.
struct Gunzipped {
  std::string bytes;
  bool complete = false;
};
Result<Gunzipped> GunzipPart(std::string_view bytes, std::uint64_t most);

}  // namespace packhorse::format
