// Tables beside a contract of somebody's own, on real parts.

#include <gtest/gtest.h>

#include <filesystem>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;

// What the reference cloud takes, with a token that is looked up by the name of the gateway.
constexpr char kContract[] = R"({
  "contract": "own@1.0",
  "settings": { "tokens": { "table": true, "secret": true } },
  "request": { "method": "POST", "path": "/v1/telemetry",
    "headers": { "Authorization": "Bearer {gateway.id|lookup:tokens}", "Idempotency-Key": "\"{batch.id}\"" },
    "body": { "json": { "contract": "packhorse-ingest@1.3", "gateway": { "id": "{gateway.id}" },
      "batch": { "id": "{batch.id}", "lane": "{batch.lane}", "records": "{batch.items}" }, "records": "{items}" } },
    "item": "{record}" },
  "accepts": { "max_items": 100, "max_bytes": "1MiB" },
  "response": [ { "status": 200, "verdict": "accepted", "accepted_count": "/accepted" } ] })";

TEST(Tables, AChangedTokenIsUsedWithoutAReload) {
  Site site;
  std::filesystem::create_directories(site.Path("contracts/tables"));
  WriteAll(site.Path("contracts/own@1.0.json"), kContract);
  const std::string gateway = site.config()["gateway"]["id"];
  const auto write = [&](const std::string& token) {
    WriteAll(site.Path("contracts/tables/plant.json"), nlohmann::json({{gateway, token}}).dump(), 0600);
  };
  write("token-of-yesterday");
  auto& destination = site.config()["destinations"][0];
  destination["contract"] = "own@1";
  destination["settings"] = {{"tokens", "plant"}};
  destination.erase("auth");
  site.StartBridge();
  site.Publish(3);
  ASSERT_TRUE(site.DestinationIs("held")) << site.Status();
  write("right-token");
  ASSERT_TRUE(site.Settled(3, 40s)) << site.Status();
  EXPECT_EQ(site.CloudRecords(), 3);
  EXPECT_EQ(site.BridgeLog().find("token-of-yesterday"), std::string::npos);
  EXPECT_EQ(site.BridgeLog().find("right-token"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::test
