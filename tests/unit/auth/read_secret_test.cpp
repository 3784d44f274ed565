#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "auth/secret.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::auth {
namespace {

using Kind = SecretSource::Kind;
using test::TempDir;
using test::WriteAll;

constexpr char kValue[] = "tok-5f1d9c";

// Sets a variable for the time of one test.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_.c_str()); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
};

// Reads a file with these bytes and this mode.
Result<Secret> ReadFileWith(const std::string& bytes, unsigned mode = 0600) {
  const TempDir dir;
  WriteAll(dir / "secret", bytes, mode);
  return ReadSecret({Kind::kFile, dir / "secret"});
}

TEST(ReadSecret, FileGivesItsBytesWithoutOneLineFeed) {
  const TempDir dir;
  for (const std::string& bytes : {std::string(kValue), std::string(kValue) + "\n"}) {
    WriteAll(dir / "secret", bytes, 0640);
    const Result<Secret> secret = ReadSecret({Kind::kFile, dir / "secret"});
    ASSERT_TRUE(secret) << secret.error().message;
    EXPECT_EQ(secret->Reveal(), kValue);
  }
}

TEST(ReadSecret, ByteOrderMarkIsNoPartOfASecret) {
  const Result<Secret> secret = ReadFileWith(std::string("\xEF\xBB\xBF") + kValue);
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(secret.error().message.find("byte order mark"), std::string::npos);
}

TEST(ReadSecret, FileReadableByOthersIsRefusedWithTheCommandThatMendsIt) {
  const TempDir dir;
  for (const unsigned mode : {0644U, 0604U, 0602U, 0666U}) {
    WriteAll(dir / "secret", kValue, mode);
    const Result<Secret> secret = ReadSecret({Kind::kFile, dir / "secret"});
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code, ErrorCode::kPermissionDenied);
    EXPECT_NE(secret.error().message.find("chown root:packhorse " + dir / "secret"), std::string::npos)
        << secret.error().message;
    EXPECT_EQ(secret.error().message.find(kValue), std::string::npos);
  }
}

TEST(ReadSecret, TheCommandInTheMessageMendsIt) {
  const TempDir dir;
  WriteAll(dir / "secret", kValue, 0644);
  const Result<Secret> refused = ReadSecret({Kind::kFile, dir / "secret"});
  ASSERT_FALSE(refused);
  const std::string command = refused.error().message.substr(refused.error().message.find("chmod"));
  ASSERT_EQ(test::Run({"sh", "-c", command}).exit_code, 0) << command;
  EXPECT_TRUE(ReadSecret({Kind::kFile, dir / "secret"}));
}

TEST(ReadSecret, MissingFileNamesThePath) {
  const Result<Secret> secret = ReadSecret({Kind::kFile, "/nonexistent/token"});
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, ErrorCode::kNotFound);
  EXPECT_NE(secret.error().message.find("/nonexistent/token"), std::string::npos);
}

TEST(ReadSecret, EmptyFileIsAnError) {
  for (const std::string& bytes : {std::string(), std::string("\n")}) {
    const Result<Secret> secret = ReadFileWith(bytes);
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(secret.error().message.find("empty"), std::string::npos);
  }
}

TEST(ReadSecret, LineBreaksAndNulInsideAreErrorsThatDoNotShowTheValue) {
  const std::string value = kValue;
  const std::string nul("\0", 1);
  for (const std::string& bytes :
       {value + "\r\n", value + "\n\n", value + "\nX-Injected: 1", value + nul + "x", "\n" + value, value + "\r"}) {
    const Result<Secret> secret = ReadFileWith(bytes);
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(secret.error().message.find(value), std::string::npos) << secret.error().message;
    EXPECT_EQ(secret.error().message.find("Injected"), std::string::npos) << secret.error().message;
  }
}

TEST(ReadSecret, SixtyFourKibibytesAreAcceptedAndOneMoreIsNot) {
  const Result<Secret> largest = ReadFileWith(std::string(65536, 'a'));
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest->Reveal().size(), 65536U);
  const Result<Secret> larger = ReadFileWith(std::string(65537, 'a'));
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(ReadFileWith(std::string(1U << 20U, 'a')).error().code, ErrorCode::kLimitExceeded);
}

