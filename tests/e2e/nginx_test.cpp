// A real nginx before the cloud: limits, client certificates and HTTP/2.

#include "support/nginx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>

#include "site.h"
#include "support/tls.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class BehindNginx : public ::testing::Test {
 protected:
  // `before` stands before the server, `within` in it.
  void Start(const std::string& before, const std::string& listen, const std::string& within) {
    json& destination = site_.config()["destinations"][0];
    const std::string cloud = destination["url"];
    nginx_.emplace(dir_.path(), port_,
                   before + " server { listen 127.0.0.1:" + std::to_string(port_) + listen + "; " + within +
                       " location / { proxy_pass " + cloud + "; } }");
    destination["url"] = (listen.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + std::to_string(port_);
    destination["batch"] = {{"max_age", "50ms"}, {"max_records", 10}};
  }
  std::int64_t Answered(const std::string& status) const {
    const auto log = nginx_->Log();
    return std::count_if(log.begin(), log.end(), [&](const Nginx::Access& line) { return line.status == status; });
  }
  bool Saw(const std::string& client) const {
    const auto log = nginx_->Log();
    return std::any_of(log.begin(), log.end(), [&](const Nginx::Access& line) {
      return line.status == "200" && line.client.find(client) != std::string::npos;
    });
  }
  bool EverHeld() const {
    return site_.Cli({"--json", "events"}).out.find("destination_held") != std::string::npos ||
           site_.BridgeLog().find("destination_held") != std::string::npos;
  }
  void ExpectAllDelivered(std::uint64_t count) {
    ASSERT_TRUE(site_.Settled(count));
    EXPECT_EQ(site_.CloudRecords(), static_cast<std::int64_t>(count));
    EXPECT_EQ(site_.Status()["ledger"]["rejected"], 0);
    EXPECT_FALSE(EverHeld());
  }

  TempDir dir_;
  int port_ = FreePort();
  Site site_;
  std::optional<Nginx> nginx_;
};

class NginxLimit : public BehindNginx, public ::testing::WithParamInterface<int> {};

TEST_P(NginxLimit, IsObeyedAndNothingIsLost) {
  const std::string status = std::to_string(GetParam());
  Start("limit_req_zone $server_addr zone=all:1m rate=4r/s;", "",
        "limit_req zone=all burst=2 nodelay; limit_req_status " + status + ";");
  site_.StartBridge();
  site_.Publish(300);  // some thirty requests
  ExpectAllDelivered(300);
  EXPECT_GT(Answered(status), 0) << "the limit was never met";
  EXPECT_LE(Answered(status), Answered("200")) << "it asks again and again while there is no room";
}

INSTANTIATE_TEST_SUITE_P(All, NginxLimit, ::testing::Values(429, 503),
                         [](const auto& entry) { return std::to_string(entry.param); });

TEST_F(BehindNginx, ClientCertificateIsSwappedUnderLoadWithoutAFailedRecordOverHttp2) {
  const TestPki pki(dir_.path());
  const std::string authorities = dir_ / "both.pem";
  WriteAll(authorities, ReadAll(pki.ca) + ReadAll(pki.other_ca));
  Start("", " ssl http2",
        "ssl_certificate " + pki.server_certificate + "; ssl_certificate_key " + pki.server_key +
            "; ssl_client_certificate " + authorities + "; ssl_verify_client on;");
  const std::string certificate = site_.Path("client.pem");
  const std::string key = site_.Path("client.key");
  const auto install = [&](const std::string& from_certificate, const std::string& from_key) {
    for (const auto& [from, to] : {std::pair(from_key, key), std::pair(from_certificate, certificate)}) {
      WriteAll(to + ".new", ReadAll(from), 0600);
      std::filesystem::rename(to + ".new", to);
    }
  };
  install(pki.client_certificate, pki.client_key);
  site_.config()["destinations"][0]["tls"] = {{"ca", pki.ca}, {"certificate", certificate}, {"key", key}};
  site_.StartBridge();
  std::uint64_t sent = 0;
  const auto publish = [&] {
    site_.Publish(20);
    sent += 20;
  };
  publish();
  ASSERT_TRUE(WaitFor([&] { return Saw("gw-0042"); }));
  for (int i = 0; i < 5; ++i) {
    publish();
  }
  install(pki.stranger_certificate, pki.stranger_key);
  EXPECT_TRUE(WaitFor(
      [&] {
        publish();
        return Saw("stranger");
      },
      60s));
  ExpectAllDelivered(sent);
  const auto log = nginx_->Log();
  EXPECT_TRUE(std::all_of(log.begin(), log.end(), [](const auto& line) { return line.protocol == "HTTP/2.0"; }));
}

}  // namespace
}  // namespace packhorse::test
