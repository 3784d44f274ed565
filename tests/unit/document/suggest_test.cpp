#include "document/suggest.h"

#include <gtest/gtest.h>

namespace packhorse::document {
namespace {

const std::vector<std::string> kKnown = {"name",     "urls",   "client_id", "username",
                                         "password", "topics", "max_bytes", "ca"};

TEST(Nearest, OneOrTwoLettersOffAreFound) {
  EXPECT_EQ(Nearest("nmae", kKnown), "name");
  EXPECT_EQ(Nearest("url", kKnown), "urls");
  EXPECT_EQ(Nearest("topic", kKnown), "topics");
  EXPECT_EQ(Nearest("pasword", kKnown), "password");
  EXPECT_EQ(Nearest("usernmae", kKnown), "username");
}

TEST(Nearest, CapitalsDashesAndUnderscoresDoNotCount) {
  EXPECT_EQ(Nearest("clientId", kKnown), "client_id");
  EXPECT_EQ(Nearest("CLIENT-ID", kKnown), "client_id");
  EXPECT_EQ(Nearest("maxbytes", kKnown), "max_bytes");
}

TEST(Nearest, ABeginningIsFound) {
  EXPECT_EQ(Nearest("pass", kKnown), "password");
  EXPECT_EQ(Nearest("user", kKnown), "username");
}

TEST(Nearest, OtherWordsAreNotFound) {
  EXPECT_EQ(Nearest("port", kKnown), "");
  EXPECT_EQ(Nearest("", kKnown), "");
  EXPECT_EQ(Nearest("cb", kKnown), "");
  EXPECT_EQ(Nearest("zzzzzz", kKnown), "");
  EXPECT_EQ(Nearest(std::string(100'000, 'n'), kKnown), "");
  EXPECT_EQ(Nearest("name", {}), "");
}

TEST(Nearest, TheNearestOfSeveralWins) { EXPECT_EQ(Nearest("streams", {"streems2", "stream", "straems"}), "stream"); }

TEST(List, OfManyTheFirstFewAreShown) {
  EXPECT_EQ(List({}), "");
  EXPECT_EQ(List({"a", "b"}), "a, b");
  const std::string many = List(std::vector<std::string>(30, "x"));
  EXPECT_NE(many.find(", and 6 more"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::document
