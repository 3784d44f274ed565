#include "config_fixture.h"

namespace packhorse::config {
namespace {

class UrlRuleTest : public ConfigTest {
 protected:
  Loaded SourceUrl(const std::string& url, const std::string& extra = "") const {
    return ParseInDir(Replace(Minimal({.source = extra}), "mqtt://127.0.0.1", url));
  }
};

TEST_F(UrlRuleTest, SchemesOfOtherProgramsAreUnderstoodForASuggestion) {
  EXPECT_NE(All(SourceUrl("tcp://h")).find("did you mean \"mqtt://\"?"), std::string::npos);
  EXPECT_NE(All(SourceUrl("ssl://h")).find("did you mean \"mqtts://\"?"), std::string::npos);
  EXPECT_NE(All(SourceUrl("MQTTS://h")).find("did you mean \"mqtts://\"?"), std::string::npos);
  EXPECT_EQ(All(SourceUrl("ftp://h")).find("did you mean"), std::string::npos);
  const std::string destination = All(ParseInDir(Replace(Minimal(), "https://ingest", "htps://ingest")));
  EXPECT_NE(destination.find("did you mean \"https://\"?"), std::string::npos) << destination;
}

TEST_F(UrlRuleTest, PlaintextToAnotherMachineNeedsToBeAllowed) {
  const Loaded refused = SourceUrl("mqtt://10.0.0.1");
  ASSERT_EQ(refused.problems.size(), 1U) << All(refused);
  EXPECT_EQ(refused.problems[0].path, "/sources/0/urls/0");
  EXPECT_NE(refused.problems[0].allowed.find("\"allow_plaintext\": true"), std::string::npos);
  EXPECT_TRUE(SourceUrl("mqtt://10.0.0.1", "\"allow_plaintext\": true").problems.empty());
  EXPECT_TRUE(SourceUrl("mqtt://[::1]").problems.empty());
  EXPECT_TRUE(SourceUrl("mqtts://10.0.0.1").problems.empty());
  const std::string http = Replace(Minimal(), "https://ingest", "http://ingest");
  EXPECT_FALSE(ParseInDir(http).ok());
  EXPECT_TRUE(ParseInDir(Replace(Minimal(), "https://ingest.example.com", "http://localhost:8080")).ok());
}

TEST_F(UrlRuleTest, APasswordInAUrlIsNeverShown) {
  for (const char* url : {"mqtt://user:hunter2@broker", "user:hunter2@broker", "mqtts://broker?password=hunter2",
                          "mqtt://user:hunter2@bro\\u0001ker"}) {
    const Loaded loaded = SourceUrl(url);
    EXPECT_FALSE(loaded.ok());
    EXPECT_EQ(All(loaded).find("hunter2"), std::string::npos) << All(loaded);
  }
  const Loaded large = SourceUrl("mqtt://user:hunter2@" + std::string(600, 'h'));
  EXPECT_NE(All(large).find("is too long"), std::string::npos);
  EXPECT_EQ(All(large).find("hunter2"), std::string::npos) << All(large);
}

TEST_F(UrlRuleTest, TlsSettingsWithoutTlsWarn) {
  const Loaded loaded = SourceUrl("mqtt://127.0.0.1", R"("tls": {"ca": "DIR/ca.pem"})");
  ASSERT_EQ(loaded.problems.size(), 1U) << All(loaded);
  EXPECT_TRUE(loaded.ok());
  EXPECT_NE(loaded.problems[0].message.find("no URL here uses TLS"), std::string::npos);
  EXPECT_TRUE(SourceUrl("mqtts://127.0.0.1", R"("tls": {"ca": "DIR/ca.pem"})").problems.empty());
}

TEST_F(UrlRuleTest, TwoSourcesWithOneClientIdAtOneBrokerAreAnError) {
  const auto with = [&](const std::string& first, const std::string& second) {
    return ParseInDir(R"({"gateway": {"id": "g"},
      "sources": [{"name": "a", "urls": [")" +
                      first + R"("]}, {"name": "b", "urls": [")" + second + R"("]}],
      "streams": [{"name": "s", "source": "a", "topics": ["a"]}, {"name": "t", "source": "b", "topics": ["a"]}],
      "destinations": [{"name": "d", "url": "https://x"}]})");
  };
  const Loaded same = with("mqtt://localhost", "mqtt://LOCALHOST:1883");
  ASSERT_EQ(same.problems.size(), 1U) << All(same);
  EXPECT_EQ(same.problems[0].path, "/sources/1");
  EXPECT_EQ(same.problems[0].value, "\"packhorse-g\"");
  EXPECT_TRUE(with("mqtt://localhost", "mqtt://localhost:1884").ok());
}

TEST_F(UrlRuleTest, AnAddressListedTwiceWarns) {
  const Loaded loaded = ParseInDir(Replace(Minimal(), "\"mqtt://127.0.0.1\"", "\"mqtt://[::1]\", \"mqtt://[::1]\""));
  ASSERT_EQ(loaded.problems.size(), 1U) << All(loaded);
  EXPECT_EQ(loaded.problems[0].path, "/sources/0/urls/1");
}

TEST_F(UrlRuleTest, TheListenAddressIsCheckedAndWarnsWhenItIsPublic) {
  const auto listen = [&](const std::string& address) {
    return All(ParseInDir(Minimal({.top = R"("metrics": {"listen": ")" + address + R"("})"})));
  };
  EXPECT_NE(listen("127.0.0.1").find("has no port"), std::string::npos);
  EXPECT_NE(listen("0.0.0.0:9464").find("reachable from other machines"), std::string::npos);
  EXPECT_EQ(listen("[::1]:9464").find("reachable"), std::string::npos);
  EXPECT_NE(listen("[::1]:9464").find("does not serve metrics yet"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::config
