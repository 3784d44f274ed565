// A shadow on real parts: what becomes of it is of no consequence for what is delivered.

#include <gtest/gtest.h>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

json ShadowOf(Site& site, const std::string& url) {
  json shadow = site.config()["destinations"][0];
  shadow["name"] = "trial";
  shadow["shadow"] = true;
  shadow["url"] = url;
  return shadow;
}

void Add(Site& site, const std::string& url) {
  site.config()["destinations"].push_back(ShadowOf(site, url));
  site.config()["streams"][0]["destinations"] = {"cloud", "trial"};
}

TEST(Shadow, OneWhoseCloudIsGoneKeepsNothingInTheQueue) {
  Site site;
  Add(site, "http://127.0.0.1:" + std::to_string(FreePort()));
  site.StartBridge();
  site.Publish(200);
  ASSERT_TRUE(site.Settled(200)) << site.Status()["ledger"];
  const json status = site.Status();
  EXPECT_EQ(status["ledger"]["delivered"], 200);
  EXPECT_EQ(status["queue"]["messages"], 0) << status["queue"];
  EXPECT_EQ(status["state"], "ok") << status["reasons"];
  ASSERT_EQ(status["shadows"].size(), 1U);
  EXPECT_EQ(status["shadows"][0]["accepted"], 0);
  EXPECT_EQ(status["destinations"].size(), 1U);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
  EXPECT_EQ(site.StopBridge(), 0);
}

TEST(Shadow, OneThatWorksGetsTheSameRecordsAndIsShown) {
  Site site;
  Add(site, site.config()["destinations"][0]["url"]);
  site.StartBridge();
  site.Publish(100);
  ASSERT_TRUE(site.Settled(100)) << site.Status()["ledger"];
  EXPECT_TRUE(WaitFor([&] { return site.Status()["shadows"][0]["accepted"] == 100; })) << site.Status()["shadows"];
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 2"), 100) << "the same record ids";
  EXPECT_EQ(site.Status()["ledger"]["delivered"], 100);
  EXPECT_NE(site.Cli({"status"}).out.find("shadow trial: 100 records accepted"), std::string::npos);
  site.config()["destinations"].erase(1);
  site.config()["streams"][0]["destinations"] = {"cloud"};
  site.WriteConfig();
  EXPECT_EQ(site.Cli({"reload"}).exit_code, 0);
  EXPECT_TRUE(site.Status()["shadows"].empty());
}

}  // namespace
}  // namespace packhorse::test
