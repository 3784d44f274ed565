// Tokens of an OAuth 2.0 server that is not ours, and an API that checks them.

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;

// Tokens last for `lifetime` seconds.
class TokenServer {
 public:
  TokenServer(const std::string& upstream, int lifetime, const std::string& log)
      : process_({"node", std::string(BINARY_DIR) + "/interop/token_server.mjs", std::to_string(token_port_),
                  std::to_string(api_port_), upstream, "right-token", std::to_string(lifetime)},
                 log) {
    EXPECT_TRUE(WaitFor([&] { return PortOpen(token_port_) && PortOpen(api_port_); }, 60s)) << ReadAll(log);
  }
  std::string token_url() const { return "http://127.0.0.1:" + std::to_string(token_port_) + "/token"; }
  std::string api() const { return "http://127.0.0.1:" + std::to_string(api_port_); }
  nlohmann::json Stats() const {
    const RunResult ran = Run({"curl", "-s", "http://127.0.0.1:" + std::to_string(token_port_) + "/stats"});
    return nlohmann::json::parse(ran.out);
  }

 private:
  int token_port_ = FreePort();
  int api_port_ = FreePort();
  Process process_;
};

TEST(Oauth2, TokensAreRenewedAheadOneAtATimeAndNoRequestGoesWithOneThatIsOver) {
  Site site;
  auto& destination = site.config()["destinations"][0];
  const TokenServer server(destination["url"], 4, site.Path("token.log"));
  WriteAll(site.Path("client.secret"), "client-secret-0001\n", 0600);
  destination["url"] = server.api();
  destination["auth"] = {{"type", "oauth2"},
                         {"token_url", server.token_url()},
                         {"client_id", "gw-1"},
                         {"client_secret", {{"file", site.Path("client.secret")}}}};
  site.StartBridge();
  for (int i = 0; i < 24; ++i) {
    site.Publish(5);
    std::this_thread::sleep_for(500ms);
  }
  ASSERT_TRUE(site.Settled(120)) << site.Status() << ReadAll(site.Path("token.log"));
  EXPECT_EQ(site.CloudRecords(), 120);
  const nlohmann::json stats = server.Stats();
  EXPECT_GE(stats["tokens"], 5) << stats;
  EXPECT_LE(stats["tokens"], 9) << stats;
  EXPECT_EQ(stats["most_in_flight"], 1) << stats;
  EXPECT_EQ(stats["refused"], 0) << stats;
  EXPECT_EQ(stats["wrong_clients"], 0) << stats;
}

TEST(Oauth2, ClientThatIsRefusedHoldsNothingBackOnceItsSecretIsMended) {
  Site site;
  auto& destination = site.config()["destinations"][0];
  const TokenServer server(destination["url"], 60, site.Path("token.log"));
  WriteAll(site.Path("client.secret"), "wrong\n", 0600);
  destination["url"] = server.api();
  destination["auth"] = {{"type", "oauth2"},
                         {"token_url", server.token_url()},
                         {"client_id", "gw-1"},
                         {"client_secret", {{"file", site.Path("client.secret")}}}};
  site.StartBridge();
  site.Publish(5);
  ASSERT_TRUE(WaitFor([&] { return server.Stats()["wrong_clients"] >= 2; }, 20s));
  EXPECT_NE(site.Status()["events"].dump().find("token_unavailable"), std::string::npos);
  WriteAll(site.Path("client.secret"), "client-secret-0001\n", 0600);
  ASSERT_TRUE(site.Settled(5)) << site.Status();
  EXPECT_EQ(site.CloudRecords(), 5);
  EXPECT_EQ(site.Status()["events"].dump().find("token_unavailable"), std::string::npos);
  EXPECT_EQ(server.Stats()["refused"], 0);
}

}  // namespace
}  // namespace packhorse::test
