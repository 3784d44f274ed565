#pragma once

#include <endian.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace packhorse::queue {

// The numbers and texts that FORMAT.md's bytes are made of: LEB128 varints, signed ones zigzag, texts as length +
// bytes. Pure functions; any thread.

inline constexpr std::size_t kMaxVarintBytes = 10;

inline void PutVarint(std::string& out, std::uint64_t value) {
  if (value < 0x80) {
    out += static_cast<char>(static_cast<unsigned char>(value));
    return;
  }
  std::array<char, kMaxVarintBytes> bytes;  // appended at once: every message has two times of eight bytes
  std::size_t size = 0;
  while (value >= 0x80) {
    bytes[size++] = static_cast<char>(static_cast<unsigned char>(value | 0x80U));
    value >>= 7U;
  }
  bytes[size++] = static_cast<char>(static_cast<unsigned char>(value));
  out.append(bytes.data(), size);
}

inline std::uint64_t ZigZag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63U);
}
inline void PutSigned(std::string& out, std::int64_t value) { PutVarint(out, ZigZag(value)); }

inline void PutText(std::string& out, std::string_view text) {
  PutVarint(out, text.size());
  out += text;
}

// Fixed width, little endian: for headers that are read before anything is known of what follows.
inline void SetFixed32(std::string& out, std::size_t at, std::uint32_t value) {
  value = htole32(value);
  std::memcpy(out.data() + at, &value, sizeof(value));
}

inline void PutFixed32(std::string& out, std::uint32_t value) {
  out.append(4, '\0');
  SetFixed32(out, out.size() - 4, value);
}

inline void SetFixed64(std::string& out, std::size_t at, std::uint64_t value) {
  value = htole64(value);
  std::memcpy(out.data() + at, &value, sizeof(value));
}

inline void PutFixed64(std::string& out, std::uint64_t value) {
  out.append(8, '\0');
  SetFixed64(out, out.size() - 8, value);
}

// Takes fields off the front; ok() turns false at the first that does not fit and stays so.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t Varint() {
    if (!rest_.empty() && static_cast<unsigned char>(rest_.front()) < 0x80U) {  // as most are
      return Byte();
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const unsigned byte = Byte();
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) {
        return value;
      }
    }
    ok_ = false;
    return 0;
  }
  std::int64_t Signed() {
    const std::uint64_t value = Varint();
    return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U));
  }
  unsigned Byte() {
    if (rest_.empty()) {
      ok_ = false;
      return 0;
    }
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  std::string_view Text() { return Take(Varint()); }
  std::string_view Take(std::uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }
  std::uint32_t Fixed32() {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
      value |= static_cast<std::uint32_t>(Byte()) << (8U * i);
    }
    return value;
  }
  std::uint64_t Fixed64() {
    const std::uint64_t low = Fixed32();
    return low | (static_cast<std::uint64_t>(Fixed32()) << 32U);
  }

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace packhorse::queue
