// A key that is changed on the other side while requests of every lane are in flight.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "site.h"
#include "support/scripted_server.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kOld = "key-of-yesterday-0001";
constexpr auto kNew = "key-of-tomorrow-0002";

class KeyRotation : public ::testing::Test {
 protected:
  KeyRotation() {
    WriteAll(site_.Path("old"), kOld, 0600);
    WriteAll(site_.Path("new"), kNew, 0600);
    json& destination = site_.config()["destinations"][0];
    destination["url"] = cloud_.url();
    destination["compression"] = "none";
    destination["batch"] = {{"max_age", "20ms"}, {"max_records", 5}};
    destination["auth"]["token"] = {{"file", site_.Path("old")}, {"next", {{"file", site_.Path("new")}}}};
    const json stream = site_.config()["streams"][0];
    site_.config()["streams"] = json::array();
    for (const std::string lane : {"urgent", "normal", "bulk"}) {
      json own = stream;
      own["name"] = lane;
      own["lane"] = lane;
      own["topics"] = {"site/{site}/dev/{device}/" + lane};
      site_.config()["streams"].push_back(own);
    }
  }

  void Serve(ScriptedConnection& connection) {
    for (std::string request; !(request = connection.ReadRequest()).empty();) {
      most_at_once_ = std::max(most_at_once_.load(), ++at_once_);
      std::this_thread::sleep_for(10ms);  // of the other side: so that requests of all lanes are under way together
      --at_once_;
      if (request.find(std::string("Bearer ") + (changed_ ? kNew : kOld)) == std::string::npos) {
        ++refused_;
        connection.Write(ScriptedServer::Reply("401 Unauthorized", ""));
        continue;
      }
      const json body = json::parse(request.substr(request.find("\r\n\r\n") + 4), nullptr, false);
      const json records = body.value("records", json::array());
      {
        const std::lock_guard lock(mutex_);
        for (const json& record : records) {
          ids_.insert(record.value("record_id", ""));
        }
      }
      connection.Write(ScriptedServer::Reply("200 OK", json{{"accepted", records.size()}}.dump(),
                                             "Content-Type: application/json\r\n"));
    }
  }
  void PublishTo(const std::vector<std::string>& lanes) {
    std::vector<MqttMessage> messages;
    for (std::size_t i = 0; i < 60 / lanes.size(); ++i) {
      for (const std::string& lane : lanes) {
        messages.push_back({"site/a/dev/17/" + lane, R"({"n":)" + std::to_string(sent_++) + "}"});
      }
    }
    MqttClient client(site_.broker().port());
    ASSERT_EQ(client.Publish(messages), messages.size());
  }

  void ExpectNothingFailed() {
    EXPECT_EQ(site_.Status()["ledger"]["rejected"], 0);
    EXPECT_EQ(site_.BridgeLog().find("destination_held"), std::string::npos);
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(ids_.size(), sent_);
  }

  const std::vector<std::string> all_lanes_ = {"urgent", "normal", "bulk"};
  std::atomic<int> at_once_{0};
  std::atomic<int> most_at_once_{0};
  std::atomic<bool> changed_{false};
  std::atomic<int> refused_{0};
  std::mutex mutex_;
  std::set<std::string> ids_;  // guarded by mutex_
  ScriptedServer cloud_{[this](ScriptedConnection& connection, int) { Serve(connection); }};
  Site site_;
  std::uint64_t sent_ = 0;
};

TEST_F(KeyRotation, UnderLoadFailsNoRecordAndHoldsNothing) {
  site_.StartBridge();
  for (int i = 0; i < 10; ++i) {
    changed_ = i >= 4;
    PublishTo(all_lanes_);
  }
  ASSERT_TRUE(site_.Settled(sent_));
  EXPECT_GE(refused_, 1);
  EXPECT_LE(refused_, 4) << "what was in flight, once each";
  WriteAll(site_.Path("old"), kNew, 0600);  // the rotation ends
  WriteAll(site_.Path("new"), kNew, 0600);
  PublishTo(all_lanes_);
  EXPECT_TRUE(site_.Settled(sent_));
  ExpectNothingFailed();
}

TEST_F(KeyRotation, WithFourRequestsOfOneLaneInFlightFailsNoRecordAndHoldsNothing) {
  json& destination = site_.config()["destinations"][0];
  destination["order"] = "any";
  destination["max_in_flight"] = 4;
  site_.StartBridge();
  for (int i = 0; i < 10; ++i) {
    changed_ = i >= 4;
    PublishTo({"normal"});
  }
  ASSERT_TRUE(site_.Settled(sent_));
  EXPECT_EQ(most_at_once_, 4);
  EXPECT_GE(refused_, 1);
  EXPECT_LE(refused_, 4) << "what was in flight, once each";
  ExpectNothingFailed();
}

}  // namespace
}  // namespace packhorse::test
