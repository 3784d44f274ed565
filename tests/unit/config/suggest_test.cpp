#include "config/suggest.h"

#include <gtest/gtest.h>

namespace packhorse::config {
namespace {

const std::vector<std::string> kKeys = {"name",     "urls",   "client_id", "username",
                                        "password", "topics", "max_bytes", "ca"};

TEST(Nearest, OneOrTwoLettersOffAreFound) {
  EXPECT_EQ(Nearest("nmae", kKeys), "name");
  EXPECT_EQ(Nearest("url", kKeys), "urls");
  EXPECT_EQ(Nearest("topic", kKeys), "topics");
  EXPECT_EQ(Nearest("pasword", kKeys), "password");
  EXPECT_EQ(Nearest("usernmae", kKeys), "username");
}

TEST(Nearest, CapitalsDashesAndUnderscoresDoNotCount) {
  EXPECT_EQ(Nearest("clientId", kKeys), "client_id");
  EXPECT_EQ(Nearest("CLIENT-ID", kKeys), "client_id");
  EXPECT_EQ(Nearest("maxbytes", kKeys), "max_bytes");
}

TEST(Nearest, ABeginningIsFound) {
  EXPECT_EQ(Nearest("pass", kKeys), "password");
  EXPECT_EQ(Nearest("user", kKeys), "username");
}

TEST(Nearest, OtherWordsAreNotFound) {
  EXPECT_EQ(Nearest("port", kKeys), "");
  EXPECT_EQ(Nearest("", kKeys), "");
  EXPECT_EQ(Nearest("cb", kKeys), "");
  EXPECT_EQ(Nearest("zzzzzz", kKeys), "");
  EXPECT_EQ(Nearest(std::string(100'000, 'n'), kKeys), "");
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
}  // namespace packhorse::config
