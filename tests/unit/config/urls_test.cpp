#include "config/url.h"
#include "config_fixture.h"

namespace packhorse::config {
namespace {

const std::vector<std::string> kMqtt = {"mqtt", "mqtts"};
const std::vector<std::string> kHttp = {"http", "https"};

TEST(Url, PartsAndStandardPorts) {
  const UrlCheck check = ParseUrl("https://Ingest.Example.com/v1/", kHttp);
  ASSERT_TRUE(check.url) << check.message;
  EXPECT_EQ(check.url->host, "ingest.example.com");
  EXPECT_EQ(check.url->port, 443U);
  EXPECT_EQ(check.url->path, "/v1");
  EXPECT_EQ(ParseUrl("mqtt://h", kMqtt).url->port, 1883U);
  EXPECT_EQ(ParseUrl("mqtts://h", kMqtt).url->port, 8883U);
  EXPECT_EQ(ParseUrl("http://h:65535", kHttp).url->port, 65535U);
}

TEST(Url, AddressesOfBothFamilies) {
  EXPECT_EQ(ParseUrl("mqtt://[fe80::1]:1884", kMqtt).url->host, "fe80::1");
  EXPECT_EQ(ParseUrl("mqtt://10.1.2.3", kMqtt).url->host, "10.1.2.3");
  EXPECT_TRUE(ParseUrl("mqtt://my_broker-1.local", kMqtt).url);
}

TEST(Url, WhatIsWrongIsSaid) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"example.com", "is not a URL with a scheme"},
      {"https://", "has no host"},
      {"https://:443", "has no host"},
      {"https://h:0", "has no valid port"},
      {"https://h:65536", "has no valid port"},
      {"https://h:", "has no valid port"},
      {"https://h:80x", "has no valid port"},
      {"https://h:1:2", "more than one ':'"},
      {"https://::1", "more than one ':'"},
      {"https://[::1", "no valid IPv6 address"},
      {"https://[::g]", "no valid IPv6 address"},
      {"https://[::1]x", "has no valid port"},
      {"https://1.2.3", "no valid IPv4 address"},
      {"https://1.2.3.256", "no valid IPv4 address"},
      {"https://-h", "no valid host name"},
      {"https://a..b", "no valid host name"},
      {"https://m\xC3\xBCller.de", "no valid host name"},
      {"https://" + std::string(64, 'a'), "no valid host name"},
      {"https://h h", "no valid host name"},
      {"https://u:p@h", "must not have a user name"},
      {"https://h?x=1", "must not have a query"},
      {"https://h#x", "must not have a query"},
      {"https://h/a b", "percent-encoded"},
      {"https://h/%zz", "percent-encoded"},
      {"https://h/%2", "percent-encoded"},
      {"ftp://h", "scheme that is not supported"},
      {"HTTPS://h", "scheme that is not supported"},
  };
  for (const auto& [text, message] : cases) {
    const UrlCheck check = ParseUrl(text, kHttp);
    EXPECT_FALSE(check.url) << text;
    EXPECT_NE(check.message.find(message), std::string::npos) << text << ": " << check.message;
  }
  EXPECT_EQ(ParseUrl("mqtt://h/path", kMqtt).message, "must not have a path");
}

TEST(Url, SchemesOfOtherProgramsAreUnderstoodForASuggestion) {
  EXPECT_EQ(ParseUrl("tcp://h", kMqtt).suggestion, "did you mean \"mqtt://\"?");
  EXPECT_EQ(ParseUrl("ssl://h", kMqtt).suggestion, "did you mean \"mqtts://\"?");
  EXPECT_EQ(ParseUrl("MQTTS://h", kMqtt).suggestion, "did you mean \"mqtts://\"?");
  EXPECT_EQ(ParseUrl("htps://h", kHttp).suggestion, "did you mean \"https://\"?");
  EXPECT_EQ(ParseUrl("ftp://h", kMqtt).suggestion, "");
}

TEST(Url, LoopbackIsTheWholeNetworkAndItsNames) {
  for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"128.0.0.1", "127.example.com", "::2", "localhost.example.com", "10.0.0.1"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(Url, SecretsAreCutOutOfWhatIsShown) {
  EXPECT_EQ(WithoutSecrets("https://u:hunter2@h/p?k=hunter2"), "https://***@h/p?***");
  EXPECT_EQ(WithoutSecrets("u:hunter2@h"), "***@h");
  EXPECT_EQ(WithoutSecrets("https://h/p#hunter2"), "https://h/p#***");
  EXPECT_EQ(WithoutSecrets("https://h/p"), "https://h/p");
  EXPECT_EQ(WithoutSecrets("https://u:hunter2@x@h"), "https://***@h");
}

class UrlRuleTest : public ConfigTest {
 protected:
  Loaded SourceUrl(const std::string& url, const std::string& extra = "") const {
    return ParseInDir(Replace(Minimal({.source = extra}), "mqtt://127.0.0.1", url));
  }
};

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
