#include "format/compression/gzip.h"

#include <libdeflate.h>
#include <zlib.h>

#include <memory>
#include <string>
#include <utility>

namespace packhorse::format {
namespace {

constexpr std::size_t kMostToGzip = 1U << 30U;
// Telemetry JSON shrinks to about a tenth at every level; the fastest costs a gateway the least.
constexpr int kGzipLevel = 1;
constexpr int kGzipWindowBits = 15 + 16;  // zlib.h: 16 more asks for the gzip format
constexpr std::size_t kGunzipChunk = 65'536;

struct FreeDeflate {
  void operator()(libdeflate_compressor* made) const { libdeflate_free_compressor(made); }
  void operator()(libdeflate_decompressor* made) const { libdeflate_free_decompressor(made); }
};

}  // namespace

Result<std::string> Gzip(std::string_view bytes) {
  if (bytes.size() > kMostToGzip) {
    return Error{ErrorCode::kLimitExceeded, "gzip: more than 1 GiB in one body"};
  }
  thread_local const std::unique_ptr<libdeflate_compressor, FreeDeflate> compressor(
      libdeflate_alloc_compressor(kGzipLevel));
  if (compressor == nullptr) {
    return Error{ErrorCode::kInternal, "gzip: libdeflate cannot start (out of memory?)"};
  }
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), bytes.size()), '\0');
  const std::size_t size =
      libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.data(), out.size());
  if (size == 0) {
    return Error{ErrorCode::kInternal, "gzip: libdeflate found its own bound too small"};
  }
  return out.substr(0, size);  // without the room for the worst case
}

Result<std::string> Gunzip(std::string_view bytes, std::uint64_t most) {
  thread_local const std::unique_ptr<libdeflate_decompressor, FreeDeflate> decompressor(
      libdeflate_alloc_decompressor());
  if (decompressor == nullptr) {
    return Error{ErrorCode::kInternal, "gunzip: libdeflate cannot start (out of memory?)"};
  }
  // A member ends in its content's size (RFC 1952 section 2.3.1), which saves memory where `most` is generous.
  std::uint64_t told = most;
  if (bytes.size() >= 4) {
    told = 0;
    for (std::size_t i = bytes.size(); i > bytes.size() - 4; --i) {
      told = (told << 8U) | static_cast<unsigned char>(bytes[i - 1]);
    }
  }
  if (told <= most) {
    std::string out(static_cast<std::size_t>(told), '\0');
    std::size_t read = 0;
    std::size_t made = 0;
    const libdeflate_result result = libdeflate_gzip_decompress_ex(decompressor.get(), bytes.data(), bytes.size(),
                                                                   out.data(), out.size(), &read, &made);
    if (result == LIBDEFLATE_SUCCESS && read == bytes.size() && made == told) {
      return out;
    }
  }
  return Error{ErrorCode::kCorrupt, "gunzip: the bytes do not hold, or are more than " + std::to_string(most)};
}

// By zlib: libdeflate decodes a member as a whole or not at all, and a reply that was cut still tells something.
Result<Gunzipped> GunzipPart(std::string_view bytes, std::uint64_t most) {
  z_stream stream{};
  if (bytes.size() > kMostToGzip || inflateInit2(&stream, kGzipWindowBits) != Z_OK) {
    return Error{ErrorCode::kInternal, "gunzip: zlib cannot start (out of memory?)"};
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib.h lacks the const; it only reads
  stream.avail_in = static_cast<uInt>(bytes.size());
  Gunzipped out;
  std::string chunk(kGunzipChunk, '\0');
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

}  // namespace packhorse::format
