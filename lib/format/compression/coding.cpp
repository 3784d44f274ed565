#include "format/compression/coding.h"

#include <string>

#include "base/text.h"
#include "format/compression/gzip.h"
#include "format/compression/snappy.h"
#include "format/compression/zstd.h"

namespace packhorse::format {
namespace {

Error NoSuchCoding(std::string_view coding) {
  std::string message = "content coding \"";
  AppendPrintable(message, coding.substr(0, 40));
  return Error{ErrorCode::kUnsupported, message + "\" is none of gzip, zstd, snappy"};
}

}  // namespace

Result<std::string> Encode(std::string_view coding, std::string_view bytes) {
  if (coding.empty()) {
    return std::string(bytes);
  }
  if (coding == "gzip") {
    return Gzip(bytes);
  }
  if (coding == "zstd") {
    return Zstd(bytes);
  }
  if (coding == "snappy") {
    return Snappy(bytes);
  }
  return NoSuchCoding(coding);
}

Result<std::string> Decode(std::string_view coding, std::string_view bytes, std::uint64_t most) {
  if (coding.empty()) {
    if (bytes.size() > most) {
      return Error{ErrorCode::kCorrupt, "there are more bytes than " + std::to_string(most)};
    }
    return std::string(bytes);
  }
  if (coding == "gzip") {
    return Gunzip(bytes, most);
  }
  if (coding == "zstd") {
    return Unzstd(bytes, most);
  }
  if (coding == "snappy") {
    return Unsnappy(bytes, most);
  }
  return NoSuchCoding(coding);
}

}  // namespace packhorse::format
