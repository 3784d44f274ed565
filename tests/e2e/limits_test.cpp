// A queue that reaches its limits, on real parts: what goes is counted and told, what stays arrives.

#include <gtest/gtest.h>

#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

bool HasEvent(const Site& site, const std::string& name) {
  const json events = json::parse(site.Cli({"events", "--json"}).out);
  for (const json& event : events["recent"]) {
    if (event["name"] == name) {
      return true;
    }
  }
  return false;
}

// Whether gap records tell the cloud of this many messages that it will not get.
bool CloudIsTold(const Site& site, std::int64_t messages) {
  return WaitFor(
      [&] {
        std::this_thread::sleep_for(200ms);
        return site.Cloud(
                   "SELECT sum(json_extract(measurements, '$.messages.value')) FROM records WHERE kind = 'gap'") ==
               messages;
      },
      30s);
}

TEST(QueueLimits, CloudGoneOverMaxBytesDropsTheOldestAndDeliversTheRest) {
  constexpr int kMessages = 2'000;  // about 6 MB on the disk, in segments of up to 1 MiB
  Site site;
  site.config()["queue"]["max_bytes"] = "4MiB";
  site.StartBridge();
  site.KillCloud();
  std::vector<MqttMessage> messages;
  for (int seq = 1; seq <= kMessages; ++seq) {
    messages.push_back(MqttMessage{"site/a/dev/17/telemetry", LargePayload(seq)});
  }
  // First as much as is over the alert and not yet over the limit: what is dropped goes in whole segments.
  const std::vector<MqttMessage> begin(messages.begin(), messages.begin() + 1'050);
  messages.erase(messages.begin(), messages.begin() + 1'050);
  MqttClient client(site.broker().port());
  ASSERT_EQ(client.Publish(begin), begin.size());
  json status;
  EXPECT_TRUE(WaitFor(
      [&] {
        std::this_thread::sleep_for(200ms);
        status = site.Status();
        return status["reasons"].dump().find("% full") != std::string::npos;
      },
      30s))
      << status["reasons"] << status["queue"];
  ASSERT_EQ(client.Publish(messages), messages.size());
  ASSERT_TRUE(WaitFor(
      [&] {
        std::this_thread::sleep_for(200ms);
        status = site.Status();
        return status["ledger"]["received"] == kMessages && status["ledger"]["dropped"] > 0 &&
               status["queue"]["bytes"] < 4U << 20U;
      },
      60s))
      << status["ledger"] << status["queue"];
  EXPECT_EQ(status["ledger"]["balanced"], true);
  EXPECT_TRUE(HasEvent(site, "messages_dropped"));
  EXPECT_TRUE(HasEvent(site, "queue_nearly_full"));
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
  site.StartCloud();
  ASSERT_TRUE(site.Settled(kMessages));
  const json ledger = site.Status()["ledger"];
  EXPECT_EQ(ledger["delivered"].get<int>() + ledger["dropped"].get<int>(), kMessages) << ledger;
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE kind <> 'gap'"), ledger["delivered"].get<std::int64_t>());
  EXPECT_TRUE(CloudIsTold(site, ledger["dropped"].get<std::int64_t>()));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE json_extract(measurements, '$.seq.value') = 2000"), 1);
}

TEST(DeviceRate, NoisyDeviceIsToldMovedOrDroppedAndNobodyElsesMessagesAreTouched) {
  Site site;
  json& streams = site.config()["streams"];
  streams[0]["device_rate"] = {{"messages", 20}};
  streams.push_back(streams[0]);
  streams[1]["name"] = "chatter";
  streams[1]["topics"] = {"chatter/{device}"};
  streams[1]["device_rate"]["over"] = "drop";
  site.StartBridge();
  site.KillCloud();
  std::vector<MqttMessage> messages;
  for (int seq = 1; seq <= 100; ++seq) {
    const std::string payload = json{{"seq", seq}}.dump();
    messages.push_back(MqttMessage{"site/a/dev/noisy/telemetry", payload});
    messages.push_back(MqttMessage{"chatter/noisy", payload});
    if (seq <= 20) {
      messages.push_back(MqttMessage{"site/a/dev/quiet/telemetry", payload});
    }
  }
  MqttClient client(site.broker().port());
  ASSERT_EQ(client.Publish(messages), messages.size());
  json ledger;
  ASSERT_TRUE(WaitFor([&] {
    std::this_thread::sleep_for(100ms);
    ledger = site.Status()["ledger"];
    return ledger["received"] >= 220 && HasEvent(site, "device_noisy");
  })) << ledger;
  const auto dropped = ledger["dropped"].get<std::int64_t>();
  EXPECT_GE(dropped, 70) << "100 came within seconds, 20 may, and one more every 3 s";
  EXPECT_EQ(ledger["balanced"], true);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
  site.StartCloud();
  ASSERT_EQ(site.StopBridge(), 0);  // stores what the cloud is to be told of what was dropped
  site.StartBridge();
  ASSERT_TRUE(site.Settled(220));
  const auto count = [&](const std::string& where) {
    return site.Cloud("SELECT count(*) FROM records WHERE " + where);
  };
  EXPECT_EQ(count("device_id = 'noisy' AND stream = 'chatter'"), 100 - dropped);
  EXPECT_EQ(count("device_id = 'noisy' AND stream <> 'chatter' AND kind <> 'gap'"), 100);
  EXPECT_EQ(count("device_id = 'quiet'"), 20);
  EXPECT_GE(count("record_id LIKE '%.b.%'"), 70) << "moved to lane bulk";
  EXPECT_EQ(count("record_id LIKE '%.b.%' AND device_id <> 'noisy'"), 0);
  EXPECT_TRUE(CloudIsTold(site, dropped));
}

TEST(QueueLimits, FullQueueThatBlocksLeavesTheRestToTheBrokerAndLosesNothing) {
  Site site;
  site.config()["queue"]["max_records"] = 100;
  site.config()["queue"]["overflow"] = "block";
  site.config()["destinations"][0]["batch"]["max_records"] = 10;
  site.StartBridge();
  site.KillCloud();
  site.Publish(200);
  ASSERT_TRUE(WaitFor([&] { return !site.BridgeConnected(); }));
  EXPECT_NE(site.Status()["reasons"].dump().find("the queue is full (max_records)"), std::string::npos);
  site.Publish(300);
  site.StartCloud();
  ASSERT_TRUE(site.Settled(500));
  // A session that goes on gets its messages before its subscription is confirmed.
  EXPECT_TRUE(WaitFor([&] { return site.BridgeConnected(); }));
  EXPECT_EQ(site.Status()["ledger"]["dropped"], 0);
  EXPECT_EQ(site.CloudRecords(), 500);
}

}  // namespace
}  // namespace packhorse::test
