#include "format/text/escape.h"

#include <gtest/gtest.h>

#include <string>

namespace packhorse::format {
namespace {

TEST(Xml, MarkupAndWhiteSpaceAreReferences) {
  std::string out = "x";
  EXPECT_TRUE(AppendXml(out, "<a b=\"1\" c='ü'>&\t\r\n \xF0\x9F\x90\xB4"));
  EXPECT_EQ(out, "x&lt;a b=&quot;1&quot; c=&apos;ü&apos;&gt;&amp;&#9;&#13;&#10; \xF0\x9F\x90\xB4");
}

TEST(Xml, WhatXmlCannotCarryIsRefused) {
  for (const std::string& text : {std::string(1, '\0'), std::string("\x1b"), std::string("\xEF\xBF\xBE"),
                                  std::string("\xEF\xBF\xBF"), std::string("\xff"), std::string("\xC3")}) {
    std::string out = "x";
    EXPECT_FALSE(AppendXml(out, "good " + text));
    EXPECT_EQ(out, "x");
  }
}

TEST(Backslashed, OnlyTheSpecialGetOne) {
  std::string out;
  AppendBackslashed(out, "a b,=", " ,");
  AppendBackslashed(out, "", " ,");
  AppendBackslashed(out, ",", " ,");
  EXPECT_EQ(out, "a\\ b\\,=\\,");
}

}  // namespace
}  // namespace packhorse::format
