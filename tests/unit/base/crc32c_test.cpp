#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace packhorse {
namespace {

// Bit by bit, straight from the definition.
std::uint32_t Reference(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1U) != 0 ? (crc >> 1U) ^ 0x82F63B78U : crc >> 1U;
    }
  }
  return crc ^ 0xFFFFFFFFU;
}

TEST(Crc32c, GivesTheChecksumsOfTheStandard) {
  EXPECT_EQ(Crc32c(""), 0U);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720 appendix B.4
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
}

TEST(Crc32c, WithAndWithoutTheInstructionAgreeForEachLengthAndAlignment) {
  std::string text;
  for (unsigned i = 0; i < 100; ++i) {
    text += static_cast<char>(static_cast<unsigned char>(i * 37 + 11));
  }
  for (std::size_t start = 0; start < 9; ++start) {
    for (std::size_t length = 0; length + start <= text.size(); ++length) {
      const std::string_view bytes = std::string_view(text).substr(start, length);
      const std::uint32_t expected = Reference(bytes);
      ASSERT_EQ(Crc32c(bytes), expected) << start << ' ' << length;
      ASSERT_EQ(Crc32cByTable(bytes), expected) << start << ' ' << length;
    }
  }
}

}  // namespace
}  // namespace packhorse
