// Tokens of an OAuth 2.0 server that is not ours, and an API that checks them.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;

constexpr char kSecret[] = "client-secret-0001\n";

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

// A site whose cloud takes tokens of that server alone, for which the bridge has this secret.
class Oauth2 : public ::testing::Test {
 protected:
  void Start(int lifetime, const std::string& secret) {
    auto& destination = site_.config()["destinations"][0];
    server_ = std::make_unique<TokenServer>(destination["url"], lifetime, site_.Path("token.log"));
    Write(secret);
    destination["url"] = server_->api();
    destination["auth"] = {{"type", "oauth2"},
                           {"token_url", server_->token_url()},
                           {"client_id", "gw-1"},
                           {"client_secret", {{"file", site_.Path("client.secret")}}}};
    site_.StartBridge();
  }
  void Write(const std::string& secret) const { WriteAll(site_.Path("client.secret"), secret, 0600); }
  bool TellsOfTokens() const { return site_.Status()["events"].dump().find("token_unavailable") != std::string::npos; }

  Site site_;
  std::unique_ptr<TokenServer> server_;
};

TEST_F(Oauth2, TokensAreRenewedAheadOneAtATimeAndNoRequestGoesWithOneThatIsOver) {
  Start(4, kSecret);
  for (int i = 0; i < 24; ++i) {
    site_.Publish(5);
    std::this_thread::sleep_for(500ms);
  }
  ASSERT_TRUE(site_.Settled(120)) << site_.Status() << ReadAll(site_.Path("token.log"));
  EXPECT_EQ(site_.CloudRecords(), 120);
  const nlohmann::json stats = server_->Stats();
  EXPECT_GE(stats["tokens"], 5) << stats;
  EXPECT_LE(stats["tokens"], 9) << stats;
  EXPECT_EQ(stats["most_in_flight"], 1) << stats;
  EXPECT_EQ(stats["refused"], 0) << stats;
  EXPECT_EQ(stats["wrong_clients"], 0) << stats;
}

TEST_F(Oauth2, ClientThatIsRefusedHoldsNothingBackOnceItsSecretIsMended) {
  Start(60, "wrong\n");
  site_.Publish(5);
  ASSERT_TRUE(WaitFor([&] { return server_->Stats()["wrong_clients"] >= 2; }, 20s));
  EXPECT_TRUE(TellsOfTokens());
  Write(kSecret);
  ASSERT_TRUE(site_.Settled(5)) << site_.Status();
  EXPECT_EQ(site_.CloudRecords(), 5);
  EXPECT_FALSE(TellsOfTokens());
  EXPECT_EQ(server_->Stats()["refused"], 0);
}

}  // namespace
}  // namespace packhorse::test
