#include <sys/stat.h>

#include "config_fixture.h"

namespace packhorse::config {
namespace {

class SecretRuleTest : public ConfigTest {
 protected:
  ~SecretRuleTest() override {
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("PACKHORSE_TEST_SECRET");
  }

  Loaded Token(const std::string& json) const {
    return ParseInDir(Minimal({.destination = R"("auth": {"type": "bearer", "token": )" + json + "}"}));
  }
  // The line of the only problem, which must not tell the secret.
  static std::string Line(const Loaded& loaded) {
    EXPECT_EQ(loaded.problems.size(), 1U) << All(loaded);
    EXPECT_EQ(All(loaded).find("hunter2"), std::string::npos) << All(loaded);
    return All(loaded);
  }
  static bool Contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
};

TEST_F(SecretRuleTest, ALiteralSecretIsRefusedWithoutBeingShown) {
  const std::string line = Line(Token("\"hunter2\""));
  EXPECT_TRUE(Contains(line, "/destinations/0/auth/token: a secret must not be written into the configuration"))
      << line;
  EXPECT_TRUE(Contains(line, R"({"file": "/path"}, {"env": "NAME"} or {"credential": "NAME"})")) << line;
  EXPECT_TRUE(Contains(line, "(not shown)")) << line;
}

TEST_F(SecretRuleTest, ASecretInAWrongPlaceIsNeverShown) {
  for (const char* destination :
       {R"("auth": "hunter2")", R"("auth": {"type": "hunter2 hunter2"})",
        R"("auth": {"type": "bearer", "token": ["hunter2"]})",
        R"("auth": {"type": "bearer", "token": {"file": "hunter2"}})",
        R"("auth": {"type": "bearer", "token": {"env": "hunter2"}})",
        R"("auth": {"type": "bearer", "token": {"env": "hunter2 x"}})",
        R"("auth": {"type": "bearer", "token": {"value": "hunter2"}})",
        R"("auth": {"type": "bearer", "token": {"credential": "hunter2/x"}})",
        R"("auth": {"type": "bearer", "token": {"file": "DIR/token", "next": "hunter2"}})",
        R"("auth": {"type": "header", "header": "X: hunter2", "value": {"file": "DIR/token"}})",
        R"("auth": {"type": "basic", "username": "u:hunter2", "password": {"file": "DIR/token"}})",
        R"("token": "hunter2")", R"("authorization": "Bearer hunter2")"}) {
    const Loaded loaded = ParseInDir(Minimal({.destination = destination}));
    EXPECT_FALSE(loaded.ok()) << destination;
    EXPECT_EQ(All(loaded).find("hunter2"), std::string::npos) << All(loaded);
  }
  const Loaded source = ParseInDir(Minimal({.source = "\"password\": \"hunter2\", \"pasword\": \"hunter2\""}));
  EXPECT_EQ(source.problems.size(), 2U) << All(source);
  EXPECT_EQ(All(source).find("hunter2"), std::string::npos) << All(source);
}

TEST_F(SecretRuleTest, ASecretNeedsExactlyOnePlace) {
  EXPECT_TRUE(Contains(Line(Token("{}")), "says none of file, env, credential"));
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/token", "env": "HOME"})")), "is: file, env"));
}

TEST_F(SecretRuleTest, AFileThatOtherUsersCanReachIsAnError) {
  for (const mode_t mode : {0644U, 0604U, 0602U, 0601U}) {
    ASSERT_EQ(chmod((dir_ / "token").c_str(), mode), 0);
    const std::string line = Line(Token(R"({"file": "DIR/token"})"));
    EXPECT_TRUE(Contains(line, "/destinations/0/auth/token/file: this secret is open to every user")) << line;
    EXPECT_TRUE(Contains(line, "chown root:packhorse " + (dir_ / "token") + " && chmod 0640 " + (dir_ / "token")))
        << line;
  }
  for (const mode_t mode : {0400U, 0600U, 0640U, 0660U}) {
    ASSERT_EQ(chmod((dir_ / "token").c_str(), mode), 0);
    EXPECT_TRUE(Token(R"({"file": "DIR/token"})").problems.empty());
  }
}

