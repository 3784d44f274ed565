// What a destination says of its cloud contract is judged by the contract.

#include <gmock/gmock.h>

#include <string>

#include "common/load.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::daemon {
namespace {

using ::testing::HasSubstr;

class ContractSettings : public ::testing::Test {
 protected:
  ContractSettings() { test::WriteAll(dir_ / "token", "secret\n", 0600); }

  config::Loaded Load(const std::string& destination) {
    const std::string file = dir_ / "packhorse.json";
    test::WriteAll(file,
                   R"({"gateway": {"id": "gw"}, "sources": [{"name": "plant", "urls": ["mqtt://127.0.0.1"]}],
      "streams": [{"name": "t", "topics": ["#"]}],
      "destinations": [{"name": "cloud", "url": "https://a.example", )" +
                       destination + R"(}],
      "queue": {"path": ")" +
                       (dir_ / "queue.db") + R"(", "runtime_dir": ")" + (dir_ / "run") +
                       R"("}, "control": {"socket": ")" + (dir_ / "socket") + R"("}})",
                   0600);
    return LoadConfiguration(file);
  }
  std::string Problems(const std::string& destination) {
    std::string all;
    for (const document::Problem& problem : Load(destination).problems) {
      all += document::Describe(problem) + "\n";
    }
    return all;
  }

  test::TempDir dir_;
};

TEST_F(ContractSettings, NoneAreNeededWhereTheContractHasNone) { EXPECT_EQ(Problems(R"("settings": {})"), ""); }

TEST_F(ContractSettings, UnknownOneIsAnErrorAtTheSettings) {
  EXPECT_THAT(Problems(R"("settings": {"bucket": "x"})"), HasSubstr("/destinations/0/settings: "));
  EXPECT_THAT(Problems(R"("settings": {"bucket": "x"})"), HasSubstr("bucket"));
}

TEST_F(ContractSettings, SecretThatTheContractDoesNotKnowIsAnErrorAtItsPlace) {
  EXPECT_THAT(Problems(R"("settings": {"token": {"file": ")" + (dir_ / "token") + R"("}})"),
              HasSubstr("/destinations/0/settings/token: the contract packhorse-ingest@1"));
}

TEST_F(ContractSettings, UnknownContractIsAnErrorAtTheContract) {
  EXPECT_THAT(Problems(R"("contract": "acme-cloud@1", "settings": {"bucket": "x"})"),
              HasSubstr("/destinations/0/contract: "));
}

TEST_F(ContractSettings, CodingThatTheContractDoesNotTakeIsAnError) {
  EXPECT_EQ(Problems(R"("compression": "gzip")"), "");
  EXPECT_EQ(Problems(R"("compression": "auto")"), "");
  EXPECT_EQ(Problems(R"("compression": "none")"), "");
  EXPECT_THAT(Problems(R"("compression": "zstd")"), HasSubstr("/destinations/0/compression: "));
}

TEST_F(ContractSettings, CheckWarnsWhereNothingLimitsTheRate) {
  config::Loaded loaded = Load(R"("contract": "packhorse-ingest@1")");
  CheckRates("packhorse.json", loaded);
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems.front().severity, document::Problem::Severity::kWarning);
  loaded = Load(R"("limits": [{"requests": 10, "per": "1s"}])");
  CheckRates("packhorse.json", loaded);
  EXPECT_TRUE(loaded.problems.empty());
}

TEST_F(ContractSettings, NewerContractOfARolloutIsLookedUpAtItsPlace) {
  EXPECT_EQ(Problems(R"("contract": "packhorse-ingest@1.0", "rollout": {"contract": "packhorse-ingest@1.1"})"), "");
  EXPECT_THAT(Problems(R"("rollout": {"contract": "acme-cloud@1"})"), HasSubstr("/destinations/0/rollout/contract: "));
  EXPECT_THAT(Problems(R"("contract": "packhorse-ingest@1.0", "rollout": {"contract": "influxdb@2"})"),
              HasSubstr("/destinations/0/rollout/contract: "))
      << "it has settings that are not given";
}

TEST_F(ContractSettings, RolloutOfTheContractThatIsInUseIsAWarning) {
  const config::Loaded loaded =
      Load(R"("contract": "packhorse-ingest@1", "rollout": {"contract": "packhorse-ingest@1.1"})");
  EXPECT_TRUE(loaded.ok());
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_THAT(document::Describe(loaded.problems[0]), HasSubstr("there is nothing to roll out"));
}

}  // namespace
}  // namespace packhorse::daemon
