#include "auth/credentials.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::auth {
namespace {

using Kind = SecretSource::Kind;
using Type = Options::Type;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// Two secret files, `current` and `next`, written as the test goes.
class Rotation : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& value) { test::WriteAll(dir_ / name, value + "\n", 0600); }
  void Remove(const std::string& name) { unlink((dir_ / name).c_str()); }
  Options Bearer() {
    Options options;
    options.type = Type::kBearer;
    options.current = {Kind::kFile, dir_ / "current"};
    options.next = {Kind::kFile, dir_ / "next"};
    return options;
  }
  std::unique_ptr<Credentials> Make(const Options& options) {
    auto made = MakeCredentials(options);
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(made).value() : nullptr;
  }
  static std::string Token(const Credentials& credentials) {
    return credentials.Headers().at(0).second.substr(std::string("Bearer ").size());
  }

  test::TempDir dir_;
};

TEST_F(Rotation, NoAuthenticationAddsNoHeader) {
  const auto credentials = Make({});
  EXPECT_TRUE(credentials->Headers().empty());
  EXPECT_FALSE(credentials->TryOther());
  const Result<bool> changed = credentials->Refresh();
  ASSERT_TRUE(changed);
  EXPECT_FALSE(*changed);
}

TEST_F(Rotation, BearerGivesAuthorization) {
  Write("current", "abc.def");
  EXPECT_EQ(Make(Bearer())->Headers(), (Pairs{{"Authorization", "Bearer abc.def"}}));
}

