// The configuration changes while messages wait: each is decoded and delivered as if nothing had happened.

#include <gtest/gtest.h>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

json Stream(const std::string& name, const std::string& topic) {
  return {{"name", name},
          {"source", "plant"},
          {"topics", {"site/{site}/dev/{device}/" + topic}},
          {"contract", "generic-json@1"},
          {"destinations", {"cloud"}}};
}

void Publish(Site& site, const std::string& topic, std::size_t count) {
  std::vector<MqttMessage> messages;
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back(MqttMessage{"site/a/dev/" + topic + "/" + topic, R"({"v":)" + std::to_string(i) + "}"});
  }
  MqttClient client(site.broker().port());
  ASSERT_EQ(client.Publish(messages), count);
}

TEST(Kept, StreamsThatAreRenamedRemovedOrChangedWhileTheCloudIsAwayAreDelivered) {
  Site site;
  json& streams = site.config()["streams"];
  streams = {Stream("renamed", "renamed"), Stream("removed", "removed"), Stream("topics", "topics"),
             Stream("contract", "contract"), Stream("lane", "lane")};
  site.config()["destinations"][0]["batch"]["max_records"] = 3;  // or most would be rendered before anything changes
  site.StartBridge();
  site.KillCloud();
  for (const char* topic : {"renamed", "removed", "topics", "contract", "lane"}) {
    Publish(site, topic, 20);
  }
  ASSERT_TRUE(WaitFor([&] { return site.Status()["ledger"]["pending"] == 100; })) << site.Status()["ledger"];
  streams[0]["name"] = "with-another-name";
  streams[2]["topics"] = {"site/{site}/elsewhere/+"};
  streams[3]["contract"] = "generic-json@1.0";
  streams[4]["lane"] = "bulk";
  streams.erase(1);
  site.WriteConfig();
  const RunResult reloaded = site.Cli({"reload"});
  EXPECT_EQ(reloaded.exit_code, 0) << reloaded.out;
  EXPECT_EQ(site.StopBridge(), 0);
  site.config()["gateway"]["id"] = "gw-other";
  site.StartBridge();
  site.KillBridge();
  site.StartBridge();
  EXPECT_EQ(site.Status()["ledger"]["pending"], 100);
  site.StartCloud();
  ASSERT_TRUE(site.Settled(100)) << site.Status()["ledger"];
  EXPECT_EQ(site.Status()["ledger"]["delivered"], 100) << site.Status()["ledger"];
  for (const char* topic : {"renamed", "removed", "topics", "contract", "lane"}) {
    EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE device_id = '" + std::string(topic) + "'"), 20) << topic;
  }
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records"), 100);
}

// As a queue of an earlier release is, which kept no definitions.
void ForgetDefinitions(const Site& site) {
  const RunResult forgotten = Run({"sqlite3", site.Path("queue.db"), "DELETE FROM stream_definitions"});
  ASSERT_EQ(forgotten.exit_code, 0) << forgotten.err;
}

TEST(Kept, WhatIsInQuarantineForWantOfItsStreamComesBackWithTheStream) {
  Site site;
  json& streams = site.config()["streams"];
  const json telemetry = streams[0];
  site.config()["destinations"][0]["batch"]["max_records"] = 3;
  site.StartBridge();
  site.KillCloud();
  ASSERT_TRUE(site.PublishRaw("not JSON"));
  site.Publish(50);
  ASSERT_TRUE(WaitFor([&] { return site.Status()["ledger"]["received"] == 51; }));
  EXPECT_EQ(site.StopBridge(), 0);
  ForgetDefinitions(site);
  streams[0] = Stream("other", "other");
  site.StartBridge();
  site.StartCloud();
  ASSERT_TRUE(site.Settled(51));
  EXPECT_GT(site.Status()["ledger"]["quarantined"].get<std::uint64_t>(), 40U);
  EXPECT_TRUE(WaitFor([&] { return site.Status()["events"].dump().find("definition_missing") != std::string::npos; }));
  EXPECT_EQ(site.Cli({"queue", "quarantine", "retry"}).exit_code, 1) << "nothing is known of them still";
  streams.push_back(telemetry);
  site.WriteConfig();
  EXPECT_EQ(site.Cli({"reload"}).exit_code, 0);
  ASSERT_TRUE(WaitFor([&] { return site.Status()["ledger"]["delivered"] == 50; })) << site.Status()["ledger"];
  EXPECT_EQ(site.CloudRecords(), 50);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies > 1"), 0);
  EXPECT_TRUE(WaitFor([&] { return site.Status()["events"].dump().find("definition_missing") == std::string::npos; }));
  const RunResult retry = site.Cli({"queue", "quarantine", "retry", "--stream", "telemetry"});
  EXPECT_EQ(retry.exit_code, 1);
  EXPECT_NE(retry.out.find("1 stay, the first because of invalid_json"), std::string::npos) << retry.out;
  EXPECT_TRUE(site.Settled(51));
}

}  // namespace
}  // namespace packhorse::test
