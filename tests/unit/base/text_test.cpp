#include "base/text.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <string>

namespace packhorse {
namespace {

std::string Shown(std::string_view text, std::string_view also = "") {
  std::string out;
  AppendPrintable(out, text, also);
  return out;
}

TEST(Text, WhatOnlyShowsStaysAsItIs) {
  EXPECT_EQ(Shown("temperature 21,5 \xC2\xB0"
                  "C \xE2\x82\xAC \xF0\x9F\x90\xB4 \"\\"),
            "temperature 21,5 \xC2\xB0"
            "C \xE2\x82\xAC \xF0\x9F\x90\xB4 \"\\");
  EXPECT_EQ(Shown(""), "");
}

TEST(Text, ControlCharactersAreEscaped) {
  EXPECT_EQ(Shown("a\nb\tc\rd\x1b[31me\x7f\xc2\x9b"), "a\\nb\\tc\\rd\\x1b[31me\\x7f\\x9b");
  EXPECT_EQ(Shown(std::string_view("\0", 1)), "\\x00");
}

TEST(Text, SeparatorsAndDirectionMarksAreEscaped) {
  EXPECT_EQ(Shown("a\xE2\x80\xA8"
                  "b\xE2\x80\xAE"
                  "c\xE2\x81\xA6"),
            "a\\u2028b\\u202ec\\u2066");
}

TEST(Text, BytesThatAreNoUtf8AreReplacedOneByOne) {
  EXPECT_EQ(Shown("a\xFF\xC3"
                  "b"),
            "a\xEF\xBF\xBD\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(Shown("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "half a character at the end";
  EXPECT_EQ(Shown("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
}

TEST(Text, OtherCharactersGetABackslashOnDemand) { EXPECT_EQ(Shown("say \"a\\b\"", "\"\\"), "say \\\"a\\\\b\\\""); }

TEST(Text, FirstCharacterNamesItsCodePoint) {
  EXPECT_EQ(FirstCharacter("a").point, 0x61U);
  EXPECT_EQ(FirstCharacter("\xC3\xA9z").point, 0xE9U);
  EXPECT_EQ(FirstCharacter("\xE2\x82\xAC").point, 0x20ACU);
  EXPECT_EQ(FirstCharacter("\xF0\x9F\x90\xB4").point, 0x1F434U);
  EXPECT_FALSE(FirstCharacter("\x80").valid);
}

TEST(Text, ClassesOfCharactersAreThoseOfAscii) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    EXPECT_EQ(IsAlnum(c), byte < 128 && std::isalnum(byte) != 0) << byte;
    EXPECT_EQ(IsControl(c), byte < 32 || byte == 127) << byte;
    EXPECT_EQ(Lower(c), byte < 128 ? static_cast<char>(std::tolower(byte)) : c) << byte;
  }
}

TEST(Text, TokensAreNamesOfHeaders) {
  EXPECT_TRUE(IsToken("X-Api_Key.2"));
  for (const char* text : {"", "a b", "a:", "a\n", "\xC3\xBC", "(a)"}) {
    EXPECT_FALSE(IsToken(text)) << text;
  }
}

TEST(Text, TextsAreJoined) {
  EXPECT_EQ(Join({}), "");
  EXPECT_EQ(Join({"a"}), "a");
  EXPECT_EQ(Join({"a", "b", "c"}), "a, b, c");
  EXPECT_EQ(Join({"a", "b"}, " or "), "a or b");
}

TEST(Text, ANumberIsTheWholeText) {
  unsigned number = 7;
  EXPECT_TRUE(ReadNumber("042", number));
  EXPECT_EQ(number, 42U);
  for (const char* text : {"", " 1", "1 ", "1.5", "-1", "+1", "4294967296", "x"}) {
    EXPECT_FALSE(ReadNumber(text, number)) << text;
  }
}

TEST(IsValidUtf8, TheBoundsOfRfc3629) {
  for (const char* text : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "M\xC3\xBCller \xE2\x82\xAC"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
  EXPECT_TRUE(IsValidUtf8(std::string_view("\0", 1)));
  const std::array<const char*, 17> bad = {"\x80",
                                           "\xBF",
                                           "\xC0\x80",
                                           "\xC1\xBF",
                                           "\xC2",
                                           "\xC2\x41",
                                           "\xE0\x9F\xBF",
                                           "\xE2\x82",
                                           "\xE2\x28\xA1",
                                           "\xED\xA0\x80",
                                           "\xED\xBF\xBF",
                                           "\xF0\x8F\xBF\xBF",
                                           "\xF0\x90\x80",
                                           "\xF4\x90\x80\x80",
                                           "\xF5\x80\x80\x80",
                                           "\xFE",
                                           "a\xFF"};
  for (const char* text : bad) {
    EXPECT_FALSE(IsValidUtf8(text)) << testing::PrintToString(std::string(text));
  }
}

TEST(Utf8, ThePrefixEndsWhereACharacterDoes) {
  EXPECT_EQ(Utf8PrefixBytes(""), 0U);
  EXPECT_EQ(Utf8PrefixBytes("a\xC3\xBC\n"), 4U);
  EXPECT_EQ(Utf8PrefixBytes("a\xC3\xBC\xE2\x82"), 3U);
  EXPECT_EQ(Utf8PrefixBytes("a\n\xFF"
                            "b"),
            2U);
}

TEST(Utf8, WhatIsAppendedIsReadBack) {
  for (const std::uint32_t point : {0x01U, 0x7FU, 0x80U, 0x7FFU, 0x800U, 0xFFFDU, 0x1'0000U, 0x10'FFFFU}) {
    std::string text;
    AppendUtf8(text, point);
    EXPECT_EQ(FirstCharacter(text).point, point);
    EXPECT_EQ(FirstCharacter(text).bytes, text.size());
  }
}

TEST(SameText, IsWhatTheOperatorSaysOfTextsOfAnyLength) {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string text = std::string("abcdefghijklmnopqrstuvwxyz0123456789ABCDEF").substr(0, size);
    EXPECT_TRUE(SameText(text, std::string(text)));
    EXPECT_FALSE(SameText(text, text + 'x'));
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = '\xFF';
      EXPECT_FALSE(SameText(text, other)) << other;
    }
  }
}

}  // namespace
}  // namespace packhorse
