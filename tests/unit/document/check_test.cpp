#include "document/check.h"

#include <gtest/gtest.h>

#include <string>

namespace packhorse::document {
namespace {

// What a check says of a text: one line for each problem.
std::string Check(const std::string& schema, const std::string& text, Node* checked = nullptr) {
  const Document rules = ParseDocument(schema);
  const Document document = ParseDocument(text);
  Problems problems("a.json");
  const Node root = CheckAgainstSchema(document.root, Schema(rules.root, rules.root), problems);
  if (checked != nullptr) {
    *checked = root;
  }
  std::string lines;
  for (const Problem& problem : problems.Take()) {
    lines += Describe(problem) + "\n";
  }
  return lines;
}

TEST(Check, APlaceWithoutTypeTakesAnythingAndKeepsItsPlaces) {
  Node root;
  EXPECT_EQ(Check(R"({"type":"object","properties":{"body":{}}})", R"({"body":{"a/b":[1,{"c":null}]}})", &root), "");
  const Node& list = root["body"]["a/b"];
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_EQ(list.items[0].pointer, "/body/a~1b/0");
  EXPECT_EQ(list.items[1]["c"].pointer, "/body/a~1b/1/c");
}

TEST(Check, OfKeysThatExcludeEachOtherExactlyOneIsTaken) {
  const std::string schema = R"({"type":"object","x-one-of":["a","b"],"properties":{"a":{},"b":{}}})";
  EXPECT_EQ(Check(schema, R"({"a":1})"), "");
  EXPECT_NE(Check(schema, "{}").find("says none of a, b"), std::string::npos);
  EXPECT_NE(Check(schema, R"({"a":1,"b":2})").find("says more than one of a, b"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::document
