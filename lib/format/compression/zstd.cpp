#include "format/compression/zstd.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <memory>
#include <string>

namespace packhorse::format {
namespace {

constexpr std::size_t kMostToZstd = 1U << 30U;
// Of batches of 500 records, 200 to 500 KB, the second level leaves a ninth less than the first and costs no more; the
// third gains nothing.
constexpr int kZstdBodyLevel = 2;
constexpr int kZstdWindowLog = 23;  // 8 MiB
constexpr std::size_t kZstdLeastRoom = 16'384;
// Where a frame does not tell how large its content is.
constexpr std::size_t kZstdFirstRoom = 65'536;

struct FreeZstd {
  void operator()(ZSTD_CCtx* made) const { ZSTD_freeCCtx(made); }
  void operator()(ZSTD_DCtx* made) const { ZSTD_freeDCtx(made); }
};

Error NotZstd(std::uint64_t most) {
  return Error{ErrorCode::kCorrupt, "zstd: the bytes do not hold, or are more than " + std::to_string(most)};
}

}  // namespace

Result<std::string> Zstd(std::string_view bytes) {
  if (bytes.size() > kMostToZstd) {
    return Error{ErrorCode::kLimitExceeded, "zstd: more than 1 GiB in one body"};
  }
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeZstd> context(ZSTD_createCCtx());
  if (context == nullptr) {
    return Error{ErrorCode::kInternal, "zstd: no context (out of memory?)"};
  }
  // What does not fit a quarter is rare, and tried again with room for the worst case.
  std::string out;
  std::size_t size = 0;
  for (const std::size_t room : {bytes.size() / 4 + kZstdLeastRoom, ZSTD_compressBound(bytes.size())}) {
    out.resize(room);
    size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), kZstdBodyLevel);
    if (ZSTD_isError(size) == 0 || ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall) {
      break;
    }
  }
  if (ZSTD_isError(size) != 0) {
    return Error{ErrorCode::kInternal, std::string("zstd: ") + ZSTD_getErrorName(size)};
  }
  return out.substr(0, size);
}

Result<std::string> Unzstd(std::string_view bytes, std::uint64_t most) {
  const unsigned long long told = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (told == ZSTD_CONTENTSIZE_ERROR || (told != ZSTD_CONTENTSIZE_UNKNOWN && told > most)) {
    return NotZstd(most);
  }
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  if (context == nullptr || ZSTD_isError(ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters)) != 0 ||
      ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLog)) != 0) {
    return Error{ErrorCode::kInternal, "zstd: no context (out of memory?)"};
  }
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string out;
  ZSTD_outBuffer room{nullptr, 0, 0};
  while (true) {
    const std::size_t left = ZSTD_decompressStream(context.get(), &room, &in);
    if (ZSTD_isError(left) != 0 || room.pos > most) {
      return NotZstd(most);
    }
    if (left == 0) {
      break;
    }
    if (room.pos < room.size) {  // it wants more bytes, and there are none
      return NotZstd(most);
    }
    // The frame's word may lie: it is worth no more than room. One byte beyond `most` shows that there is more.
    const std::uint64_t wanted =
        out.empty() && told <= most ? told + 1 : std::max<std::uint64_t>(kZstdFirstRoom, 2 * out.size());
    out.resize(static_cast<std::size_t>(std::min(wanted, most + 1)));
    if (out.size() == room.size) {
      return NotZstd(most);
    }
    room = {out.data(), out.size(), room.pos};
  }
  if (in.pos != in.size) {
    return NotZstd(most);
  }
  out.resize(room.pos);
  return out;
}

}  // namespace packhorse::format
