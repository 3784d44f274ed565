#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "auth/authorizer.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::auth {
namespace {

using Kind = SecretSource::Kind;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// Two secret files, `current` and `next`, written as the test goes.
class Rotation : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& value) { test::WriteAll(dir_ / name, value + "\n", 0600); }
  void Remove(const std::string& name) { unlink((dir_ / name).c_str()); }
  // `secret` is what the scheme calls it.
  AuthOptions Options(const std::string& scheme, const std::string& secret) {
    AuthOptions options;
    options.scheme = scheme;
    options.secrets[secret] = {{Kind::kFile, dir_ / "current"}, {Kind::kFile, dir_ / "next"}};
    return options;
  }
  AuthOptions Bearer() { return Options("bearer", "token"); }
  std::unique_ptr<Authorizer> Make(const AuthOptions& options) {
    auto made = Authorizer::Make(options);
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(made).value() : nullptr;
  }
  static Pairs HeadersOf(Authorizer& authorizer) {
    const auto made = authorizer.Authorize({}, WallTime{}, MonoTime{});
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->headers : Pairs();
  }
  static std::string Token(Authorizer& authorizer) {
    return HeadersOf(authorizer).at(0).second.substr(std::string("Bearer ").size());
  }

  test::TempDir dir_;
};

TEST_F(Rotation, NoAuthenticationAddsNoHeader) {
  const auto authorizer = Make({});
  EXPECT_TRUE(HeadersOf(*authorizer).empty());
  EXPECT_FALSE(authorizer->TryOther());
  const Result<bool> changed = authorizer->Refresh();
  ASSERT_TRUE(changed);
  EXPECT_FALSE(*changed);
}

TEST_F(Rotation, BearerGivesAuthorization) {
  Write("current", "abc.def");
  EXPECT_EQ(HeadersOf(*Make(Bearer())), (Pairs{{"Authorization", "Bearer abc.def"}}));
}

