// A newer contract comes into use on real parts: a good one gets all devices, a bad one none.

#include <gtest/gtest.h>

#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int kRollingDevices = 20;

class Rollout : public ::testing::Test {
 protected:
  Rollout() {
    json& destination = site_.config()["destinations"][0];
    destination["contract"] = "packhorse-ingest@1.0";
    destination["batch"]["max_records"] = 20;
    destination["rollout"] = {
        {"contract", "packhorse-ingest@1.1"}, {"steps", {10, 50, 100}}, {"hold", "1s"}, {"min_records", 5}};
  }

  void Round() {
    for (int device = 0; device < kRollingDevices; ++device) {
      site_.Publish(1, "press-" + std::to_string(device));
    }
    published_ += kRollingDevices;
  }
  json State() { return site_.Destination().value("rollout", json::object()); }
  bool RoundsUntil(const std::string& state) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (State().value("state", "") != state) {
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << site_.Destination();
        return false;
      }
      Round();
    }
    return true;
  }
  void ExpectAllStoredOnce() {
    ASSERT_TRUE(site_.Settled(published_)) << site_.Status()["ledger"];
    EXPECT_EQ(site_.Status()["ledger"]["delivered"], published_);
    EXPECT_EQ(site_.CloudRecords(), static_cast<std::int64_t>(published_));
    EXPECT_EQ(site_.Status()["queue"]["dead_letters"], 0);
  }

  Site site_;
  std::uint64_t published_ = 0;
};

TEST_F(Rollout, GoodContractGetsAllDevicesAlsoWhenTheDaemonIsKilled) {
  site_.StartBridge();
  EXPECT_EQ(State()["percent"], 10);
  EXPECT_EQ(site_.Cli({"rollout", "cloud", "pause"}).exit_code, 0);
  EXPECT_EQ(site_.Cli({"rollout", "advance"}).exit_code, 0);
  EXPECT_EQ(State()["percent"], 50);
  EXPECT_EQ(site_.Cli({"rollout", "pause"}).exit_code, 0);
  Round();
  std::this_thread::sleep_for(1'500ms);  // where it stands is written within a second
  site_.KillBridge();
  site_.StartBridge();
  EXPECT_EQ(State()["percent"], 50);
  EXPECT_EQ(State()["state"], "paused");
  EXPECT_NE(site_.Cli({"rollout"}).out.find("50 % of the devices, paused"), std::string::npos);
  EXPECT_EQ(site_.Cli({"rollout", "cloud", "resume"}).exit_code, 0);
  RoundsUntil("finished");
  EXPECT_NE(site_.Status()["events"].dump().find("rollout_finished"), std::string::npos);
  ExpectAllStoredOnce();
  site_.config()["destinations"][0]["contract"] = "packhorse-ingest@1.1";
  site_.config()["destinations"][0].erase("rollout");
  site_.WriteConfig();
  EXPECT_EQ(site_.Cli({"reload"}).exit_code, 0);
  EXPECT_TRUE(WaitFor([&] { return site_.Status()["events"].dump().find("rollout_finished") == std::string::npos; }));
  Round();
  ExpectAllStoredOnce();
}

TEST_F(Rollout, BadContractIsRolledBackByItselfAndStaysSoWhenTheDaemonIsKilled) {
  const json contract = {{"contract", "newer-ingest@1.0"},
                         {"request",
                          {{"method", "POST"},
                           {"path", "/v9/nowhere"},
                           {"body", {{"json", {{"points", "{items}"}}}}},
                           {"item", {{"id", "{record_id}"}, {"values", "{fields}"}}}}},
                         {"time", "device_or_received"},
                         {"accepts", {{"max_items", 100}, {"max_bytes", "1MiB"}}},
                         {"response", {{{"status", 200}, {"verdict", "accepted"}}}}};
  ASSERT_EQ(test::Run({"mkdir", "-p", site_.Path("contracts")}).exit_code, 0);
  WriteAll(site_.Path("contracts/newer-ingest@1.0.json"), contract.dump());
  json& rollout = site_.config()["destinations"][0]["rollout"];
  rollout["contract"] = "newer-ingest@1.0";
  rollout["steps"] = {50, 100};
  site_.StartBridge();
  RoundsUntil("rolled_back");
  EXPECT_NE(State()["reason"].get<std::string>().find("404"), std::string::npos) << State();
  EXPECT_NE(site_.Status()["events"].dump().find("rollout_rolled_back"), std::string::npos);
  EXPECT_EQ(site_.Destination()["state"], "ok");
  std::this_thread::sleep_for(1'500ms);
  site_.KillBridge();
  site_.StartBridge();
  EXPECT_EQ(State()["state"], "rolled_back");
  Round();
  ExpectAllStoredOnce();
  EXPECT_NE(site_.Cli({"rollout", "cloud", "pause"}).exit_code, 0) << "there is nothing to pause";
}

}  // namespace
}  // namespace packhorse::test
