#include "base/crc32c.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <array>
#include <cstddef>
#include <cstring>

namespace packhorse {
namespace {

// Eight bytes at a time (slicing by eight): kTables[n][b] is the checksum of byte b followed by n zero bytes.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1U) != 0 ? (value >> 1U) ^ 0x82F63B78U : value >> 1U;
    }
    tables[0][i] = value;
  }
  for (std::size_t n = 1; n < 8; ++n) {
    for (std::size_t i = 0; i < 256; ++i) {
      tables[n][i] = (tables[n - 1][i] >> 8U) ^ tables[0][tables[n - 1][i] & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

#if defined(__x86_64__)

bool HasInstruction() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) std::uint32_t ByInstruction(std::string_view bytes) {
  std::uint64_t crc = 0xFFFFFFFFU;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes.data(), 8);
    crc = __builtin_ia32_crc32di(crc, eight);
  }
  auto rest = static_cast<std::uint32_t>(crc);
  for (const char byte : bytes) {
    rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(byte));
  }
  return rest ^ 0xFFFFFFFFU;
}

#elif defined(__aarch64__)

bool HasInstruction() {
  constexpr unsigned long kCrc32 = 1UL << 7U;  // HWCAP_CRC32
  return (getauxval(AT_HWCAP) & kCrc32) != 0;
}

// In assembly, because the two compilers spell the intrinsic's target differently.
std::uint32_t ByInstruction(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes.data(), 8);
    asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(eight));
  }
  for (const char byte : bytes) {
    const std::uint32_t one = static_cast<unsigned char>(byte);
    asm(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(one));
  }
  return crc ^ 0xFFFFFFFFU;
}

#else

constexpr bool HasInstruction() { return false; }
std::uint32_t ByInstruction(std::string_view bytes) { return Crc32cByTable(bytes); }

#endif

std::uint32_t Load32(const char* bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8U * i);
  }
  return value;
}

}  // namespace

std::uint32_t Crc32c(std::string_view bytes) {
  static const bool has_instruction = HasInstruction();
  return has_instruction ? ByInstruction(bytes) : Crc32cByTable(bytes);
}

std::uint32_t Crc32cByTable(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const std::uint32_t low = crc ^ Load32(at);
    const std::uint32_t high = Load32(at + 4);
    crc = kTables[7][low & 0xFFU] ^ kTables[6][(low >> 8U) & 0xFFU] ^ kTables[5][(low >> 16U) & 0xFFU] ^
          kTables[4][low >> 24U] ^ kTables[3][high & 0xFFU] ^ kTables[2][(high >> 8U) & 0xFFU] ^
          kTables[1][(high >> 16U) & 0xFFU] ^ kTables[0][high >> 24U];
  }
  for (; left > 0; --left, ++at) {
    crc = (crc >> 8U) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFFU];
  }
  return crc ^ 0xFFFFFFFFU;
}

}  // namespace packhorse
