// A cloud that lost what it had gets it again, on real parts.

#include <gtest/gtest.h>

#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

json Replay(const Site& site) { return json::parse(site.Cli({"replay", "list", "--json"}).out)["replays"].back(); }

TEST(Replay, ACloudThatLostItsDataGetsItAgainAlsoAcrossAKill) {
  Site site;
  site.config()["streams"][0]["retain_delivered"] = "1h";
  const std::string stream = site.config()["streams"][0]["name"];
  site.StartBridge();
  site.Publish(50);
  ASSERT_TRUE(site.Settled(50));
  site.KillCloud();
  test::Run({"sh", "-c", "rm -f " + site.Path("cloud.db") + "*"});
  site.StartCloud();
  const std::vector<std::string> ask = {"replay", "--stream", stream, "--from", "1h", "--to", "0s"};
  std::vector<std::string> wrong = ask;
  wrong.insert(wrong.end(), {"--destination", "clout"});
  EXPECT_NE(site.Cli(wrong).err.find("no destination is named 'clout'; there is: cloud"), std::string::npos);
  std::vector<std::string> right = ask;
  right.insert(right.end(), {"--destination", "cloud", "--rate", "10"});
  const RunResult begun = site.Cli(right);
  ASSERT_EQ(begun.exit_code, 0) << begun.err;
  ASSERT_TRUE(WaitFor([&] { return site.CloudRecords() >= 10; }, 20s));
  EXPECT_EQ(site.Status()["replays"].size(), 1U);
  site.KillBridge();
  EXPECT_LT(site.CloudRecords(), 50);
  site.StartBridge();
  ASSERT_TRUE(WaitFor(
      [&] {
        std::this_thread::sleep_for(100ms);
        return Replay(site)["state"] == "done";
      },
      20s));
  EXPECT_EQ(Replay(site)["delivered"], 50);
  EXPECT_EQ(site.CloudRecords(), 50);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE flags LIKE '%replayed%'"), 50);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies > 1"), 0) << "the same bytes under the same key";
  const json status = site.Status();
  EXPECT_EQ(status["queue"]["retained_messages"], 50) << status["queue"];
  const json& ledger = status["ledger"];
  EXPECT_EQ(ledger["received"], 50);
  EXPECT_EQ(ledger["delivered"], 50);
  EXPECT_EQ(ledger["replayed"], 50);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

}  // namespace
}  // namespace packhorse::test