TEST_F(SecretRuleTest, AFileMustBeThereRegularAndOfAUsefulSize) {
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/absent"})")), "this file does not exist"));
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR"})")), "this is a directory"));
  ASSERT_EQ(mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/pipe"})")), "not a regular file"));
  test::WriteAll(dir_ / "empty", "", 0600);
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/empty"})")), "this file is empty"));
  test::WriteAll(dir_ / "large", std::string(65'537, 'x'), 0600);
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/large"})")), "too large: 64.0 KiB"));
  test::WriteAll(dir_ / "full", std::string(65'536, 'x'), 0600);
  EXPECT_TRUE(Token(R"({"file": "DIR/full"})").problems.empty());
}

TEST_F(SecretRuleTest, AVariableMustBeSetAndNotEmpty) {
  const std::string json = R"({"env": "PACKHORSE_TEST_SECRET"})";
  unsetenv("PACKHORSE_TEST_SECRET");
  EXPECT_TRUE(Contains(Line(Token(json)), "is not set (line 1; is: \"PACKHORSE_TEST_SECRET\""));
  ASSERT_EQ(setenv("PACKHORSE_TEST_SECRET", "", 1), 0);
  EXPECT_TRUE(Contains(Line(Token(json)), "is empty"));
  ASSERT_EQ(setenv("PACKHORSE_TEST_SECRET", "hunter2", 1), 0);
  EXPECT_TRUE(Token(json).problems.empty());
}

TEST_F(SecretRuleTest, ACredentialIsLookedForWhereSystemdPutsIt) {
  const std::string json = R"({"credential": "token"})";
  unsetenv("CREDENTIALS_DIRECTORY");
  const Loaded outside = Token(json);
  EXPECT_TRUE(outside.ok());
  EXPECT_TRUE(Contains(Line(outside), "warning: can only be checked within the service"));
  ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", dir_.path().c_str(), 1), 0);
  EXPECT_TRUE(Token(json).problems.empty());
  EXPECT_TRUE(Contains(Line(Token(R"({"credential": "absent"})")), "does not exist"));
  EXPECT_TRUE(Contains(Line(Token(R"({"credential": "../token"})")), "does not have the right form"));
}

TEST_F(SecretRuleTest, TheNextSecretIsCheckedAsTheFirstWhereThereIsOne) {
  EXPECT_TRUE(Token(R"({"file": "DIR/token", "next": {"file": "DIR/absent"}})").problems.empty());
  EXPECT_TRUE(Token(R"({"file": "DIR/token", "next": {"env": "PACKHORSE_TEST_ABSENT"}})").problems.empty());
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/token", "next": {"file": "DIR"}})")),
                       "/destinations/0/auth/token/next/file: this is a directory"));
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/token", "next": {"file": "DIR/token"}})")),
                       "warning: is the same as the secret beside it"));
  EXPECT_TRUE(Contains(Line(Token(R"({"file": "DIR/token", "next": {"file": "DIR/client.key", "next": {}}})")),
                       "unknown key \"next\""));
}

TEST_F(SecretRuleTest, TlsFilesAreChecked) {
  const auto tls = [&](const std::string& json) {
    return Line(ParseInDir(Minimal({.destination = "\"tls\": " + json})));
  };
  EXPECT_TRUE(Contains(tls(R"({"ca": "DIR/absent"})"), "/destinations/0/tls/ca: this file does not exist"));
  test::WriteAll(dir_ / "der", "\x30\x82", 0644);
  EXPECT_TRUE(Contains(tls(R"({"ca": "DIR/der"})"), "not in PEM form"));
  ASSERT_EQ(chmod((dir_ / "client.key").c_str(), 0644), 0);
  EXPECT_TRUE(Contains(tls(R"({"certificate": "DIR/client.pem", "key": "DIR/client.key"})"),
                       "/destinations/0/tls/key: this secret is open to every user"));
  EXPECT_TRUE(Contains(tls(R"({"key": "DIR/ca.pem", "certificate": "DIR/client.pem"})"), "open to every user"));
}

TEST_F(SecretRuleTest, WhatThisReleaseDoesNotDoYetIsSaid) {
  const std::string pin = R"("pin": ["sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="])";
  const Loaded mqtt = ParseInDir(Replace(Minimal({.source = "\"tls\": {" + pin + "}"}), "mqtt://", "mqtts://"));
  EXPECT_TRUE(mqtt.problems.empty()) << All(mqtt);
  const Loaded https = ParseInDir(Minimal({.destination = "\"tls\": {" + pin + "}"}));
  EXPECT_TRUE(https.problems.empty()) << All(https);
  const Loaded order = ParseInDir(Minimal({.destination = R"("order": "live_first")"}));
  EXPECT_TRUE(order.problems.empty()) << All(order);
  const Loaded size = ParseInDir(Minimal({.top = R"("queue": {"max_bytes": "2GiB"})"}));
  EXPECT_TRUE(size.problems.empty()) << All(size);
}

}  // namespace
}  // namespace packhorse::config
