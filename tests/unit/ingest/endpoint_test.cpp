#include "ingest/paho/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace packhorse::ingest {
namespace {

TEST(Endpoint, UrlsGiveHostPortAndTls) {
  struct Case {
    std::string url;
    std::string shown;
    std::string paho;
  };
  const std::vector<Case> cases = {
      {"mqtt://broker", "mqtt://broker:1883", "tcp://broker:1883"},
      {"mqtt://broker/", "mqtt://broker:1883", "tcp://broker:1883"},
      {"mqtt://broker//", "mqtt://broker:1883", "tcp://broker:1883"},
      {"mqtt://Broker.Local", "mqtt://Broker.Local:1883", "tcp://Broker.Local:1883"},
      {"mqtt://10.0.0.1:1", "mqtt://10.0.0.1:1", "tcp://10.0.0.1:1"},
      {"mqtts://broker.example.com", "mqtts://broker.example.com:8883", "ssl://broker.example.com:8883"},
      {"mqtts://[::1]:65535", "mqtts://[::1]:65535", "ssl://::1:65535"},
      {"mqtt://[fe80::1]", "mqtt://[fe80::1]:1883", "tcp://[fe80::1]:1883"},
  };
  for (const Case& c : cases) {
    const Result<Endpoint> endpoint = ParseEndpoint(c.url);
    ASSERT_TRUE(endpoint) << c.url << ": " << endpoint.error().message;
    EXPECT_EQ(endpoint->Shown(), c.shown);
    EXPECT_EQ(endpoint->PahoUri(), c.paho);
  }
}

TEST(Endpoint, OtherUrlsAreRefusedWithAReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"broker:1883", "is not a URL with a scheme"},
      {"tcp://broker", "allowed: mqtt:// or mqtts://"},
      {"mqtt://", "has no host"},
      {"mqtt://broker/path", "must not have a path"},
      {"mqtt://broker:0", "1 to 65535"},
      {"mqtt://::1", "IPv6 address in [ ]"},
  };
  for (const auto& [url, reason] : cases) {
    const Result<Endpoint> endpoint = ParseEndpoint(url);
    ASSERT_FALSE(endpoint) << url;
    EXPECT_EQ(endpoint.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(endpoint.error().message, testing::HasSubstr(reason)) << url;
  }
}

TEST(Endpoint, CredentialsInAUrlAreRefusedAndNotShown) {
  const Result<Endpoint> endpoint = ParseEndpoint("mqtt://user:hunter2@broker");
  ASSERT_FALSE(endpoint);
  EXPECT_THAT(endpoint.error().message, testing::Not(testing::HasSubstr("hunter2")));
  EXPECT_THAT(endpoint.error().message, testing::HasSubstr("user name"));
}

}  // namespace
}  // namespace packhorse::ingest
