#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/crc32c.h"

namespace packhorse::ingest {

// Stands for a byte string without keeping it: two independent hashes and the length. Not against an adversary: who can
// make two payloads collide can only hide one of his own repeats. Plain value; any thread.
struct Fingerprint {
  std::uint64_t fnv = 0;
  std::uint32_t crc = 0;
  std::size_t size = 0;

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

inline Fingerprint FingerprintOf(std::string_view bytes) {
  std::uint64_t fnv = 0xCBF29CE484222325ULL;  // FNV-1a, 64 bits
  for (const char c : bytes) {
    fnv = (fnv ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return {fnv, Crc32c(bytes), bytes.size()};
}

struct FingerprintHash {
  std::size_t operator()(const Fingerprint& print) const { return static_cast<std::size_t>(print.fnv ^ print.crc); }
};

}  // namespace packhorse::ingest
