// A real proxy between the bridge and the cloud that does not let everything through.

#include <gtest/gtest.h>

#include "site.h"
#include "support/nginx.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;

TEST(Proxy, ThatRefusesEverySizeHoldsTheDestinationAndOnceItIsMendedEverythingIsDelivered) {
  Site site;
  const TempDir dir;
  const int port = FreePort();
  const std::string cloud = site.config()["destinations"][0]["url"];
  const auto server = [&](const std::string& most) {
    return "server { listen 127.0.0.1:" + std::to_string(port) + "; client_max_body_size " + most +
           "; location / { proxy_pass " + cloud + "; } }";
  };
  std::optional<Nginx> nginx;
  nginx.emplace(dir.path(), port, server("1"));
  site.config()["destinations"][0]["url"] = "http://127.0.0.1:" + std::to_string(port);
  site.StartBridge();
  site.Publish(60);
  ASSERT_TRUE(site.DestinationIs("held"));
  EXPECT_NE(site.Destination()["reason"].get<std::string>().find("413"), std::string::npos);
  EXPECT_EQ(site.Status()["ledger"]["rejected"], 0);
  EXPECT_EQ(site.Status()["ledger"]["pending"], 60);
  nginx.reset();
  nginx.emplace(dir.path(), port, server("10m"));
  EXPECT_EQ(site.Cli({"resume", "cloud"}).exit_code, 0);
  ASSERT_TRUE(site.Settled(60));
  EXPECT_EQ(site.CloudRecords(), 60);
  EXPECT_EQ(site.Status()["ledger"]["rejected"], 0);
}

}  // namespace
}  // namespace packhorse::test
