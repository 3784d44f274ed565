// A destination that is added while the daemon runs, on real parts.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Does something over and over, in a thread of its own, until it is told to stop.
class Meanwhile {
 public:
  template <typename Do>
  explicit Meanwhile(Do each)
      : thread_([this, each] {
          while (!stop_) {
            const auto begin = Clock::now();
            each();
            longest_ = std::max(longest_, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin));
            ++times_;
          }
        }) {}
  ~Meanwhile() { Stop(); }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  // After Stop().
  std::chrono::milliseconds longest() const { return longest_; }
  int times() const { return times_; }

 private:
  std::atomic<bool> stop_{false};
  std::chrono::milliseconds longest_{0};
  std::atomic<int> times_{0};
  std::thread thread_;
};

TEST(Start, ADestinationAddedByReloadGetsWhatIsKeptOrWhatComesByChoice) {
  Site site;
  site.config()["streams"][0]["retain_delivered"] = "1h";
  site.StartBridge();
  site.Publish(20);
  ASSERT_TRUE(site.Settled(20));
  json& destinations = site.config()["destinations"];
  for (const char* start : {"oldest", "now"}) {
    json added = destinations[0];
    added["name"] = std::string("from_") + start;
    added["start"] = start;
    destinations.push_back(added);
  }
  site.config()["streams"][0]["destinations"] = {"cloud", "from_oldest", "from_now"};
  site.WriteConfig();
  const RunResult reloaded = site.Cli({"reload"});
  ASSERT_EQ(reloaded.exit_code, 0) << reloaded.err;
  EXPECT_TRUE(site.Settled(40));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 2"), 20);
  site.Publish(10);
  EXPECT_TRUE(site.Settled(70));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 3"), 10);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 2"), 20);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

// A second destination for the stream, from the oldest on.
void ConfigureArchive(Site& site) {
  json archive = site.config()["destinations"][0];
  archive["name"] = "archive";
  archive["start"] = "oldest";
  site.config()["destinations"].push_back(archive);
  site.config()["streams"][0]["destinations"] = {"cloud", "archive"};
  site.WriteConfig();
}

// The longest time without an arrival is seen in the stamps that the daemon gives.
TEST(Start, WhileWhatIsStoredIsCountedArrivalsAndAnswersGoOnAndEachMessageGoesOnce) {
  constexpr std::size_t kStored = 300'000;
  Site site;
  site.StartBridge();
  ASSERT_EQ(site.Cli({"pause"}).exit_code, 0);
  for (std::size_t sent = 0; sent < kStored; sent += 50'000) {
    site.Publish(50'000);
  }
  ASSERT_TRUE(WaitFor([&] { return site.Status()["ledger"]["received"] == kStored; }, 60s));
  ConfigureArchive(site);

  std::atomic<std::size_t> live{0};
  std::optional<MqttClient> client(site.broker().port());
  Meanwhile arrivals([&] {
    std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(client->Publish(MqttMessage{"site/a/dev/live/telemetry", R"({"temperature":21.5})"}));
    ++live;
  });
  Meanwhile answers([&] { EXPECT_TRUE(site.Status().is_object()); });
  ASSERT_TRUE(WaitFor([&] { return live > 100 && answers.times() > 2; }));
  const auto begin = Clock::now();
  const RunResult reloaded = site.Cli({"reload", "--json"});
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  answers.Stop();
  arrivals.Stop();
  ASSERT_EQ(reloaded.exit_code, 0) << reloaded.out << reloaded.err;
  EXPECT_NE(reloaded.out.find("'archive' added; stored messages that wait for it: 300"), std::string::npos)
      << reloaded.out;

  const auto all = static_cast<std::int64_t>(kStored + live);
  EXPECT_TRUE(WaitFor([&] { return site.CloudRecords() >= all; }, 120s));
  EXPECT_EQ(site.CloudRecords(), all);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies <> 1"), 0);
  const std::int64_t pause = site.Cloud(
      "SELECT max(gap) FROM (SELECT 86400000 * (julianday(server_received_at) - julianday(lag(server_received_at) OVER"
      " (ORDER BY server_received_at))) AS gap FROM records WHERE device_id = 'live')");
  std::cout << "the reload took " << took.count() << " ms; longest time without an arrival " << pause
            << " ms, for a status " << answers.longest().count() << " ms\n";
  EXPECT_LT(pause, 1'000);
  EXPECT_LT(answers.longest(), 2s);
  ASSERT_EQ(site.Cli({"resume"}).exit_code, 0);
  EXPECT_TRUE(site.Settled(2 * static_cast<std::uint64_t>(all), 120s));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies <> 2"), 0);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

TEST(Start, AReloadThatCannotCountWhatIsStoredIsRefusedOnceAndChangesNothing) {
  Site site;
  site.StartBridge();
  ASSERT_EQ(site.Cli({"pause"}).exit_code, 0);
  site.Publish(20);
  ASSERT_TRUE(WaitFor([&] {
    const RunResult stored = test::Run({"sqlite3", site.Path("queue.db"), "SELECT total(messages) FROM segments"});
    return stored.out == "20.0\n";
  }));
  ASSERT_EQ(
      test::Run({"sqlite3", site.Path("queue.db"), "UPDATE segments SET blob = zeroblob(length(blob))"}).exit_code, 0);
  ConfigureArchive(site);
  const RunResult reloaded = site.Cli({"reload"});
  EXPECT_EQ(reloaded.exit_code, 78) << reloaded.out << reloaded.err;
  EXPECT_NE(reloaded.out.find("the old configuration stays in force"), std::string::npos) << reloaded.out;
  // What is damaged only the next start can salvage.
  ASSERT_TRUE(WaitFor([&] { return site.BridgeLog().find("queue_damaged") != std::string::npos; }));
  const std::string log = site.BridgeLog();
  const std::size_t refused = log.find("config_problem");
  ASSERT_NE(refused, std::string::npos);
  EXPECT_EQ(log.find("config_problem", refused + 1), std::string::npos);
  EXPECT_EQ(log.find("config_reloaded"), std::string::npos);
}

// Only the unit gives a credential: without it no later start does better, so the service manager must not try again.
TEST(Start, ACredentialThatTheServiceDoesNotGiveEndsTheDaemonAsABadConfiguration) {
  Site site;
  site.config()["destinations"][0]["auth"] = {{"type", "bearer"}, {"token", {{"credential", "cloud-token"}}}};
  for (const std::string& folder : {std::string(), site.Path("no-such-folder"), site.Path("")}) {
    SCOPED_TRACE(folder);
    site.LaunchBridge(folder.empty() ? std::map<std::string, std::string>{}
                                     : std::map<std::string, std::string>{{"CREDENTIALS_DIRECTORY", folder}});
    EXPECT_EQ(site.bridge().Wait(10s), 78);
    EXPECT_NE(site.BridgeLog().find("cloud-token"), std::string::npos) << site.BridgeLog();
  }
}

}  // namespace
}  // namespace packhorse::test
