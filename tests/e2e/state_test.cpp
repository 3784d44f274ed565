// What `status` says of a site, and its exit code, while something is or was wrong; on real parts.

#include <gtest/gtest.h>

#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

bool Becomes(const Site& site, const std::string& state, std::chrono::seconds timeout = 30s) {
  return WaitFor(
      [&] {
        std::this_thread::sleep_for(100ms);
        return site.Status()["state"] == state;
      },
      timeout);
}

bool HasReason(const Site& site, const std::string& words, std::chrono::seconds timeout = 30s) {
  return WaitFor(
      [&] {
        std::this_thread::sleep_for(100ms);
        return site.Status()["reasons"].dump().find(words) != std::string::npos;
      },
      timeout);
}

json Where(const Site& site, int sequence) {
  const std::string id = json::parse(site.Cli({"queue", "stats", "--json"}).out)["id"];
  const RunResult answer = site.Cli({"where", id + ".n." + std::to_string(sequence), "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  const json where = json::parse(answer.out);
  return where["destinations"].empty() ? json() : where["destinations"][0];
}

TEST(State, LostMessagesDegradeUntilSomebodyKnowsAndAreNamedOneByOne) {
  Site site;
  site.config()["queue"]["max_records"] = 100;
  site.config()["destinations"][0]["batch"]["max_records"] = 10;
  site.StartBridge();
  site.KillCloud();
  site.Publish(160);
  ASSERT_TRUE(HasReason(site, "messages_dropped 'cloud'"));
  site.StartCloud();
  ASSERT_TRUE(site.Settled(160));
  EXPECT_EQ(site.Status()["state"], "degraded") << "though all is over";
  EXPECT_EQ(site.StopBridge(), 0);
  site.StartBridge();
  EXPECT_TRUE(HasReason(site, "messages_dropped 'cloud'")) << "a restart is no reason to forget it";
  EXPECT_EQ(site.Cli({"status"}).exit_code, 1);
  for (int start = 0; start < 2; ++start) {
    const json lost = Where(site, 30);  // the first 20 are in batches
    ASSERT_EQ(lost["state"], "dropped") << lost;
    EXPECT_EQ(lost["certain"], true);
    EXPECT_EQ(lost["given_up"]["reason"], "max_records");
    EXPECT_TRUE(lost["given_up"]["from_at"].is_string());
    EXPECT_EQ(Where(site, 160)["state"], "delivered");
    if (start == 0) {
      EXPECT_EQ(site.Cli({"events", "ack", "messages_dropped"}).exit_code, 1) << "which one?";
      EXPECT_EQ(site.Cli({"events", "ack", "messages_dropped", "cloud"}).exit_code, 0);
      EXPECT_TRUE(Becomes(site, "ok")) << site.Status()["reasons"];
      EXPECT_EQ(site.Cli({"status"}).exit_code, 0);
      EXPECT_NE(site.Cli({"events"}).out.find("acknowledged"), std::string::npos);
      EXPECT_EQ(site.StopBridge(), 0);
      site.StartBridge();
    }
  }
  EXPECT_TRUE(Becomes(site, "ok")) << "somebody knows: " << site.Status()["reasons"];
  EXPECT_NE(site.Cli({"events"}).out.find("acknowledged"), std::string::npos);
}

TEST(State, ACloudThatWasNeverReachedIsNamed) {
  Site site;
  site.KillCloud();
  site.StartBridge();
  site.Publish(1);
  EXPECT_TRUE(HasReason(site, "destination 'cloud': never reached yet"));
  EXPECT_NE(site.Status()["state"], "ok");
  EXPECT_EQ(site.Cli({"status"}).exit_code, 1);
  site.StartCloud();
  EXPECT_TRUE(Becomes(site, "ok")) << site.Status()["reasons"];
}

TEST(State, ACloudThatAnswersAfterSecondsIsSlow) {
  Site site;
  site.Admin("/admin/faults", R"([{"requests":50,"fault":"slow","delay_ms":5500}])");
  site.StartBridge();
  site.Publish(1);
  EXPECT_TRUE(HasReason(site, "destination 'cloud': slow")) << site.Status();
  EXPECT_EQ(site.Cli({"status"}).exit_code, 1);
}

}  // namespace
}  // namespace packhorse::test
