// What goes wrong around the bridge, on real parts: nothing is lost, the status says what is wrong, and it heals.

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// Reasons of the status in one line.
std::string Reasons(const json& status) { return status["reasons"].dump(); }

// How long the other side stays away.
std::chrono::seconds Outage(std::chrono::seconds usual) {
  const char* asked = std::getenv("PACKHORSE_OUTAGE_SECONDS");
  return asked == nullptr ? usual : std::chrono::seconds(std::atoi(asked));
}

TEST(Recovery, MessagesArriveInTheCloudEachOnce) {
  Site site;
  site.StartBridge();
  site.Publish(1'000);
  ASSERT_TRUE(site.Settled(1'000));
  EXPECT_EQ(site.CloudRecords(), 1'000);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies > 1"), 0);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE device_id = '17'"), 1'000);
  EXPECT_EQ(site.Status()["state"], "ok");
}

TEST(Recovery, CloudGoneThenBackLosesNothingAndSaysSinceWhen) {
  Site site;
  site.StartBridge();
  site.KillCloud();
  site.Publish(500);
  ASSERT_TRUE(site.DestinationIs("retrying"));
  const json status = site.Status();
  EXPECT_EQ(status["state"], "degraded");
  EXPECT_NE(Reasons(status).find("cloud"), std::string::npos) << status;
  EXPECT_FALSE(site.Destination()["since"].get<std::string>().empty());
  std::this_thread::sleep_for(Outage(12s));
  site.StartCloud();
  // A probe at most every five seconds notices the return.
  ASSERT_TRUE(site.Settled(500, 20s));
  EXPECT_EQ(site.CloudRecords(), 500);
  EXPECT_TRUE(site.DestinationIs("ok"));
}

TEST(Recovery, BrokerRestartedAndGoneForAWhileLosesNothingAcknowledged) {
  MosquittoOptions options;
  options.persistence = true;
  Site site(options);
  site.StartBridge();
  site.Publish(200);
  site.broker().Restart();
  ASSERT_TRUE(WaitFor([&] { return site.BridgeConnected(); }));
  site.Publish(200);
  site.broker().Stop();
  ASSERT_TRUE(WaitFor([&] { return !site.BridgeConnected(); }));
  const json status = site.Status();
  EXPECT_NE(status["state"], "ok");
  EXPECT_NE(Reasons(status).find("plant"), std::string::npos) << status;
  std::this_thread::sleep_for(Outage(8s));
  site.broker().Start();
  ASSERT_TRUE(WaitFor([&] { return site.BridgeConnected(); }, 70s));  // the default of `reconnect_max` is a minute
  site.Publish(200);
  ASSERT_TRUE(site.Settled(600));
  // The broker may have sent some of them twice: 600 received is not yet all 600 of them.
  EXPECT_TRUE(WaitFor([&] {
    std::this_thread::sleep_for(100ms);
    return site.Cloud("SELECT count(DISTINCT json_extract(measurements, '$.seq.value')) FROM records") == 600;
  }));
}

TEST(Recovery, WrongUrlHoldsAndReloadOfTheMendedConfigurationHealsAtOnce) {
  Site site;
  const std::string right = site.config()["destinations"][0]["url"];
  site.config()["destinations"][0]["url"] = right + "/wrong/place";
  site.StartBridge();
  site.Publish(100);
  ASSERT_TRUE(site.DestinationIs("held"));
  EXPECT_NE(site.Destination()["reason"].get<std::string>().find("404"), std::string::npos) << site.Destination();
  EXPECT_TRUE(WaitFor([&] { return site.Destination()["pending"] == 100; })) << site.Destination();
  EXPECT_EQ(site.Cli({"status"}).exit_code, 1);
  site.config()["destinations"][0]["url"] = right;
  site.WriteConfig();
  const RunResult reload = site.Cli({"reload"});
  EXPECT_EQ(reload.exit_code, 0) << reload.out << reload.err;
  ASSERT_TRUE(site.Settled(100, 10s));
  EXPECT_EQ(site.CloudRecords(), 100);
  EXPECT_EQ(site.Status()["state"], "ok");
}

TEST(Recovery, WrongTokenHoldsAndATokenMendedOnTheOtherSideHealsByItself) {
  Site site;
  site.Admin("/admin/settings", R"({"token":"another"})");
  site.StartBridge();
  site.Publish(50);
  ASSERT_TRUE(site.DestinationIs("held"));
  EXPECT_NE(site.Destination()["reason"].get<std::string>().find("401"), std::string::npos);
  EXPECT_EQ(site.BridgeLog().find("right-token"), std::string::npos) << "a secret was logged";
  site.Admin("/admin/settings", R"({"token":"right-token"})");
  // The first probe of a held destination comes after a minute, jittered.
  ASSERT_TRUE(site.Settled(50, 80s));
  EXPECT_EQ(site.CloudRecords(), 50);
}

TEST(Recovery, RotatedTokenFileIsReadOnReload) {
  Site site;
  WriteAll(site.Path("cloud.token"), "old-token", 0600);
  site.StartBridge();
  site.Publish(10);
  ASSERT_TRUE(site.DestinationIs("held"));
  WriteAll(site.Path("cloud.token"), "right-token", 0600);
  EXPECT_EQ(site.Cli({"reload"}).exit_code, 0);
  ASSERT_TRUE(site.Settled(10, 10s));
}

TEST(Recovery, ServerErrorsAreRetriedUntilTheyEnd) {
  Site site;
  site.Admin("/admin/faults", R"([{"seconds":6,"fault":"status","status":500}])");
  site.StartBridge();
  site.Publish(300);
  ASSERT_TRUE(site.DestinationIs("retrying"));
  EXPECT_NE(site.Destination()["reason"].get<std::string>().find("500"), std::string::npos);
  ASSERT_TRUE(site.Settled(300));
  EXPECT_EQ(site.CloudRecords(), 300);
}

TEST(Recovery, ReplyLostAfterCommitIsSentAgainAndRecognised) {
  Site site;
  site.Admin("/admin/faults", R"([{"requests":3,"fault":"lost_reply"}])");
  site.StartBridge();
  site.Publish(100);
  ASSERT_TRUE(site.Settled(100));
  EXPECT_EQ(site.CloudRecords(), 100) << "a record got a second id";
  EXPECT_GE(site.Destination()["possible_duplicates"], 1);
}

TEST(Recovery, ThrottlingIsObeyed) {
  Site site;
  site.Admin("/admin/faults", R"([{"requests":1,"fault":"status","status":429,"headers":{"Retry-After":"3"}}])");
  site.StartBridge();
  site.Publish(10);
  ASSERT_TRUE(site.DestinationIs("throttled"));
  EXPECT_GT(site.Destination()["next_attempt_in_ms"], 1'000);
  ASSERT_TRUE(site.Settled(10));
  EXPECT_EQ(site.Destination()["replies"]["429"], 1);
}

TEST(Recovery, HtmlPageInsteadOfAReplyIsNoSuccess) {
  Site site;
  site.Admin("/admin/faults", R"([{"requests":1000,"fault":"html","status":200}])");
  site.StartBridge();
  site.Publish(10);
  ASSERT_TRUE(site.DestinationIs("held"));
  site.Admin("/admin/faults", "[]");
  EXPECT_EQ(site.Status()["ledger"]["delivered"], 0);
  EXPECT_EQ(site.Cli({"resume", "cloud"}).exit_code, 0);
  ASSERT_TRUE(site.Settled(10));
  EXPECT_EQ(site.CloudRecords(), 10);
}

TEST(Recovery, RecordThatAPartialSuccessNamesIsSetAsideAndTriedAgain) {
  Site site;
  site.Admin("/admin/faults", R"([{"requests":1,"fault":"partial","rejected":1,"retry":2}])");
  site.config()["destinations"][0]["batch"]["max_age"] = "1s";
  site.StartBridge();
  site.Publish(10);
  ASSERT_TRUE(WaitFor([&] { return site.CloudRecords() == 9 && site.Destination()["suspects"] == 1; }));
  EXPECT_EQ(site.Status()["ledger"]["pending"], 1);
  EXPECT_NE(site.BridgeLog().find("suspects"), std::string::npos);
  EXPECT_EQ(site.Cli({"resume", "cloud"}).exit_code, 0);
  ASSERT_TRUE(site.Settled(10));
  EXPECT_EQ(site.CloudRecords(), 10);
  EXPECT_EQ(site.Status()["ledger"]["rejected"], 0);
}

TEST(Recovery, WhereAnswersFromTheDaemonAndFromTheFileOfAStoppedOne) {
  Site site;
  site.StartBridge();
  site.Publish(1);
  ASSERT_TRUE(site.Settled(1));
  const std::string id = json::parse(site.Cli({"queue", "stats", "--json"}).out)["id"];
  const RunResult running = site.Cli({"where", id + ".n.1"});
  EXPECT_EQ(running.exit_code, 0) << running.out << running.err;
  EXPECT_NE(running.out.find("delivered"), std::string::npos) << running.out;
  EXPECT_EQ(site.Cli({"where", id + ".n.2"}).exit_code, 1);
  EXPECT_EQ(site.Cli({"where", "other.n.1"}).exit_code, 1);
  EXPECT_EQ(site.Cli({"where", "nonsense"}).exit_code, 2);
  EXPECT_EQ(site.StopBridge(), 0);
  const RunResult stopped = site.Cli({"--config", site.Path("packhorse.json"), "where", id + ".n.1"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped.out << stopped.err;
  EXPECT_EQ(stopped.out.rfind("from the file ", 0), 0U) << stopped.out;
  EXPECT_NE(stopped.out.find("delivered"), std::string::npos) << stopped.out;
}

TEST(Recovery, DamagedDatabaseEndsTheDaemonAndTheNextStartSavesWhatIsLeft) {
  Site site;
  site.config()["destinations"][0]["batch"]["max_age"] = "1h";  // everything waits in the segments, nothing in a batch
  site.StartBridge();
  const std::string before = json::parse(site.Cli({"queue", "stats", "--json"}).out)["id"];
  site.KillCloud();
  for (int i = 0; i < 3; ++i) {
    site.Publish(50);
    EXPECT_EQ(site.StopBridge(), 0);  // each end makes rows of its own
    site.StartBridge();
  }
  EXPECT_EQ(site.StopBridge(), 0);
  const std::string middle = "(SELECT id FROM segments ORDER BY id LIMIT 1 OFFSET 1)";
  const RunResult harmed =
      test::Run({"sqlite3", site.Path("queue.db"), "UPDATE segments SET blob = zeroblob(9) WHERE id = " + middle});
  ASSERT_EQ(harmed.exit_code, 0) << harmed.err;
  site.StartCloud();
  site.LaunchBridge();
  EXPECT_EQ(site.bridge().Wait(20s), 74) << site.BridgeLog();
  site.StartBridge();
  ASSERT_TRUE(WaitFor([&] {
    site.Cli({"flush"});
    return site.Status()["ledger"]["pending"] == 0;
  }));
  const json ledger = site.Status()["ledger"];
  EXPECT_EQ(ledger["received"], 150) << ledger;
  EXPECT_EQ(ledger["dropped"], 150 - site.CloudRecords()) << ledger;
  EXPECT_LT(site.CloudRecords(), 150);
  EXPECT_GE(site.CloudRecords(), 50);
  EXPECT_NE(json::parse(site.Cli({"queue", "stats", "--json"}).out)["id"], before);
  EXPECT_NE(site.BridgeLog().find("queue_salvaged"), std::string::npos);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

TEST(Recovery, BrokenPayloadsAreQuarantinedAndTheRestArrives) {
  Site site;
  site.StartBridge();
  std::string deep;
  for (int i = 0; i < 5'000; ++i) {
    deep += "{\"a\":";
  }
  const std::vector<std::string> bad = {"",
                                        "{\"a\":",
                                        std::string("\xff\xfe\x00\x01", 4),
                                        "{\"unit\":\"\xb0"
                                        "C\"}",
                                        deep,
                                        "{\"t\":NaN}",
                                        "<xml/>",
                                        "{\"img\":\"" + std::string(2'000'000, 'A') + "\"}"};
  for (const std::string& payload : bad) {
    EXPECT_TRUE(site.PublishRaw(payload));
  }
  site.Publish(5);
  ASSERT_TRUE(site.Settled(bad.size() + 5));
  const json ledger = site.Status()["ledger"];
  EXPECT_EQ(ledger["quarantined"], bad.size()) << ledger;
  EXPECT_EQ(ledger["delivered"], 5);
  EXPECT_EQ(site.CloudRecords(), 5);
}

TEST(Recovery, TerminationDrainsWithinItsDeadlineAndLosesNothing) {
  Site site;
  site.StartBridge();
  site.Publish(2'000);
  EXPECT_EQ(site.StopBridge(), 0) << site.BridgeLog();
  site.StartBridge();
  ASSERT_TRUE(site.Settled(2'000));
  EXPECT_EQ(site.CloudRecords(), 2'000);
}

TEST(Recovery, BadConfigurationOnReloadIsRefusedAndTheOldOneStays) {
  Site site;
  site.StartBridge();
  WriteAll(site.Path("packhorse.json"), R"({"gateway":{"id":""},"sources":[]})");
  const RunResult reload = site.Cli({"reload"});
  EXPECT_NE(reload.exit_code, 0);
  EXPECT_NE((reload.out + reload.err).find("/gateway/id"), std::string::npos) << reload.out << reload.err;
  site.bridge().Signal(SIGHUP);
  site.Publish(20);
  ASSERT_TRUE(site.Settled(20));
  EXPECT_EQ(site.CloudRecords(), 20);
}

TEST(Recovery, WhatOnlyARestartCanChangeIsSaidOnReload) {
  Site site;
  site.StartBridge();
  site.config()["queue"]["durability"] = {{"mode", "strict"}, {"window", "5s"}};
  site.WriteConfig();
  const RunResult reload = site.Cli({"reload"});
  EXPECT_EQ(reload.exit_code, 0) << reload.err;
  const std::string said = reload.out + reload.err;
  EXPECT_NE(said.find("/queue/durability/mode: strict takes effect with the next restart"), std::string::npos) << said;
  EXPECT_NE(said.find("/queue/durability/window: 5s takes effect"), std::string::npos) << said;
}

}  // namespace
}  // namespace packhorse::test
