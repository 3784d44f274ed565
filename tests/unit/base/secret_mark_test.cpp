#include "base/secret_mark.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace packhorse {
namespace {

class SecretMarks : public testing::Test {
 protected:
  Result<std::string> Fill(const std::string& text) const {
    return FillSecrets(text, [this](std::string_view name) -> const std::string* {
      const auto found = values_.find(name);
      return found == values_.end() ? nullptr : &found->second;
    });
  }

  std::map<std::string, std::string, std::less<>> values_{{"token", "a/b c"}, {"line", "two\nlines"}};
};

TEST_F(SecretMarks, TheValueIsEscapedForItsPlace) {
  EXPECT_EQ(*Fill("/v1/" + SecretMark(MarkPlace::kPath, "token") + "/x"), "/v1/a%2Fb%20c/x");
  EXPECT_EQ(*Fill("?k=" + SecretMark(MarkPlace::kQuery, "token")), "?k=a%2Fb%20c");
  EXPECT_EQ(*Fill("Token " + SecretMark(MarkPlace::kHeader, "token")), "Token a/b c");
}

TEST_F(SecretMarks, TextWithoutMarksStaysAsItIs) {
  EXPECT_FALSE(HasSecretMark("/v1/telemetry"));
  EXPECT_EQ(*Fill("/v1/telemetry"), "/v1/telemetry");
}

TEST_F(SecretMarks, AValueThatIsMissingOrThatAHeaderCannotCarryIsNamedAndNotShown) {
  const auto missing = Fill(SecretMark(MarkPlace::kHeader, "other"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  const auto lines = Fill(SecretMark(MarkPlace::kHeader, "line"));
  ASSERT_FALSE(lines);
  EXPECT_NE(lines.error().message.find("'line'"), std::string::npos);
  EXPECT_EQ(lines.error().message.find("two"), std::string::npos);
}

TEST_F(SecretMarks, AValueThatWouldLeadToAnotherPathIsRefused) {
  values_["token"] = "..";
  EXPECT_FALSE(Fill(SecretMark(MarkPlace::kPath, "token")));
  EXPECT_EQ(*Fill(SecretMark(MarkPlace::kQuery, "token")), "..");
}

TEST_F(SecretMarks, WhatIsShownHasStarsForEachMark) {
  const std::string text = "a" + SecretMark(MarkPlace::kPath, "token") + "b" + SecretMark(MarkPlace::kQuery, "x");
  EXPECT_TRUE(HasSecretMark(text));
  EXPECT_EQ(MaskSecretMarks(text), "a***b***");
}

}  // namespace
}  // namespace packhorse
