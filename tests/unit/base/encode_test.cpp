#include "base/encode.h"

#include <gtest/gtest.h>

#include <string>

namespace packhorse {
namespace {

TEST(Hex, TwoDigitsForEachByte) {
  EXPECT_EQ(Hex(""), "");
  EXPECT_EQ(Hex(std::string("\0\x7F\xFF", 3)), "007fff");
  EXPECT_EQ(Hex("abc", ":"), "61:62:63");
}

TEST(Base64, TheVectorsOfRfc4648) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
  EXPECT_EQ(Base64("foob"), "Zm9vYg==");
  EXPECT_EQ(Base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64("\xFB\xFF\xBE"), "+/++");
}

TEST(PercentEncode, OnlyUnreservedBytesStayAsTheyAre) {
  EXPECT_EQ(PercentEncode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncode("a/b c+d"), "a%2Fb%20c%2Bd");
  EXPECT_EQ(PercentEncode("\xC3\xBC%"), "%C3%BC%25");
}

}  // namespace
}  // namespace packhorse
