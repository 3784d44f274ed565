// Requests that are signed for AWS, before a server that computes the signature by AWS's own library.

#include <gtest/gtest.h>

#include <string>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kKeyId = "AKIDEXAMPLE";
constexpr auto kKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
// Blanks, signs and a query out of order: what is signed is not what stands on the wire.
constexpr auto kOddPath = "/stage/a%20b/c:d+e;f=1,2/%C3%BC~_-./points?z=1&a=b%2Fc&a=a&empty=";

// Debian's own Python: the library is a package of it.
class SigV4 : public ::testing::Test {
 protected:
  SigV4() {
    WriteAll(site_.Path("key_id"), kKeyId, 0600);
    WriteAll(site_.Path("key"), "another key\n", 0600);
    json& destination = site_.config()["destinations"][0];
    destination["url"] = "http://127.0.0.1:" + std::to_string(port_);
    destination["auth"] = {{"type", "sigv4"},
                           {"region", "eu-central-1"},
                           {"service", "kinesis"},
                           {"access_key_id", {{"file", site_.Path("key_id")}}},
                           {"secret_access_key", {{"file", site_.Path("key")}}}};
    EXPECT_TRUE(WaitFor([&] { return PortOpen(port_); })) << Log();
  }
  std::string Log() const { return ReadAll(site_.Path("sigv4.log")); }

  int port_ = FreePort();
  Site site_;
  Process server_{{"/usr/bin/python3", SOURCE_DIR "/tests/support/sigv4_server.py", std::to_string(port_),
                   "eu-central-1", "kinesis", kKeyId, kKey},
                  site_.Path("sigv4.log")};
};

TEST_F(SigV4, AWrongKeyHoldsAndOnceItIsMendedAllIsTaken) {
  json& destination = site_.config()["destinations"][0];
  destination["contract"] = "kinesis@1";
  destination["settings"] = {{"stream", "plant"}, {"region", "eu-central-1"}};
  site_.StartBridge();
  site_.Publish(20);
  ASSERT_TRUE(site_.DestinationIs("held")) << Log();
  EXPECT_NE(Log().find("refused /: another signature"), std::string::npos) << Log();
  EXPECT_EQ(Log().find("ok"), std::string::npos);
  EXPECT_EQ(site_.Status()["ledger"]["pending"], 20);
  WriteAll(site_.Path("key"), kKey, 0600);
  EXPECT_TRUE(site_.Settled(20)) << Log();
  EXPECT_NE(Log().find("ok /\n"), std::string::npos);
  EXPECT_EQ(site_.Status()["ledger"]["rejected"], 0);
}

TEST_F(SigV4, APathAndAQueryThatHaveToBeEncodedAreSignedAsTheServiceDoes) {
  WriteAll(site_.Path("key"), kKey, 0600);
  json& destination = site_.config()["destinations"][0];
  destination["contract"] = "json-array@1";
  destination["settings"] = {{"path", kOddPath}};
  site_.StartBridge();
  site_.Publish(20);
  EXPECT_TRUE(site_.Settled(20, 30s)) << Log();
  EXPECT_NE(Log().find(std::string("ok ") + kOddPath), std::string::npos) << Log();
  EXPECT_EQ(Log().find("refused"), std::string::npos) << Log();
}

}  // namespace
}  // namespace packhorse::test
