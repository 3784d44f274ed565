// Any bytes as a compressed body, or as a body of lines or series: an error or what is in it, within the bound. What is
// taken apart is whole.
#include <cstdint>
#include <string>
#include <string_view>

#include "format/compression/coding.h"
#include "format/compression/gzip.h"
#include "format/line_protocol/writer.h"
#include "format/remote_write/writer.h"

namespace format = packhorse::format;

namespace {

constexpr std::uint64_t kMost = 1U << 20U;

void Demand(bool holds) {
  if (!holds) {
    __builtin_trap();
  }
}

void Unpack(std::string_view coding, std::string_view bytes) {
  const auto plain = format::Decode(coding, bytes, kMost);
  if (plain) {
    Demand(plain->size() <= kMost);
    const auto packed = format::Encode(coding, *plain);
    Demand(packed.has_value());
    Demand(format::Decode(coding, *packed, plain->size()).value_or("") == *plain);
  }
}

template <typename Parts>
void DemandWhole(const Parts& parts, std::string_view bytes) {
  if (parts) {
    std::string joined;
    for (const std::string_view part : *parts) {
      joined += part;
    }
    Demand(joined == bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string_view coding : {"gzip", "zstd", "snappy"}) {
    Unpack(coding, bytes);
  }
  const auto part = format::GunzipPart(bytes, kMost);
  Demand(!part || part->bytes.size() <= kMost);
  DemandWhole(format::SplitLines(bytes, 1000), bytes);
  DemandWhole(format::SplitSeries(bytes, 1000), bytes);
  return 0;
}
