#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace packhorse {

// Seedable source of jitter and choices. Not for secrets. Not thread-safe; one per owner.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // Uniform in [0, bound]; both ends possible.
  std::uint64_t UpTo(std::uint64_t bound) { return std::uniform_int_distribution<std::uint64_t>(0, bound)(engine_); }
  // Uniform in [0, 1).
  double Unit() { return std::uniform_real_distribution<double>(0.0, 1.0)(engine_); }

 private:
  std::mt19937_64 engine_;
};

// Seed from the kernel (getrandom).
std::uint64_t RandomSeed();
// `digits` random lower-case base-32 digits (0-9 and a-z without i, l, o, u: Crockford) from the kernel: queue ids,
// keys.
std::string RandomBase32(std::size_t digits);
// `bytes` random bytes from the kernel as lower-case hex: W3C trace ids (16 bytes) and span ids (8 bytes), never all
// zero.
std::string RandomHex(std::size_t bytes);

}  // namespace packhorse
