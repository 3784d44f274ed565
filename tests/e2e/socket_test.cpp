// The system refuses the daemon one socket, each in a life of its own, until there is none left to refuse.

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <iostream>

#include "site.h"

namespace packhorse::test {
namespace {

using nlohmann::json;

// More than a life has sockets. All lives at once: most of their time they wait.
constexpr int kLives = 12;

bool Told(const Site& site, const std::string& what) { return site.BridgeLog().find(what) != std::string::npos; }

// Messages before and after broker and cloud were away. Whether a socket was refused.
bool Live(Site& site, int refused) {
  SCOPED_TRACE("socket " + std::to_string(refused) + " refused");
  site.UseBridge("packhorsed-refusing");
  site.LaunchBridge({{"PACKHORSE_REFUSED_SOCKET", std::to_string(refused)}});
  EXPECT_TRUE(WaitFor([&] { return site.BridgeConnected() || !site.bridge().Running(); }));
  if (!site.bridge().Running()) {
    EXPECT_TRUE(Told(site, "make a socket: Too many open files")) << site.BridgeLog();
    site.UseBridge("packhorsed");  // as the service manager starts it again
    site.StartBridge();
  }
  site.Publish(10);
  EXPECT_TRUE(site.Settled(10));
  site.KillCloud();
  site.broker().Restart();
  site.StartCloud();
  EXPECT_TRUE(WaitFor([&] { return site.BridgeConnected(); }));
  site.Publish(10);
  EXPECT_TRUE(site.Settled(20));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 1"), 20);
  EXPECT_TRUE(WaitFor([&] { return site.Status()["state"] == "ok"; })) << site.Status();
  if (!Told(site, "socket " + std::to_string(refused) + " refused")) {
    return false;
  }
  const json cloud = site.Destination();
  EXPECT_TRUE(Told(site, "start_failed") || Told(site, "source_down") ||
              !cloud["last_error"].get<std::string>().empty())
      << cloud << site.BridgeLog();
  return true;
}

TEST(Socket, EachThatIsRefusedIsToldAndTriedAgainAndNothingIsLost) {
  MosquittoOptions broker;
  broker.persistence = true;
  std::vector<std::unique_ptr<Site>> sites;
  std::vector<std::future<bool>> lives;
  for (int life = 1; life <= kLives; ++life) {
    sites.push_back(std::make_unique<Site>(broker));
    lives.push_back(std::async(std::launch::async, [&site = *sites.back(), life] { return Live(site, life); }));
  }
  std::vector<bool> refused;
  std::transform(lives.begin(), lives.end(), std::back_inserter(refused), [](auto& life) { return life.get(); });
  const auto count = std::count(refused.begin(), refused.end(), true);
  std::cout << count << " sockets refused\n";
  EXPECT_GE(count, 5);  // of the command line tool, the broker twice, the cloud twice
  EXPECT_FALSE(refused.back()) << "there are more of them";
}

}  // namespace
}  // namespace packhorse::test
