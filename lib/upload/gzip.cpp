#include <zlib.h>

#include <string>
#include <utility>

#include "upload/uploader.h"

namespace packhorse::upload {
namespace {

constexpr std::size_t kMaxInput = 1U << 30U;
// Telemetry JSON shrinks to about a tenth at every level; the fastest costs a gateway the least.
constexpr int kLevel = 1;
constexpr int kWindowBits = 15 + 16;  // zlib.h: 16 more asks for the gzip format
constexpr int kMemoryLevel = 8;
constexpr int kUnknownOs = 255;  // RFC 1952 section 2.3.1: does not tell which system made it

constexpr std::size_t kChunk = 65'536;

}  // namespace

Result<std::string> Gzip(std::string_view bytes) {
  if (bytes.size() > kMaxInput) {
    return Error{ErrorCode::kLimitExceeded, "gzip: more than 1 GiB in one body"};
  }
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
    return Error{ErrorCode::kInternal, "gzip: zlib cannot start (out of memory?)"};
  }
  gz_header header{};
  header.os = kUnknownOs;
  int result = deflateSetHeader(&stream, &header);
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib.h lacks the const; it only reads
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (result == Z_OK) {
    result = deflate(&stream, Z_FINISH);
  }
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) {
    return Error{ErrorCode::kInternal, "gzip: zlib failed with code " + std::to_string(result)};
  }
  return out;
}

Result<Gunzipped> GunzipPart(std::string_view bytes, std::uint64_t most) {
  z_stream stream{};
  if (bytes.size() > kMaxInput || inflateInit2(&stream, kWindowBits) != Z_OK) {
    return Error{ErrorCode::kInternal, "gunzip: zlib cannot start (out of memory?)"};
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  Gunzipped out;
  std::string chunk(kChunk, '\0');
  int result = Z_OK;
  while (result == Z_OK && out.bytes.size() <= most) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    result = inflate(&stream, Z_NO_FLUSH);
    out.bytes.append(chunk, 0, chunk.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {  // Z_BUF_ERROR: the input ended early
    return Error{ErrorCode::kInvalidArgument, "gunzip: not gzip"};
  }
  out.complete = result == Z_STREAM_END && out.bytes.size() <= most;
  if (out.bytes.size() > most) {
    out.bytes.resize(static_cast<std::size_t>(most));
  }
  return out;
}

Result<std::string> Gunzip(std::string_view bytes, std::uint64_t most) {
  Result<Gunzipped> whole = GunzipPart(bytes, most);
  if (!whole || !whole->complete) {
    return Error{ErrorCode::kCorrupt, "gunzip: the bytes do not hold, or are more than " + std::to_string(most)};
  }
  return std::move(whole->bytes);
}

}  // namespace packhorse::upload
