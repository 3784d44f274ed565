#include "base/text.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace packhorse
