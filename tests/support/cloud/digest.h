#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace packhorse::cloud {

// SHA-256 in lower-case hex.
std::string Sha256Hex(std::string_view bytes);

// What a record id adds to a reconciliation hash: the first eight bytes of its SHA-256, as a big-endian number.
std::uint64_t RecordIdHash(std::string_view record_id);

// 16 lower-case hex digits.
std::string HashHex(std::uint64_t hash);

}  // namespace packhorse::cloud
