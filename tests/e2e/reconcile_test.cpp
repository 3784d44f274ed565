// What the cloud has is compared with what was delivered, on real parts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

// Up to an hour from now: the present hour too.
json Reconcile(const Site& site, int exit_code) {
  const RunResult ran = site.Cli({"reconcile", "cloud", "--to", "2100-01-01T00:00:00Z", "--json"});
  EXPECT_EQ(ran.exit_code, exit_code) << ran.out << ran.err;
  const json answer = json::parse(ran.out, nullptr, false);
  return answer.is_object() ? answer["destinations"].at(0) : json::object();
}

json OpenGaps(const Site& site) {
  json gaps = json::array();
  const json events = json::parse(site.Cli({"events", "--json"}).out);
  for (const json& event : events["open"]) {
    if (event["name"] == "reconciliation_gap") {
      gaps.push_back(event);
    }
  }
  return gaps;
}

TEST(Reconcile, ARecordThatTheCloudLostIsFoundAndAReplayMendsIt) {
  Site site;
  site.config()["streams"][0]["retain_delivered"] = "1h";
  site.StartBridge();
  site.Publish(40);
  ASSERT_TRUE(site.Settled(40));
  json report = Reconcile(site, 0);
  EXPECT_EQ(report["state"], "equal") << report;
  EXPECT_GE(report["equal"], 1) << report;
  EXPECT_EQ(report["unsure"], 0) << report;
  EXPECT_EQ(OpenGaps(site), json::array());

  const std::string id = site.Status()["queue"]["id"];
  site.Admin("/admin/forget", json({{"record_id", id + ".n.7"}}).dump());
  ASSERT_EQ(site.CloudRecords(), 39);
  report = Reconcile(site, 1);
  ASSERT_EQ(report["differences"].size(), 1U) << report;
  const json difference = report["differences"][0];
  EXPECT_EQ(difference["what"], "missing");
  EXPECT_EQ(difference["delivered"].get<int>() - difference["cloud"].get<int>(), 1);
  ASSERT_EQ(OpenGaps(site).size(), 1U);
  const std::string command = difference["replay"];
  EXPECT_THAT(OpenGaps(site)[0]["message"].get<std::string>(), HasSubstr(command));
  EXPECT_THAT(site.Cli({"reconcile", "--to", "2100-01-01T00:00:00Z"}).out, HasSubstr(command));

  // What a restart has forgotten of the journal is in the database: the hashes too.
  site.KillBridge();
  site.StartBridge();
  EXPECT_EQ(Reconcile(site, 1)["differences"].size(), 1U);
  ASSERT_EQ(OpenGaps(site).size(), 1U);

  std::vector<std::string> words;
  std::istringstream stream(command);
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  words.erase(words.begin());  // packhorse
  ASSERT_EQ(site.Cli(words).exit_code, 0);
  ASSERT_TRUE(WaitFor([&] { return site.CloudRecords() == 40; }, 20s));
  ASSERT_TRUE(WaitFor(
      [&] {
        std::this_thread::sleep_for(100ms);
        Reconcile(site, 0);
        return OpenGaps(site) == json::array();
      },
      20s));
}

TEST(Reconcile, AnotherValueOfAMeasurementIsFoundByItsSum) {
  Site site;
  site.config()["destinations"][0]["reconcile"] = {{"sums", {"temperature", "seq"}}};
  site.StartBridge();
  site.Publish(40);
  ASSERT_TRUE(site.PublishRaw(R"({"temperature":-0.000000000001})"));
  ASSERT_TRUE(site.PublishRaw(R"({"state":"on"})"));
  ASSERT_TRUE(site.Settled(42));
  EXPECT_EQ(Reconcile(site, 0)["state"], "equal");

  const std::string id = site.Status()["queue"]["id"];
  site.Admin("/admin/falsify",
             json({{"record_id", id + ".n.7"}, {"measurement", "temperature"}, {"value", 22}}).dump());
  const json report = Reconcile(site, 1);
  ASSERT_EQ(report["differences"].size(), 1U) << report;
  const json& difference = report["differences"][0];
  EXPECT_EQ(difference["what"], "sum");
  EXPECT_EQ(difference["delivered"], difference["cloud"]);
  EXPECT_FALSE(difference.contains("replay"));
  ASSERT_EQ(difference["sums"].size(), 1U) << report;
  EXPECT_EQ(difference["sums"][0]["measurement"], "temperature");
  const std::string ours = difference["sums"][0]["delivered"];
  EXPECT_THAT(ours, testing::EndsWith("9.999999999999")) << "exact";
  ASSERT_EQ(OpenGaps(site).size(), 1U);
  EXPECT_THAT(OpenGaps(site)[0]["message"].get<std::string>(), HasSubstr("the sum of temperature was " + ours));
  EXPECT_THAT(site.Cli({"reconcile", "--to", "2100-01-01T00:00:00Z"}).out, HasSubstr("sum of temperature"));

  site.KillBridge();
  site.StartBridge();
  EXPECT_EQ(Reconcile(site, 1)["differences"][0]["sums"], difference["sums"]) << "sums survive a kill";
}

TEST(Reconcile, AnApiThatDoesNotTellIsNoFault) {
  Site site;
  site.config()["destinations"][0]["contract"] = "packhorse-ingest@1.1";
  site.StartBridge();
  site.Publish(5);
  ASSERT_TRUE(site.Settled(5));
  const json report = Reconcile(site, 0);
  EXPECT_EQ(report["state"], "not_offered") << report;
}

}  // namespace
}  // namespace packhorse::test
