// kill -9 under load: P1 to P4 on real parts.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

int KillsFromEnvironment() {
  const char* text = std::getenv("PACKHORSE_KILLS");
  return text == nullptr ? 20 : std::atoi(text);
}

// Topic and sequence of the device for every message that the broker acknowledged.
std::size_t CountLines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// How many of the messages acknowledged to the fleet are not in the cloud's database.
std::size_t Missing(const Site& site) {
  std::this_thread::sleep_for(200ms);
  std::set<std::string> arrived;
  const RunResult rows = test::Run({"sqlite3", "-separator", " ", site.Path("cloud.db"),
                                    "SELECT topic, json_extract(measurements, '$.seq.value') FROM records"},
                                   "", {}, 60s);
  EXPECT_EQ(rows.exit_code, 0) << rows.err;
  std::istringstream lines(rows.out);
  for (std::string line; std::getline(lines, line);) {
    arrived.insert(line);
  }
  std::size_t missing = 0;
  std::istringstream wanted(ReadAll(site.Path("acknowledged")));
  for (std::string line; std::getline(wanted, line);) {
    missing += arrived.contains(line) ? 0U : 1U;
  }
  return missing;
}

TEST(Kill, RandomKillsUnderLoadLoseNothingAcknowledgedAndGiveNoSecondId) {
  MosquittoOptions options;
  options.max_inflight_messages = 100;
  Site site(options);
  // Some faults in a row must not take longer than the test waits.
  site.config()["destinations"][0]["retry"] = {{"max", "2s"}};
  site.StartBridge();
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const int kills = KillsFromEnvironment();
  Process fleet({Site::Bin("packhorse-fleet"), "--broker", "127.0.0.1:" + std::to_string(site.broker().port()),
                 "--devices", "50", "--rate", "1500", "--ack-log", site.Path("acknowledged")},
                site.Path("fleet.log"));
  for (int i = 0; i < kills; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300 + random() % 1'200));
    if (i % 5 == 1) {
      site.Admin("/admin/faults", R"([{"seconds":1.5,"fault":"reset"},{"requests":3,"fault":"lost_reply"},
                                      {"requests":5,"fault":"status","status":503}])");
    }
    site.KillBridge();
    site.StartBridge();
  }
  fleet.Stop(40s);
  const std::string log = ReadAll(site.Path("fleet.log"));
  const std::size_t acknowledged = CountLines(ReadAll(site.Path("acknowledged")));
  ASSERT_GT(acknowledged, 1'000U) << log;
  ASSERT_TRUE(site.Settled(acknowledged, 120s)) << site.Status().dump(2);
  // Whatever the broker acknowledged to a device gets to the cloud. What the broker sent twice counts as received too:
  // the count alone does not say that all of it is there.
  EXPECT_TRUE(WaitFor([&] { return Missing(site) == 0; })) << Missing(site) << " of " << acknowledged;
  // A second id is only allowed for what the broker sent again, and that is flagged.
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM (SELECT topic, json_extract(measurements, '$.seq.value') AS seq, part,"
                       " sum(flags NOT LIKE '%redelivered%') AS unflagged FROM records GROUP BY topic, seq, part"
                       " HAVING unflagged > 1)"),
            0);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0) << site.Cli({"ledger", "--check"}).out;
}

TEST(Kill, TwoHundredThousandMessagesAtFullSpeedAllArriveOnce) {
  Site site;
  site.config()["destinations"][0]["batch"] = {{"max_age", "200ms"}, {"max_records", 1000}};
  site.StartBridge();
  const RunResult fleet =
      test::Run({Site::Bin("packhorse-fleet"), "--broker", "127.0.0.1:" + std::to_string(site.broker().port()),
                 "--devices", "200", "--rate", "0", "--count", "200000"},
                "", {}, 120s);
  ASSERT_EQ(fleet.exit_code, 0) << fleet.err;
  const json totals = json::parse(fleet.out.substr(fleet.out.find('{')), nullptr, false);
  ASSERT_EQ(totals["acknowledged"], 200'000) << fleet.out;
  ASSERT_TRUE(site.Settled(200'000, 200s)) << site.Status().dump(2);
  EXPECT_EQ(site.Status()["ledger"]["received"], 200'000);
  EXPECT_EQ(site.Status()["ledger"]["delivered"], 200'000);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM (SELECT DISTINCT lane, sequence FROM records)"), 200'000);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies > 1"), 0);
}

}  // namespace
}  // namespace packhorse::test
