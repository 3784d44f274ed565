// What an outage leaves is sent beside live data, on real parts.

#include <gtest/gtest.h>

#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

TEST(Backlog, FreshMessagesReachTheCloudBeforeTheBacklogIsThrough) {
  constexpr int kOld = 300;
  constexpr int kFresh = 20;
  Site site;
  json& destination = site.config()["destinations"][0];
  destination["order"] = "live_first";
  destination["backfill_after"] = "2s";
  destination["batch"]["max_records"] = 10;
  destination["limits"] = {{{"requests", 5}, {"per", "1s"}}};
  site.StartBridge();
  site.KillCloud();
  site.Publish(kOld, "old");
  ASSERT_TRUE(site.DestinationIs("retrying"));
  std::this_thread::sleep_for(3s);
  site.StartCloud();
  ASSERT_TRUE(site.DestinationIs("ok"));
  site.Publish(kFresh, "fresh");
  std::int64_t old = 0;
  ASSERT_TRUE(WaitFor(
      [&] {
        std::this_thread::sleep_for(50ms);
        old = site.Cloud("SELECT count(*) FROM records WHERE device_id = 'old'");
        return site.Cloud("SELECT count(*) FROM records WHERE device_id = 'fresh'") == kFresh;
      },
      15s));
  EXPECT_LT(old, kOld * 9 / 10);
  EXPECT_GT(site.Destination()["backlog"], 0);
  EXPECT_TRUE(site.Destination()["backlog_eta_s"].is_number());
  EXPECT_NE(site.Cli({"status"}).out.find("cloud: backlog of "), std::string::npos);
  ASSERT_TRUE(site.Settled(kOld + kFresh));
  EXPECT_EQ(site.CloudRecords(), kOld + kFresh);
  const std::string flagged = "SELECT count(*) FROM records WHERE flags LIKE '%backfilled%' AND device_id = ";
  EXPECT_EQ(site.Cloud(flagged + "'fresh'"), 0);
  EXPECT_GE(site.Cloud(flagged + "'old'"), kOld - 50);  // the others were in batches before the outage
  EXPECT_EQ(site.Destination()["backlog"], 0);
}

}  // namespace
}  // namespace packhorse::test
