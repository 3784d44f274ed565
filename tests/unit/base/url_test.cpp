#include "base/url.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace packhorse {
namespace {

const std::vector<std::string> kMqtt = {"mqtt", "mqtts"};
const std::vector<std::string> kHttp = {"http", "https"};

TEST(Url, PartsAndStandardPorts) {
  const UrlCheck check = ParseUrl("https://Ingest.Example.com/v1/", kHttp);
  ASSERT_TRUE(check.url) << check.message;
  EXPECT_EQ(check.url->host, "Ingest.Example.com");
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
  EXPECT_EQ(ParseUrl("//h", kMqtt).message, "is not a URL with a scheme");
}

TEST(Url, TheSchemeThatIsNotSupportedIsNamed) {
  EXPECT_EQ(ParseUrl("tcp://h", kMqtt).other_scheme, "tcp");
  EXPECT_EQ(ParseUrl("tcp://h", kMqtt).allowed, "mqtt:// or mqtts://");
  EXPECT_EQ(ParseUrl("mqtt://-h", kMqtt).other_scheme, "");
}

TEST(Url, IsSplitWithoutAnyCheck) {
  const UrlParts all = SplitUrl("https://u:p@x@h:1/a@b?c=d://e#f");
  EXPECT_EQ(all.lead, "https://");
  EXPECT_EQ(all.user, "u:p@x");
  EXPECT_EQ(all.host, "h:1");
  EXPECT_EQ(all.path, "/a@b");
  EXPECT_EQ(all.rest, "?c=d://e#f");
  const UrlParts path = SplitUrl("/login?next=https://h/");
  EXPECT_EQ(path.lead, "");
  EXPECT_EQ(path.host, "");
  EXPECT_EQ(path.path, "/login");
  EXPECT_FALSE(path.user);
  EXPECT_EQ(SplitUrl("//u@h/p").lead, "//");
  EXPECT_EQ(SplitUrl("//u@h/p").user, "u");
  EXPECT_EQ(SplitUrl("").path, "");
}

TEST(Url, AddressesAreToldFromNames) {
  for (const char* host : {"10.0.0.1", "::1", "fe80::1"}) {
    EXPECT_TRUE(IsAddress(host)) << host;
  }
  for (const char* host : {"", "10.0.0", "[::1]", "h", "10.0.0.1:1"}) {
    EXPECT_FALSE(IsAddress(host)) << host;
  }
}

TEST(Url, LoopbackIsTheWholeNetworkAndItsNames) {
  for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "localhost", "LocalHost"}) {
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

}  // namespace
}  // namespace packhorse
