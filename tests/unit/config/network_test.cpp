// How a destination is reached, and what may be sent to it: proxy, bind, budget, windows, accepted times.
#include <gmock/gmock.h>

#include "config_fixture.h"

namespace packhorse::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class NetworkTest : public ConfigTest {
 protected:
  Loaded With(const std::string& destination) const { return ParseInDir(Minimal({.destination = destination})); }
  // The only problem, at this place.
  std::string Problem(const std::string& destination, const std::string& path) const {
    const Loaded loaded = With(destination);
    EXPECT_EQ(loaded.problems.size(), 1U) << destination << "\n" << All(loaded);
    if (loaded.problems.empty()) {
      return "";
    }
    EXPECT_EQ(loaded.problems[0].path, "/destinations/0/" + path);
    return document::Describe(loaded.problems[0]);
  }
};

TEST_F(NetworkTest, EverythingReachesTheConfiguration) {
  const Loaded loaded = With(R"("proxy": {"url": "https://proxy.example:3128/", "ca": "DIR/ca.pem", "username": "gw-1",
    "password": {"file": "DIR/token"}, "no_proxy": ["plant.example", ".corp.example", "10.0.0.0/8", "2001:db8::/32"]},
    "bind": "wwan0", "budget": {"bytes": "500MiB", "per": "month"},
    "windows": [{"lanes": ["bulk", "normal"], "from": "22:00", "to": "06:05"},
                {"lanes": ["bulk"], "from": "12:00", "to": "12:30", "zone": "local"}])");
  ASSERT_TRUE(loaded.problems.empty()) << All(loaded);
  const Destination& destination = loaded.config.destinations[0];
  EXPECT_EQ(destination.proxy.url, "https://proxy.example:3128");
  EXPECT_EQ(destination.proxy.ca, dir_ / "ca.pem");
  EXPECT_EQ(destination.proxy.username, "gw-1");
  EXPECT_EQ(destination.proxy.password.name, dir_ / "token");
  EXPECT_THAT(destination.proxy.no_proxy, ElementsAre("plant.example", ".corp.example", "10.0.0.0/8", "2001:db8::/32"));
  EXPECT_EQ(destination.bind, "wwan0");
  EXPECT_EQ(destination.budget, (limit::BudgetOptions{500ULL << 20U, limit::BudgetOptions::Per::kMonth}));
  EXPECT_THAT(destination.windows, ElementsAre(SendWindow{{Lane::kBulk, Lane::kNormal}, {22h, 6h + 5min, false}},
                                               SendWindow{{Lane::kBulk}, {12h, 12h + 30min, true}}));
}

TEST_F(NetworkTest, CloudsAreComparedOnceADayUnlessItIsSaidOtherwise) {
  EXPECT_EQ(With("").config.destinations[0].reconcile_every, 24h);
  EXPECT_EQ(With(R"("reconcile": {"every": "6h"})").config.destinations[0].reconcile_every, 6h);
  EXPECT_EQ(With(R"("reconcile": {"enabled": false, "every": "6h"})").config.destinations[0].reconcile_every, 0h);
  EXPECT_THAT(Problem(R"("reconcile": {"every": "10m"})", "reconcile/every"), HasSubstr("1h"));
  EXPECT_THAT(Problem(R"("reconcile": {"evry": "6h"})", "reconcile/evry"), HasSubstr("did you mean \"every\"?"));
}

TEST_F(NetworkTest, NothingIsTheDefault) {
  const Loaded loaded = With("");
  const Destination& destination = loaded.config.destinations[0];
  EXPECT_EQ(destination.proxy, Proxy{});
  EXPECT_EQ(destination.bind, "");
  EXPECT_FALSE(destination.budget);
  EXPECT_TRUE(destination.windows.empty());
}

