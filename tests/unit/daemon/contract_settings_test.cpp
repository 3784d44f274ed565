// What a destination says of its cloud contract is judged by the contract.

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

#include "common/load.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::daemon {
namespace {

using ::testing::HasSubstr;

class ContractSettings : public ::testing::Test {
 protected:
  ContractSettings() { test::WriteAll(dir_ / "token", "c2VjcmV0\n", 0600); }

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
              HasSubstr("/destinations/0/contract: no cloud contract \"acme-cloud@1\" in the program or in " +
                        (dir_ / "contracts") + "; there are: "));
  const std::string told = Problems(R"("contract": "influxdv@2.0")");
  EXPECT_EQ(told.find("kafka-rest@2.0"), told.rfind("kafka-rest@2.0")) << "the list once: " << told;
  EXPECT_THAT(told, HasSubstr("did you mean \"influxdb@2"));
}

TEST_F(ContractSettings, TableIsNamedAndItsFileIsClosedToOthers) {
  std::filesystem::create_directories(dir_ / "contracts/tables");
  const std::string tokens = dir_ / "contracts/tables/tokens.json";
  test::WriteAll(tokens, R"({"press-1": "t0ken"})", 0600);
  const std::string with = R"("contract": "thingsboard@1", "settings": {"tokens": )";
  EXPECT_EQ(Problems(with + R"("tokens"})"), "");
  EXPECT_THAT(Problems(with + R"("token"})"), HasSubstr("/destinations/0/settings: "));
  EXPECT_THAT(Problems(with + R"("token"})"), HasSubstr("did you mean \"tokens\"?"));
  EXPECT_THAT(Problems(with + R"({"file": ")" + tokens + R"("}})"), HasSubstr("the name of a table"));
  test::WriteAll(tokens, R"({"press-1": ["t0ken"]})", 0600);
  EXPECT_THAT(Problems(with + R"("tokens"})"), HasSubstr("tokens.json: /press-1: "));
  test::WriteAll(tokens, R"({"press-1": "t0ken"})", 0644);
  std::filesystem::permissions(tokens, std::filesystem::perms(0644));
  EXPECT_THAT(Problems(with + R"("tokens"})"), HasSubstr("chmod 0640 " + tokens));
}

TEST_F(ContractSettings, CodingThatTheContractDoesNotTakeIsAnError) {
  EXPECT_EQ(Problems(R"("compression": "gzip")"), "");
  EXPECT_EQ(Problems(R"("compression": "auto")"), "");
  EXPECT_EQ(Problems(R"("compression": "none")"), "");
  EXPECT_THAT(Problems(R"("compression": "zstd")"), HasSubstr("/destinations/0/compression: "));
}

// A destination of kinesis@1 with this `auth`.
std::string Kinesis(const std::string& auth) {
  return R"("contract": "kinesis@1", "settings": {"stream": "s", "region": "eu-central-1"}, "auth": {)" + auth + "}";
}

TEST_F(ContractSettings, ContractSaysHowRequestsAreSignedAndTheDestinationGivesTheSecrets) {
  const std::string token = R"({"file": ")" + (dir_ / "token") + R"("})";
  const std::string keys = R"("access_key_id": )" + token + R"(, "secret_access_key": )" + token;
  EXPECT_EQ(Problems(Kinesis(keys)), "");
  EXPECT_EQ(Problems(Kinesis(R"("type": "sigv4", "region": "eu-west-1", )" + keys)), "") << "said again, or changed";
  EXPECT_THAT(Problems(Kinesis("")),
              HasSubstr("/destinations/0/auth: auth 'sigv4': 'access_key_id', 'secret_access_key' are missing"));
  EXPECT_THAT(Problems(Kinesis(R"("type": "bearer", "token": )" + token)),
              HasSubstr("/destinations/0/auth: auth 'bearer': the contract wants 'sigv4'"));
  EXPECT_THAT(Problems(Kinesis(R"("type": "none")")), HasSubstr("the contract wants 'sigv4'"));
  EXPECT_THAT(Problems(Kinesis(R"("key": )" + token)), HasSubstr("'access_key_id', 'secret_access_key' are missing"));
  EXPECT_THAT(Problems(R"("auth": {)" + keys + "}"), HasSubstr("the secret 'access_key_id' is not used"));
  EXPECT_EQ(Problems(R"("contract": "azure-iot-hub@1", "auth": {"key": )" + token + "}"), "");
}

