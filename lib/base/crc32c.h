#pragma once

#include <cstdint>
#include <string_view>

namespace packhorse {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4): guards what is read back from storage.
std::uint32_t Crc32c(std::string_view bytes);

}  // namespace packhorse
