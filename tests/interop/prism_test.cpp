// Prism checks each request and each reply against the OpenAPI description of packhorse-ingest@1.

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;

// The URL of a Prism before `upstream`. What the description does not allow it answers itself, with 422 or 500.
class Prism {
 public:
  Prism(const std::string& upstream, const std::string& log)
      : process_({std::string(BINARY_DIR) + "/interop/node_modules/.bin/prism", "proxy", "--errors", "--host",
                  "127.0.0.1", "--port", std::to_string(port_),
                  std::string(SOURCE_DIR) + "/contracts/schema/packhorse-ingest-1.openapi.json", upstream},
                 log) {
    EXPECT_TRUE(WaitFor([&] { return PortOpen(port_); }, 60s)) << ReadAll(log);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  int port_ = FreePort();
  Process process_;
};

TEST(Prism, EveryRequestAndReplyIsAsTheDescriptionSays) {
  Site site;
  const std::string upstream = site.config()["destinations"][0]["url"];
  const Prism prism(upstream, site.Path("prism.log"));
  site.config()["destinations"][0]["url"] = prism.url();
  // Prism checks no body that is coded, and writes numbers anew as JavaScript has them.
  site.config()["destinations"][0]["compression"] = "none";
  site.config()["queue"]["max_records"] = 100'000;
  site.StartBridge();
  site.Publish(200);
  for (const char* payload :
       {R"({"ts":1795165920123,"gps":{"lat":48.1,"lon":11.5},"state":"weighing","ok":true,"none":null})",
        R"([{"ts":1,"v":1},{"ts":2,"v":2.5}])", "21.5", R"({"b\u00fc \"x\"":-1e-7})"}) {
    ASSERT_TRUE(site.PublishRaw(payload, false, "ü 2"));
  }
  ASSERT_TRUE(site.PublishRaw(R"({"retained":1})", true));
  site.Admin("/admin/faults", R"([{"requests":2,"fault":"status","status":503}])");
  site.Publish(20);
  ASSERT_TRUE(site.Settled(225)) << site.Status() << ReadAll(site.Path("prism.log"));
  EXPECT_EQ(site.Status()["ledger"]["delivered"], 225);
  const std::string log = ReadAll(site.Path("prism.log"));
  EXPECT_EQ(log.find("Violation"), std::string::npos) << log.substr(0, 4000);
}

}  // namespace
}  // namespace packhorse::test
