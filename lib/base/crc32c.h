#pragma once

#include <cstdint>
#include <string_view>

namespace packhorse {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4): guards what is read back from storage. Each stored message is run
// through it several times, so the processor's own instruction does it where there is one (x86 SSE 4.2, ARMv8 CRC).
// Pure functions; any thread.
std::uint32_t Crc32c(std::string_view bytes);

// The same in tables, for processors without that instruction.
std::uint32_t Crc32cByTable(std::string_view bytes);

}  // namespace packhorse
