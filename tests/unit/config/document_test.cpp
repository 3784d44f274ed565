#include "document/document.h"

#include "config_fixture.h"

namespace packhorse::config {
namespace {

// A text that is no document, and what is said about it.
struct Broken {
  const char* name;
  std::string text;
  const char* message;
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

class BrokenTextTest : public testing::TestWithParam<Broken> {};

TEST_P(BrokenTextTest, IsOneClearErrorForTheWholeFile) {
  const Loaded loaded = Parse(GetParam().text, "f.json");
  EXPECT_FALSE(loaded.ok());
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems[0].path, "");
  const std::string line = document::Describe(loaded.problems[0]);
  EXPECT_NE(line.find(GetParam().message), std::string::npos) << line;
  EXPECT_EQ(line.find("hunter2"), std::string::npos) << "shows what may be a secret: " << line;
}

const std::vector<Broken> kBroken = {
    {"Empty", "", "f.json: is empty"},
    {"OnlySpace", " \n\t\r\n ", "is empty"},
    {"OnlyAComment", "// nothing\n", "the text ends too early"},
    {"ByteOrderMark", "\xEF\xBB\xBF{}", "line 1, column 1: starts with a byte order mark"},
    {"Utf16", std::string("\xFF\xFE{\0}\0", 6), "is UTF-16"},
    {"NulByte", std::string("{\n \"a\": \0 1}", 12), "line 2, column 7: holds a NUL byte"},
    {"NotUtf8", "{\n  \"a\": \"M\xFCller\"}", "line 2, column 10: is not valid UTF-8"},
    {"Unclosed", "{\n \"a\": {", "line 2, column 8: not valid JSON: the text ends too early"},
    {"TrailingComma", "{\n \"a\": 1,\n}",
     "line 3, column 1: not valid JSON: there must be no comma before a closing bracket"},
    {"MissingComma", "{\n \"a\": 1\n \"b\": 2}",
     "line 3, column 4: not valid JSON: a comma seems to be missing before this"},
    {"SingleQuotes", "{'a': 1}", "line 1, column 2: not valid JSON: text stands in double quotes"},
    {"TrailingGarbage", "{}\n{}", "line 2, column 1: not valid JSON"},
    {"UnclosedStringHoldsASecret", "{\"token\": \"hunter2\n}", "line 1, column 19: not valid JSON"},
    {"WordHoldsASecret", "{\"token\": hunter2}", "line 1, column"},
    {"SecretThatLooksLikeAnExplanation", "{\"token\": \"; expected hunter2\n}", "not valid JSON"},
    {"NumberTooLarge", "{\"a\": 1e999}", "a number is too large"},
    {"LoneSurrogate", "{\"a\": \"\\ud800\"}", "not valid JSON"},
    {"Levels", std::string(33, '['), "nested deeper than 32 levels"},
    {"HugeNesting", std::string(500'000, '['), "nested deeper than 32 levels"},
    {"ManyValues", "[" + Replace(std::string(50'000, 'x'), "x", "1,") + "1]", "more than 50000 values"},
    {"HalfAComment", "{} /", "not valid JSON"},
};
INSTANTIATE_TEST_SUITE_P(Texts, BrokenTextTest, testing::ValuesIn(kBroken), CaseName{});

TEST(Document, CommentsOfBothKindsAreSkipped) {
  const document::Document document = document::ParseDocument("// one\n{ /* two\n */ \"a\": 1 // three\n}\n");
  ASSERT_FALSE(document.problem);
  EXPECT_EQ(document.root["a"].integer, 1);
}

TEST(Document, ThirtyTwoLevelsAreAccepted) {
  EXPECT_FALSE(document::ParseDocument(std::string(32, '[') + std::string(32, ']')).problem);
}

TEST(Document, ValuesKnowTheirLine) {
  const document::Document document = document::ParseDocument("{\n\"a\": 1,\n\n\"b\":\n \"x\", \"c\": [\n2]\n}");
  ASSERT_FALSE(document.problem);
  EXPECT_EQ(document.root.line, 1U);
  EXPECT_EQ(document.root["a"].line, 2U);
  EXPECT_EQ(document.root["b"].line, 5U);
  EXPECT_EQ(document.root["c"].line, 5U);
  EXPECT_EQ(document.root["c"].items.at(0).line, 6U);
}

TEST(Document, ASecondMemberOfTheSameNameIsMarked) {
  const document::Document document = document::ParseDocument(R"({"a": 1, "b": {"a": 2}, "a": 3})");
  ASSERT_EQ(document.root.members.size(), 3U);
  EXPECT_FALSE(document.root.members[0].duplicate);
  EXPECT_TRUE(document.root.members[2].duplicate);
  EXPECT_FALSE(document.root["b"].members.at(0).duplicate);
  EXPECT_EQ(document.root["a"].integer, 1);
}

TEST(Document, NumbersKeepTheirKindAndText) {
  const document::Document document =
      document::ParseDocument("[9223372036854775807, 9223372036854775808, -1, 1.50, 2e0]");
  ASSERT_FALSE(document.problem);
  EXPECT_EQ(document.root.items[0].integer, 9223372036854775807LL);
  EXPECT_EQ(document.root.items[1].kind, document::Node::Kind::kNumber);
  EXPECT_EQ(document.root.items[1].text, "9223372036854775808");
  EXPECT_EQ(document.root.items[2].integer, -1);
  EXPECT_EQ(document.root.items[3].text, "1.50");
  EXPECT_EQ(document.root.items[4].kind, document::Node::Kind::kNumber);
}

TEST(Document, DisplayShowsNothingOfAHiddenValue) {
  document::Node node;
  node.kind = document::Node::Kind::kString;
  node.text = "a\tb\"c";
  EXPECT_EQ(document::Display(node), R"("a\u0009b\"c")");
  node.hidden = true;
  EXPECT_EQ(document::Display(node), "(not shown)");
}

}  // namespace
}  // namespace packhorse::config