TEST(ReadSecret, FolderOrFifoIsNotAFile) {
  const TempDir dir;
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {dir.path(), dir / "fifo"}) {
    const Result<Secret> secret = ReadSecret({Kind::kFile, path});
    ASSERT_FALSE(secret);
    EXPECT_NE(secret.error().message.find("not a regular file"), std::string::npos) << secret.error().message;
  }
}

TEST(ReadSecret, VariableGivesItsValue) {
  const Variable variable("PACKHORSE_TEST_TOKEN", kValue);
  const Result<Secret> secret = ReadSecret({Kind::kEnv, "PACKHORSE_TEST_TOKEN"});
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->Reveal(), kValue);
}

TEST(ReadSecret, MissingOrEmptyVariableIsNamed) {
  const Result<Secret> missing = ReadSecret({Kind::kEnv, "PACKHORSE_TEST_NONE"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("PACKHORSE_TEST_NONE"), std::string::npos);
  const Variable empty("PACKHORSE_TEST_EMPTY", "");
  EXPECT_EQ(ReadSecret({Kind::kEnv, "PACKHORSE_TEST_EMPTY"}).error().code, ErrorCode::kInvalidArgument);
}

TEST(ReadSecret, CredentialIsReadFromTheFolderOfSystemd) {
  const TempDir dir;
  WriteAll(dir / "cloud.token", std::string(kValue) + "\n", 0400);
  const Variable folder("CREDENTIALS_DIRECTORY", dir.path());
  const Result<Secret> secret = ReadSecret({Kind::kCredential, "cloud.token"});
  ASSERT_TRUE(secret) << secret.error().message;
  EXPECT_EQ(secret->Reveal(), kValue);
  EXPECT_EQ(ReadSecret({Kind::kCredential, "other"}).error().code, ErrorCode::kNotFound);
}

TEST(ReadSecret, CredentialWithoutSystemdSaysWhatTheUnitLacks) {
  const Result<Secret> secret = ReadSecret({Kind::kCredential, "cloud.token"});
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, ErrorCode::kNotFound);
  EXPECT_NE(secret.error().message.find("LoadCredential=cloud.token"), std::string::npos) << secret.error().message;
}

TEST(ReadSecret, CredentialNameCannotLeaveItsFolder) {
  const TempDir dir;
  WriteAll(dir / "outside", kValue, 0600);
  const Variable folder("CREDENTIALS_DIRECTORY", dir / "inside");
  for (const char* name : {"../outside", "..", ".", "a/b"}) {
    EXPECT_EQ(ReadSecret({Kind::kCredential, name}).error().code, ErrorCode::kInvalidArgument) << name;
  }
}

TEST(ReadSecret, NoPlaceOrAnEmptyNameIsAnError) {
  EXPECT_EQ(ReadSecret({}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ReadSecret({Kind::kFile, ""}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ReadSecret({Kind::kEnv, std::string("A\0B", 3)}).error().code, ErrorCode::kInvalidArgument);
}

TEST(Secret, MovingLeavesNothingBehind) {
  Secret first{std::string(kValue)};  // short enough to live inside the object
  const Secret second(std::move(first));
  EXPECT_EQ(second.Reveal(), kValue);
  const std::string bytes(reinterpret_cast<const char*>(&first), sizeof first);
  EXPECT_EQ(bytes.find(kValue), std::string::npos);
}

TEST(Secret, DestructionOverwritesTheBytes) {
  alignas(Secret) unsigned char place[sizeof(Secret)];
  auto* secret = new (place) Secret(std::string(kValue));
  ASSERT_NE(std::string(reinterpret_cast<const char*>(place), sizeof place).find(kValue), std::string::npos);
  secret->~Secret();
  const volatile unsigned char* after = place;  // the compiler must not assume what a dead object holds
  std::string bytes;
  for (std::size_t i = 0; i < sizeof place; ++i) {
    bytes += static_cast<char>(after[i]);
  }
  EXPECT_EQ(bytes.find(kValue), std::string::npos);
}

TEST(Secret, AssignmentReplacesAndEmptiesTheSource) {
  Secret a{std::string("first")};
  Secret b{std::string("second")};
  a = std::move(b);
  EXPECT_EQ(a.Reveal(), "second");
  EXPECT_TRUE(b.empty());
}

}  // namespace
}  // namespace packhorse::auth