TEST_F(ContractSettings, HeaderThatTheContractAndTheAuthenticationWriteIsAnError) {
  std::filesystem::create_directories(dir_ / "contracts");
  test::WriteAll(dir_ / "contracts/acme@1.0.json",
                 R"({"contract": "acme@1.0", "settings": {"key": {"secret": true}}, "request": {"path": "/p",
      "headers": {"authorization": "Token {settings.key}", "X-Key": "k"},
      "body": {"json": "{items}"}, "item": "{record}"}, "response": [{"status": 200, "verdict": "accepted"}]})",
                 0600);
  const std::string token = R"({"file": ")" + (dir_ / "token") + R"("})";
  const auto with = [&](const std::string& auth) {
    return Problems(R"("contract": "acme@1", "settings": {"key": )" + token + R"(}, "auth": {)" + auth + "}");
  };
  EXPECT_EQ(with(R"("type": "none")"), "");
  EXPECT_EQ(with(R"("type": "header", "header": "X-Other", "value": )" + token), "");
  EXPECT_THAT(with(R"("type": "bearer", "token": )" + token),
              HasSubstr("/destinations/0/auth: the contract acme@1.0 and auth 'bearer' both write the header "
                        "Authorization"));
  EXPECT_THAT(with(R"("type": "header", "header": "x-key", "value": )" + token),
              HasSubstr("and auth 'header' both write the header x-key"));
}

TEST_F(ContractSettings, CheckWarnsWhereNothingLimitsTheRate) {
  config::Loaded loaded = Load(R"("contract": "packhorse-ingest@1")");
  CheckRates("packhorse.json", loaded);
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems.front().severity, document::Problem::Severity::kWarning);
  EXPECT_THAT(loaded.problems.front().message,
              HasSubstr("unless its replies announce limits (RateLimit headers), which are kept by themselves"));
  loaded = Load(R"("limits": [{"requests": 10, "per": "1s"}])");
  CheckRates("packhorse.json", loaded);
  EXPECT_TRUE(loaded.problems.empty());
}

TEST_F(ContractSettings, LiveFirstIsWarnedOfWhereTheApiNeedsTheOrderOfTime) {
  const std::string contract = R"("contract": "prometheus-remote-write@1", )";
  config::Loaded loaded = Load(contract + R"("order": "live_first")");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems.front().severity, document::Problem::Severity::kWarning);
  EXPECT_EQ(loaded.problems.front().path, "/destinations/0/order");
  EXPECT_TRUE(loaded.ok());
  EXPECT_TRUE(Load(contract + R"("order": "fifo")").problems.empty());
}

TEST_F(ContractSettings, AnyOrderIsAnErrorWhereTheApiNeedsAnOrder) {
  EXPECT_THAT(Problems(R"("contract": "prometheus-remote-write@1", "order": "any")"),
              HasSubstr("/destinations/0/order: the contract prometheus-remote-write@1.0 needs records in the order of "
                        "their time, and requests that are on their way at once overtake each other"));
  EXPECT_EQ(Problems(R"("contract": "packhorse-ingest@1", "order": "any", "max_in_flight": 8)"), "");
}

TEST_F(ContractSettings, NewerContractOfARolloutIsLookedUpAtItsPlace) {
  EXPECT_EQ(Problems(R"("contract": "packhorse-ingest@1.0", "rollout": {"contract": "packhorse-ingest@1.1"})"), "");
  EXPECT_THAT(Problems(R"("rollout": {"contract": "acme-cloud@1"})"), HasSubstr("/destinations/0/rollout/contract: "));
  EXPECT_THAT(Problems(R"("contract": "packhorse-ingest@1.0", "rollout": {"contract": "influxdb@2"})"),
              HasSubstr("/destinations/0/rollout/contract: "))
      << "it has settings that are not given";
}

