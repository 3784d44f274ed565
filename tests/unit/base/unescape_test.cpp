#include "base/unescape.h"

#include <gtest/gtest.h>

namespace packhorse {
namespace {

std::string Undone(std::string_view text) {
  Unescaped seen(text);
  seen.Next();
  return seen.text();
}

TEST(Unescaped, UndoesWhatUrlsJsonAndHtmlWrite) {
  EXPECT_EQ(Undone("%41%2f%2F=42"), "A//B");
  EXPECT_EQ(Undone(R"(\u0041\u00e9\u20ac\x42\"\/\\\n)"),
            "A\xC3\xA9\xE2\x82\xAC"
            "B\"/\\");
  EXPECT_EQ(Undone("&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&#X1F600;"), "&<>\"'AB\xF0\x9F\x98\x80");
  EXPECT_EQ(Undone("%E9%C3%A9"), "\xE9\xC3\xA9") << "bytes, whatever they are of";
}

TEST(Unescaped, LeavesWhatIsNoEscape) {
  for (const char* text : {"100%", "%4", "%zz", "\\", "\\u12", "\\u12g4", "\\q", "&", "&#;", "&#x;", "&#1114112;",
                           "&nbsp;", "&#65", "&#99999999999;", "="}) {
    Unescaped seen(text);
    EXPECT_FALSE(seen.Next()) << text;
    EXPECT_EQ(seen.text(), text);
  }
}

TEST(Unescaped, KnowsWhichPartOfTheTextACharacterStandsFor) {
  Unescaped seen("a %2541\tb");
  EXPECT_EQ(seen.text(), "a%2541b");
  ASSERT_TRUE(seen.Next());
  EXPECT_EQ(seen.text(), "a%41b");
  ASSERT_TRUE(seen.Next());
  EXPECT_EQ(seen.text(), "aAb");
  EXPECT_EQ(seen.Origin(1, 1), (std::pair<std::size_t, std::size_t>(2, 7)));
  EXPECT_EQ(seen.Origin(0, 3), (std::pair<std::size_t, std::size_t>(0, 9)));
  EXPECT_FALSE(seen.Next());
}

TEST(Unescaped, EmptyTextHasNothing) {
  Unescaped seen("\r\n ");
  EXPECT_FALSE(seen.Next());
  EXPECT_EQ(seen.text(), "");
}

}  // namespace
}  // namespace packhorse