TEST_F(Rotation, BasicEncodesUserAndPassword) {
  Write("current", "open sesame");
  Options options = Bearer();
  options.type = Type::kBasic;
  options.username = "Aladdin";
  // The example of RFC 7617 section 2.
  EXPECT_EQ(Make(options)->Headers(), (Pairs{{"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}}));
}

TEST_F(Rotation, HeaderCarriesTheValueAsItIs) {
  Write("current", "key with blanks inside");
  Options options = Bearer();
  options.type = Type::kHeader;
  options.header = "X-Api-Key";
  EXPECT_EQ(Make(options)->Headers(), (Pairs{{"X-Api-Key", "key with blanks inside"}}));
}

TEST_F(Rotation, HeaderNameThatIsNoneOrBelongsToTheFramingIsRefused) {
  Write("current", "v");
  Options options = Bearer();
  options.type = Type::kHeader;
  for (const char* name : {"", "a b", "a:b", "X-\r\nEvil", "Host", "content-LENGTH", "Transfer-Encoding", "Expect"}) {
    options.header = name;
    EXPECT_EQ(MakeCredentials(options).error().code, ErrorCode::kInvalidArgument) << name;
  }
}

TEST_F(Rotation, UserNameWithColonOrControlCharacterIsRefused) {
  Write("current", "v");
  Options options = Bearer();
  options.type = Type::kBasic;
  for (const std::string& name : {std::string("a:b"), std::string("a\nb"), std::string(4097, 'u')}) {
    options.username = name;
    EXPECT_EQ(MakeCredentials(options).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(Rotation, ValueThatCannotTravelIsRefusedWithoutBeingShown) {
  for (const std::string& value : {std::string("tok en-77"), std::string(" tok-77"), std::string("tok-77\t\x01")}) {
    Write("current", value);
    const auto made = MakeCredentials(Bearer());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(made.error().message.find("77"), std::string::npos) << made.error().message;
    EXPECT_NE(made.error().message.find(dir_ / "current"), std::string::npos) << made.error().message;
  }
}

TEST_F(Rotation, MissingCurrentIsAnErrorAndMissingNextIsNot) {
  EXPECT_EQ(MakeCredentials(Bearer()).error().code, ErrorCode::kNotFound);
  Write("current", "a");
  EXPECT_EQ(Token(*Make(Bearer())), "a");
}

TEST_F(Rotation, UnsafeNextIsAnError) {
  Write("current", "a");
  test::WriteAll(dir_ / "next", "b", 0644);
  const auto made = MakeCredentials(Bearer());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(Rotation, RefusalTriesTheOtherOnceUntilASuccess) {
  Write("current", "a");
  Write("next", "b");
  const auto credentials = Make(Bearer());
  EXPECT_TRUE(credentials->TryOther());
  EXPECT_EQ(Token(*credentials), "b");
  EXPECT_FALSE(credentials->TryOther());
  credentials->Succeeded();
  EXPECT_EQ(Token(*credentials), "b");
  EXPECT_TRUE(credentials->TryOther());
  EXPECT_EQ(Token(*credentials), "a");
}

TEST_F(Rotation, WithoutAnotherSecretThereIsNothingToTry) {
  Write("current", "a");
  EXPECT_FALSE(Make(Bearer())->TryOther());
  Write("next", "a");
  EXPECT_FALSE(Make(Bearer())->TryOther());
}

TEST_F(Rotation, RefreshTakesAChangedFile) {
  Write("current", "a");
  const auto credentials = Make(Bearer());
  EXPECT_FALSE(*Make(Bearer())->Refresh());
  Write("current", "a2");
  const Result<bool> changed = credentials->Refresh();
  ASSERT_TRUE(changed);
  EXPECT_TRUE(*changed);
  EXPECT_EQ(Token(*credentials), "a2");
}

TEST_F(Rotation, RefreshThatCannotReadKeepsTheValueInUse) {
  Write("current", "a");
  const auto credentials = Make(Bearer());
  Remove("current");
  EXPECT_EQ(credentials->Refresh().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Token(*credentials), "a");
  test::WriteAll(dir_ / "current", "a3", 0644);
  EXPECT_EQ(credentials->Refresh().error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(Token(*credentials), "a");
}

TEST_F(Rotation, NextThatAppearsLaterIsTriedAfterARefusal) {
  Write("current", "a");
  const auto credentials = Make(Bearer());
  EXPECT_FALSE(credentials->TryOther());
  Write("next", "b");
  EXPECT_TRUE(*credentials->Refresh());
  EXPECT_EQ(Token(*credentials), "b");  // "a" was refused, so the new one is used at once
}

TEST_F(Rotation, NewNextDoesNotReplaceASecretThatWorks) {
  Write("current", "a");
  const auto credentials = Make(Bearer());
  credentials->Succeeded();
  Write("next", "b");
  EXPECT_TRUE(*credentials->Refresh());
  EXPECT_EQ(Token(*credentials), "a");
}

TEST_F(Rotation, BothRefusedAndCurrentMendedIsUsedAtOnce) {
  Write("current", "a");
  Write("next", "b");
  const auto credentials = Make(Bearer());
  EXPECT_TRUE(credentials->TryOther());
  EXPECT_FALSE(credentials->TryOther());
  Write("current", "good");
  EXPECT_TRUE(*credentials->Refresh());
  EXPECT_EQ(Token(*credentials), "good");
}

TEST_F(Rotation, FullRotationEndsWithNextRemovedAndNoGap) {
  Write("current", "old");
  Write("next", "new");
  const auto credentials = Make(Bearer());
  credentials->Succeeded();
  ASSERT_TRUE(credentials->TryOther());  // the cloud stopped accepting "old"
  credentials->Succeeded();
  Write("current", "new");
  Remove("next");
  const Result<bool> refreshed = credentials->Refresh();
  ASSERT_TRUE(refreshed) << refreshed.error().message;
  EXPECT_EQ(Token(*credentials), "new");
  EXPECT_FALSE(credentials->TryOther());
}

TEST_F(Rotation, NextInUseThatVanishesIsKeptAndReported) {
  Write("current", "old");
  Write("next", "new");
  const auto credentials = Make(Bearer());
  ASSERT_TRUE(credentials->TryOther());
  Remove("next");
  EXPECT_EQ(credentials->Refresh().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Token(*credentials), "new");
}

TEST_F(Rotation, VersionTellsWhichSecretIsInUse) {
  Write("current", "old");
  Write("next", "new");
  const auto credentials = Make(Bearer());
  const std::uint64_t old = credentials->version();
  EXPECT_EQ(credentials->version(), old);
  ASSERT_TRUE(credentials->TryOther());
  const std::uint64_t fresh = credentials->version();
  EXPECT_NE(fresh, old);
  Write("current", "new");  // the end of the rotation: the same secret in the other place
  ASSERT_TRUE(credentials->Refresh());
  EXPECT_EQ(Token(*credentials), "new");
  EXPECT_EQ(credentials->version(), fresh);
  Write("current", "newer");
  Remove("next");
  ASSERT_TRUE(credentials->Refresh());
  EXPECT_NE(credentials->version(), fresh);
}

}  // namespace
}  // namespace packhorse::auth
