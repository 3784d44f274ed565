#include "gunzip.h"

#include <zlib.h>

#include <algorithm>

namespace packhorse::cloud {

Result<std::string> Gunzip(std::string_view compressed, std::uint64_t max_bytes) {
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  constexpr std::uint64_t kUsualRatio = 12;
  z_stream stream{};
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) {
    return Error{ErrorCode::kInternal, "zlib cannot be set up"};
  }
  // zlib's interface is not const-correct; it does not write to next_in.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  // One byte over the limit is enough to know that there is more.
  const std::size_t capacity = static_cast<std::size_t>(max_bytes) + 1;
  std::string text(std::min<std::size_t>(capacity, compressed.size() * kUsualRatio + 1024), '\0');
  int code = Z_OK;
  while (code == Z_OK && stream.total_out < capacity) {
    if (stream.total_out == text.size()) {
      text.resize(std::min<std::size_t>(capacity, text.size() * 2));
    }
    stream.next_out = reinterpret_cast<Bytef*>(text.data()) + stream.total_out;
    stream.avail_out = static_cast<uInt>(text.size() - stream.total_out);
    code = inflate(&stream, Z_NO_FLUSH);
  }
  const std::size_t size = stream.total_out;
  const bool whole = code == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (size >= capacity) {
    return Error{ErrorCode::kLimitExceeded, "the decoded body has more than " + std::to_string(max_bytes) + " bytes"};
  }
  if (!whole) {
    return Error{ErrorCode::kCorrupt, "the body is not one complete gzip stream"};
  }
  text.resize(size);
  return text;
}

}  // namespace packhorse::cloud