TEST_F(NetworkTest, AProxyIsCheckedAndASecretInItsUrlNeverShown) {
  EXPECT_THAT(Problem(R"("proxy": {})", "proxy"), HasSubstr("url"));
  const std::string pasted = Problem(R"("proxy": {"url": "http://me:hunter2@proxy.example:3128"})", "proxy/url");
  EXPECT_THAT(pasted, Not(HasSubstr("hunter2")));
  EXPECT_THAT(Problem(R"("proxy": {"url": "socks5://proxy.example"})", "proxy/url"), HasSubstr("http:// or https://"));
  EXPECT_THAT(Problem(R"("proxy": {"url": "http://proxy.example:99999"})", "proxy/url"), HasSubstr("port"));
  EXPECT_THAT(Problem(R"("proxy": {"url": "http://p.example", "password": {"file": "DIR/token"}})", "proxy"),
              HasSubstr("\"username\" is missing beside \"password\""));
  EXPECT_THAT(Problem(R"("proxy": {"url": "http://p.example", "username": "u", "password": {"file": "DIR/none"}})",
                      "proxy/password/file"),
              HasSubstr("does not exist"));
  EXPECT_THAT(
      Problem(R"("proxy": {"url": "http://p.example", "username": "u", "password": "hunter2"})", "proxy/password"),
      Not(HasSubstr("hunter2")));
  EXPECT_THAT(Problem(R"("proxy": {"url": "http://p.example", "no_proxy": ["*"]})", "proxy/no_proxy/0"),
              HasSubstr("10.0.0.0/8"));
  EXPECT_THAT(Problem(R"("proxy": {"url": "http://p.example", "ca": "DIR/ca.pem"})", "proxy/ca"),
              HasSubstr("has no effect"));
  EXPECT_THAT(Problem(R"("proxy": {"url": "https://p.example", "ca": "DIR/token"})", "proxy/ca"), HasSubstr("PEM"));
}

TEST_F(NetworkTest, ABindIsAnAddressOrTheNameOfAnInterface) {
  for (const char* good : {"192.0.2.10", "2001:db8:0:1:2:3:4:5", "eth0.100", "wwan0"}) {
    const Loaded loaded = With("\"bind\": \"" + std::string(good) + "\"");
    EXPECT_TRUE(loaded.problems.empty()) << All(loaded);
  }
  EXPECT_THAT(Problem(R"("bind": "an-interface-name-that-is-too-long")", "bind"), HasSubstr("at most 15"));
  EXPECT_THAT(Problem(R"("bind": "eth0/1")", "bind"), HasSubstr("interface"));
}

TEST_F(NetworkTest, ABudgetHasASizeAndAPeriod) {
  EXPECT_THAT(Problem(R"("budget": {"bytes": "10MiB"})", "budget"), HasSubstr("per"));
  EXPECT_THAT(Problem(R"("budget": {"bytes": "10MiB", "per": "week"})", "budget/per"), HasSubstr("day, month"));
  EXPECT_THAT(Problem(R"("budget": {"bytes": 1, "per": "day"})", "budget/bytes"), HasSubstr("64KiB"));
  EXPECT_THAT(Problem(R"("budget": {"bytes": "512KiB", "per": "day"})", "budget/bytes"),
              HasSubstr("at least batch.max_bytes"));
}

TEST_F(NetworkTest, TimesThatTheReceiverTakesReplaceThoseOfTheContract) {
  const Loaded loaded = With(R"("accepts": {"oldest": "48h", "outside": "hold"})");
  ASSERT_TRUE(loaded.problems.empty()) << All(loaded);
  EXPECT_EQ(loaded.config.destinations[0].accepts, (AcceptedTimes{48h, std::nullopt, "hold"}));
  EXPECT_EQ(With("").config.destinations[0].accepts, AcceptedTimes{});
  EXPECT_THAT(Problem(R"("accepts": {"oldest": "1s"})", "accepts/oldest"), HasSubstr("1m"));
  EXPECT_THAT(Problem(R"("accepts": {"outside": "drop"})", "accepts/outside"), HasSubstr("drop_and_report"));
}

TEST_F(NetworkTest, AWindowHasLanesAndTwoTimes) {
  EXPECT_THAT(Problem(R"("windows": [{"lanes": [], "from": "22:00", "to": "06:00"}])", "windows/0/lanes"),
              HasSubstr("too few entries"));
  EXPECT_THAT(Problem(R"("windows": [{"lanes": ["night"], "from": "22:00", "to": "06:00"}])", "windows/0/lanes/0"),
              HasSubstr("urgent, normal, bulk"));
  EXPECT_THAT(Problem(R"("windows": [{"lanes": ["bulk"], "from": "24:00", "to": "06:00"}])", "windows/0/from"),
              HasSubstr("00:00 to 23:59"));
  EXPECT_THAT(Problem(R"("windows": [{"lanes": ["bulk"], "from": "9:00", "to": "10:00"}])", "windows/0/from"),
              HasSubstr("00:00 to 23:59"));
  EXPECT_THAT(Problem(R"("windows": [{"lanes": ["bulk"], "from": "06:00", "to": "06:00"}])", "windows/0/to"),
              HasSubstr("ends when it begins"));
}

}  // namespace
}  // namespace packhorse::config
