// Somebody looks on while a flood comes, on real parts.

#include <gtest/gtest.h>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

TEST(Observer, AFloodThatIsFollowedIsAcknowledgedAndDeliveredAndWhatIsNotShownIsCounted) {
  constexpr int kMessages = 10'000;
  Site site;
  site.config()["destinations"][0]["batch"] = {{"max_age", "200ms"}, {"max_records", 1000}};
  site.StartBridge();
  EXPECT_EQ(site.Status()["observer"]["followers"], 0);
  Process tail({Site::Bin("packhorse"), "--socket", site.socket(), "tail", "--json"}, site.Path("tail.out"));
  ASSERT_TRUE(WaitFor([&] { return site.Status()["observer"]["followers"] == 1; }));
  const RunResult fleet =
      test::Run({Site::Bin("packhorse-fleet"), "--broker", "127.0.0.1:" + std::to_string(site.broker().port()),
                 "--devices", "200", "--rate", "0", "--count", std::to_string(kMessages)},
                "", {}, 60s);
  ASSERT_EQ(fleet.exit_code, 0) << fleet.err;
  const json totals = json::parse(fleet.out.substr(fleet.out.find('{')), nullptr, false);
  EXPECT_EQ(totals["acknowledged"], kMessages) << fleet.out;
  ASSERT_TRUE(site.Settled(kMessages)) << site.Status().dump(2);
  EXPECT_EQ(site.Status()["ledger"]["delivered"], kMessages);
  EXPECT_TRUE(WaitFor([&] {
    const json observer = site.Status()["observer"];
    return observer["observed"].get<int>() + observer["shed"].get<int>() == kMessages;
  })) << site.Status()["observer"];
  const json observer = site.Status()["observer"];
  EXPECT_GT(observer["shed"], 0) << "no flood";
  site.Publish(1);  // goes on
  EXPECT_TRUE(WaitFor([&] { return site.Status()["observer"]["observed"] == observer["observed"].get<int>() + 1; }));
  EXPECT_TRUE(WaitFor([&] { return ReadAll(site.Path("tail.out")).find("skipped") != std::string::npos; }));
  EXPECT_TRUE(tail.Running());
  tail.Stop();
  site.Publish(1);  // shows that nobody is there any more; else the next heartbeat does
  EXPECT_TRUE(WaitFor([&] { return site.Status()["observer"]["followers"] == 0; }));
}

}  // namespace
}  // namespace packhorse::test