TEST_F(ContractSettings, NewerContractWithOtherAuthIsAnErrorAtTheRollout) {
  const auto write = [this](const std::string& version, const std::string& auth) {
    test::WriteAll(dir_ / "contracts/acme@" + version + ".json",
                   R"({"contract": "acme@)" + version +
                       R"(", "request": {"path": "/in", "body": {"json": "{items}"}, "item": {"*": "{fields}"}}, )" +
                       auth + R"("accepts": {"max_items": 100}, "response": [{"status": 200, "verdict": "accepted"}]})",
                   0600);
  };
  std::filesystem::create_directory(dir_ / "contracts");
  write("1.0", "");
  write("1.1", "");
  write("1.2", R"("auth": "basic", )");
  const std::string acme = R"("contract": "acme@1.0", "limits": [{"requests": 1, "per": "1s"}], )";
  EXPECT_EQ(Problems(acme + R"("rollout": {"contract": "acme@1.1"})"), "");
  EXPECT_THAT(Problems(acme + R"("rollout": {"contract": "acme@1.2"})"),
              HasSubstr("/destinations/0/rollout/contract: the contract acme@1.2 has another \"auth\" than acme@1.0"));
  const std::string token = R"({"file": ")" + (dir_ / "token") + R"("})";
  const std::string basic = R"("auth": {"type": "basic", "username": "u", "password": )" + token + "}, ";
  EXPECT_EQ(Problems(acme + basic + R"("rollout": {"contract": "acme@1.2"})"), "")
      << "the destination says the same of both";
}

TEST_F(ContractSettings, RolloutOfTheContractThatIsInUseIsAWarning) {
  const config::Loaded loaded =
      Load(R"("contract": "packhorse-ingest@1", "rollout": {"contract": "packhorse-ingest@1.3"})");
  EXPECT_TRUE(loaded.ok());
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_THAT(document::Describe(loaded.problems[0]), HasSubstr("there is nothing to roll out"));
}

TEST_F(ContractSettings, TableWhoseFileHasMistakesIsToldWithTheMistakeAndOneThatIsNotThereWithItsFile) {
  std::filesystem::create_directories(dir_ / "contracts/tables");
  test::WriteAll(dir_ / "contracts/acme@1.0.json",
                 R"({"contract": "acme@1.0", "settings": {"ids": {"table": true}},
      "request": {"path": "/in", "body": {"json": "{items}"}, "item": {"id": "{device_id|lookup:ids}"}},
      "accepts": {"max_items": 100}, "response": [{"status": 200, "verdict": "accepted"}]})",
                 0600);
  const std::string acme = R"("contract": "acme@1", "settings": {"ids": "plant-ids"})";
  EXPECT_THAT(Problems(acme), HasSubstr("no file contracts/tables/plant-ids.json"));
  test::WriteAll(dir_ / "contracts/tables/plant-ids.json", R"({"d1":"A","d2":{"x":1}})", 0600);
  const config::Loaded loaded = Load(acme);
  EXPECT_FALSE(loaded.ok());
  std::string errors;
  for (const document::Problem& problem : loaded.problems) {
    EXPECT_EQ(problem.severity, document::Problem::Severity::kError) << document::Describe(problem);
    errors += document::Describe(problem) + "\n";
  }
  EXPECT_THAT(errors, HasSubstr("/destinations/0/settings: "));
  EXPECT_THAT(errors, HasSubstr("plant-ids.json: /d2: "));
  EXPECT_THAT(errors, HasSubstr("whose file has mistakes: "));
  EXPECT_THAT(errors, testing::Not(HasSubstr("there is no file")));
  test::WriteAll(dir_ / "contracts/tables/plant-ids.json", R"({"d1":"A"})", 0600);
  EXPECT_TRUE(Load(acme).ok());
}

}  // namespace
}  // namespace packhorse::daemon
