#include "format/compression/snappy.h"

#include <snappy.h>

#include <string>

namespace packhorse::format {
namespace {

constexpr std::size_t kMostToSnappy = 1U << 30U;

}  // namespace

Result<std::string> Snappy(std::string_view bytes) {
  if (bytes.size() > kMostToSnappy) {
    return Error{ErrorCode::kLimitExceeded, "snappy: more than 1 GiB in one body"};
  }
  std::string out;
  snappy::Compress(bytes.data(), bytes.size(), &out);
  return out;
}

Result<std::string> Unsnappy(std::string_view bytes, std::uint64_t most) {
  std::size_t size = 0;
  std::string out;
  // The block begins with its content's size; what holds in itself is as large as it says.
  if (!snappy::GetUncompressedLength(bytes.data(), bytes.size(), &size) || size > most ||
      !snappy::IsValidCompressedBuffer(bytes.data(), bytes.size()) ||
      !snappy::Uncompress(bytes.data(), bytes.size(), &out)) {
    return Error{ErrorCode::kCorrupt, "snappy: the bytes do not hold, or are more than " + std::to_string(most)};
  }
  return out;
}

}  // namespace packhorse::format
