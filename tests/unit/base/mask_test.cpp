#include "base/mask.h"

#include <gtest/gtest.h>

#include <string>

namespace packhorse {
namespace {

// What is remembered stays so for the whole test program: each test has secrets of its own.

TEST(MaskSecrets, LeavesTextsWithoutOneAlone) {
  RememberSecret("leaves-alone-8f3a");
  EXPECT_EQ(MaskSecrets(""), "");
  EXPECT_EQ(MaskSecrets("HTTP 401 Unauthorized"), "HTTP 401 Unauthorized");
  EXPECT_EQ(MaskSecrets("leaves-alone"), "leaves-alone") << "a mere part";
}

class Encoded : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Encoded, IsFoundInEveryForm) {
  RememberSecret("s3cr/et \"Key\"+~9");
  EXPECT_EQ(MaskSecrets(std::string("before ") + GetParam().first + " after"),
            std::string("before ") + GetParam().second + " after");
}
INSTANTIATE_TEST_SUITE_P(
    All, Encoded,
    ::testing::Values(
        std::pair("s3cr/et \"Key\"+~9", "***"), std::pair("S3CR/ET \"KEY\"+~9", "***"),
        std::pair("xs3cr/et \"Key\"+~9x", "x***x"), std::pair(R"(s3cr/et \"Key\"+~9)", "***"),
        std::pair(R"(s3cr\/et \"Key\"+~9)", "***"), std::pair("s3cr%2Fet%20%22Key%22%2B~9", "***"),
        std::pair("s3cr%2fet%20%22Key%22%2b~9", "***"), std::pair("733363722f657420224b6579222b7e39", "***"),
        std::pair("73:33:63:72:2f:65:74:20:22:4b:65:79:22:2b:7e:39", "***"),
        std::pair("73 33 63 72 2f 65 74 20 22 4b 65 79 22 2b 7e 39", "***"),
        std::pair("733363722F657420224B6579222B7E39", "***"),
        // as browsers, Go, Python and PHP write it, each of which escapes other characters
        std::pair("s3cr/et%20%22Key%22+~9", "***"), std::pair("s3cr%2Fet+%22Key%22%2B%7E9", "***"),
        std::pair(R"(s3cr/et \u0022Key\u0022\u002b~9)", "***"),
        std::pair(R"(\u0073\u0033\u0063\u0072\u002F\u0065\u0074 \u0022Key\u0022+~9)", "***"),
        std::pair("s3cr/et &quot;Key&quot;&#43;~9", "***"), std::pair("s3cr&#x2F;et &#34;Key&#34;+~9", "***"),
        std::pair("%7333cr/et%20%22Key%22+~9", "%7333cr/et%20%22Key%22+~9"),
        std::pair(R"(\x733cr/et \x22Key\x22+~9)", "***"), std::pair("s3cr=2Fet =22Key=22+~9", "***"),
        // one within the other
        std::pair("s3cr%252Fet%2520%2522Key%2522%252B~9", "***"),
        std::pair(R"(s3cr\u00252Fet%20\u0026quot;Key&amp;quot;+~9)", "***"),
        std::pair(R"(\\\"s3cr\\\/et \\\"Key\\\"+~9\\\")", R"(\\\"***\\\")"),
        // over several lines
        std::pair("s3cr/et \"K\r\n ey\"+~9", "***"), std::pair("s3cr/e\\nt \"Key\"+~9", "***"),
        std::pair("czNjci9ldCAi\r\nS2V5Iit+OQ==", "***Q=="), std::pair("czNjci9ldCAiS2V5Iit%2BOQ==", "***Q=="),
        // base64 of the secret, of "u:" and of "user:" before it
        std::pair("czNjci9ldCAiS2V5Iit+OQ==", "***Q=="), std::pair("dTpzM2NyL2V0ICJLZXkiK345", "dTp***"),
        std::pair("dXNlcjpzM2NyL2V0ICJLZXkiK345", "dXNlcjp***"), std::pair("eHgzM2Nyx", "eHgzM2Nyx")));

TEST(MaskSecrets, FindsSeveralAndThoseThatOverlap) {
  RememberSecret("overlapping-one");
  RememberSecret("one-and-another");
  EXPECT_EQ(MaskSecrets("a overlapping-one-and-another b one-and-another"), "a *** b ***");
}

TEST(MaskSecrets, FindsTheBeginningOfOneThatWasCut) {
  RememberSecret("beginning-of-a-token");
  EXPECT_EQ(MaskSecretsAndPieces("your token is beginning-of"), "your token is ***");
  EXPECT_EQ(MaskSecretsAndPieces("your token is beginni"), "your token is beginni") << "as likely a word";
}

TEST(MaskSecrets, ShortOneOnlyAsAWordOfItsOwn) {
  RememberSecret("q7x");
  EXPECT_EQ(MaskSecrets("key q7x is wrong, q7x! q7xy aq7x"), "key *** is wrong, ***! q7xy aq7x");
}

TEST(MaskSecrets, KnowsOldOnesUntilManyCameAfterThem) {
  RememberSecret("rotated-away-0001");
  for (int i = 0; i < 255; ++i) {
    RememberSecret("filler-of-the-memory-" + std::to_string(i));
  }
  EXPECT_EQ(MaskSecrets("rotated-away-0001"), "***");
  RememberSecret("rotated-away-0001");
  RememberSecret("one-more-of-them");
  EXPECT_EQ(MaskSecrets("rotated-away-0001"), "***");
  for (int i = 0; i < 256; ++i) {
    RememberSecret("second-filler-of-the-memory-" + std::to_string(i));
  }
  EXPECT_EQ(MaskSecrets("rotated-away-0001"), "rotated-away-0001");
}

TEST(MaskSecrets, TellsHowLongAFormMayBe) {
  RememberSecret(std::string(5'000, '/'));
  EXPECT_GE(LongestSecretForm(), 15'000U);
}

}  // namespace
}  // namespace packhorse
