// Somebody looks on while a flood comes, on real parts.

#include <gtest/gtest.h>

#include <csignal>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string ManyFields() {
  json payload;
  for (int i = 0; i < 250; ++i) {
    payload["field" + std::to_string(i)] = i + 0.5;
  }
  return payload.dump();
}

TEST(Observer, AFloodThatIsFollowedIsAcknowledgedAndDeliveredAndWhatIsNotShownIsCounted) {
  constexpr int kMessages = 5'000;
  Site site;
  site.config()["destinations"][0]["batch"] = {{"max_age", "200ms"}, {"max_records", 1000}};
  site.StartBridge();
  EXPECT_EQ(site.Status()["observer"]["followers"], 0);
  Process tail({Site::Bin("packhorse"), "--socket", site.socket(), "tail", "--json"}, site.Path("tail.out"));
  ASSERT_TRUE(WaitFor([&] { return site.Status()["observer"]["followers"] == 1; }));
  // All of it comes at once, and takes longer to look at than to store, whatever else the machine does.
  site.bridge().Signal(SIGSTOP);
  const std::vector<MqttMessage> flood(kMessages, MqttMessage{"site/a/dev/17/telemetry", ManyFields()});
  ASSERT_EQ(MqttClient(site.broker().port()).Publish(flood), flood.size());
  site.bridge().Signal(SIGCONT);
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