TEST_F(Rotation, BasicEncodesUserAndPassword) {
  Write("current", "open sesame");
  AuthOptions options = Options("basic", "password");
  options.parameters["username"] = "Aladdin";
  // The example of RFC 7617 section 2.
  EXPECT_EQ(HeadersOf(*Make(options)), (Pairs{{"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}}));
}

TEST_F(Rotation, HeaderCarriesTheValueAsItIs) {
  Write("current", "key with blanks inside");
  AuthOptions options = Options("header", "value");
  options.parameters["header"] = "X-Api-Key";
  EXPECT_EQ(HeadersOf(*Make(options)), (Pairs{{"X-Api-Key", "key with blanks inside"}}));
}

TEST_F(Rotation, HeaderNameThatIsNoneOrBelongsToTheFramingIsRefused) {
  Write("current", "v");
  AuthOptions options = Options("header", "value");
  for (const char* name : {"", "a b", "a:b", "X-\r\nEvil", "Host", "content-LENGTH", "Transfer-Encoding", "Expect"}) {
    options.parameters["header"] = name;
    EXPECT_EQ(Authorizer::Make(options).error().code, ErrorCode::kInvalidArgument) << name;
  }
}

TEST_F(Rotation, UserNameWithColonOrControlCharacterIsRefused) {
  Write("current", "v");
  AuthOptions options = Options("basic", "password");
  for (const std::string& name : {std::string("a:b"), std::string("a\nb"), std::string(4097, 'u')}) {
    options.parameters["username"] = name;
    EXPECT_EQ(Authorizer::Make(options).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(Rotation, ValueThatCannotTravelIsRefusedWithoutBeingShown) {
  for (const std::string& value : {std::string("tok en-77"), std::string(" tok-77"), std::string("tok-77\t\x01")}) {
    Write("current", value);
    const auto made = Authorizer::Make(Bearer());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(made.error().message.find("77"), std::string::npos) << made.error().message;
    EXPECT_NE(made.error().message.find(dir_ / "current"), std::string::npos) << made.error().message;
  }
}

TEST_F(Rotation, MissingCurrentIsAnErrorAndMissingNextIsNot) {
  EXPECT_EQ(Authorizer::Make(Bearer()).error().code, ErrorCode::kNotFound);
  Write("current", "a");
  EXPECT_EQ(Token(*Make(Bearer())), "a");
}

TEST_F(Rotation, UnsafeNextIsAnError) {
  Write("current", "a");
  test::WriteAll(dir_ / "next", "b", 0644);
  const auto made = Authorizer::Make(Bearer());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(Rotation, RefusalTriesTheOtherOnceUntilASuccess) {
  Write("current", "a");
  Write("next", "b");
  const auto authorizer = Make(Bearer());
  EXPECT_TRUE(authorizer->TryOther());
  EXPECT_EQ(Token(*authorizer), "b");
  EXPECT_FALSE(authorizer->TryOther());
  authorizer->Succeeded();
  EXPECT_EQ(Token(*authorizer), "b");
  EXPECT_TRUE(authorizer->TryOther());
  EXPECT_EQ(Token(*authorizer), "a");
}

TEST_F(Rotation, WithoutAnotherSecretThereIsNothingToTry) {
  Write("current", "a");
  EXPECT_FALSE(Make(Bearer())->TryOther());
  Write("next", "a");
  EXPECT_FALSE(Make(Bearer())->TryOther());
}

TEST_F(Rotation, RefreshTakesAChangedFile) {
  Write("current", "a");
  const auto authorizer = Make(Bearer());
  EXPECT_FALSE(*Make(Bearer())->Refresh());
  Write("current", "a2");
  const Result<bool> changed = authorizer->Refresh();
  ASSERT_TRUE(changed);
  EXPECT_TRUE(*changed);
  EXPECT_EQ(Token(*authorizer), "a2");
}

TEST_F(Rotation, RefreshThatCannotReadKeepsTheValueInUse) {
  Write("current", "a");
  const auto authorizer = Make(Bearer());
  Remove("current");
  EXPECT_EQ(authorizer->Refresh().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Token(*authorizer), "a");
  test::WriteAll(dir_ / "current", "a3", 0644);
  EXPECT_EQ(authorizer->Refresh().error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(Token(*authorizer), "a");
}

TEST_F(Rotation, NextThatAppearsLaterIsTriedAfterARefusal) {
  Write("current", "a");
  const auto authorizer = Make(Bearer());
  EXPECT_FALSE(authorizer->TryOther());
  Write("next", "b");
  EXPECT_TRUE(*authorizer->Refresh());
  EXPECT_EQ(Token(*authorizer), "b");  // "a" was refused, so the new one is used at once
}

TEST_F(Rotation, NewNextDoesNotReplaceASecretThatWorks) {
  Write("current", "a");
  const auto authorizer = Make(Bearer());
  authorizer->Succeeded();
  Write("next", "b");
  EXPECT_TRUE(*authorizer->Refresh());
  EXPECT_EQ(Token(*authorizer), "a");
}

TEST_F(Rotation, BothRefusedAndCurrentMendedIsUsedAtOnce) {
  Write("current", "a");
  Write("next", "b");
  const auto authorizer = Make(Bearer());
  EXPECT_TRUE(authorizer->TryOther());
  EXPECT_FALSE(authorizer->TryOther());
  Write("current", "good");
  EXPECT_TRUE(*authorizer->Refresh());
  EXPECT_EQ(Token(*authorizer), "good");
}

TEST_F(Rotation, FullRotationEndsWithNextRemovedAndNoGap) {
  Write("current", "old");
  Write("next", "new");
  const auto authorizer = Make(Bearer());
  authorizer->Succeeded();
  ASSERT_TRUE(authorizer->TryOther());  // the cloud stopped accepting "old"
  authorizer->Succeeded();
  Write("current", "new");
  Remove("next");
  const Result<bool> refreshed = authorizer->Refresh();
  ASSERT_TRUE(refreshed) << refreshed.error().message;
  EXPECT_EQ(Token(*authorizer), "new");
  EXPECT_FALSE(authorizer->TryOther());
}

TEST_F(Rotation, NextInUseThatVanishesIsKeptAndReported) {
  Write("current", "old");
  Write("next", "new");
  const auto authorizer = Make(Bearer());
  ASSERT_TRUE(authorizer->TryOther());
  Remove("next");
  EXPECT_EQ(authorizer->Refresh().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Token(*authorizer), "new");
}

TEST_F(Rotation, GenerationTellsWhichSecretIsInUse) {
  Write("current", "old");
  Write("next", "new");
  const auto authorizer = Make(Bearer());
  const std::uint64_t old = authorizer->generation();
  EXPECT_EQ(authorizer->generation(), old);
  ASSERT_TRUE(authorizer->TryOther());
  const std::uint64_t fresh = authorizer->generation();
  EXPECT_NE(fresh, old);
  Write("current", "new");  // the end of the rotation: the same secret in the other place
  ASSERT_TRUE(authorizer->Refresh());
  EXPECT_EQ(Token(*authorizer), "new");
  EXPECT_EQ(authorizer->generation(), fresh);
  Write("current", "newer");
  Remove("next");
  ASSERT_TRUE(authorizer->Refresh());
  EXPECT_NE(authorizer->generation(), fresh);
}

}  // namespace
}  // namespace packhorse::auth
