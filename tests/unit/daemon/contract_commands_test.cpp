#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "packhorse/cli.h"
#include "packhorse/globals.h"
#include "packhorse/readable_times.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr char kAcme[] = R"({
  "contract": "acme@1.0", "title": "ACME",
  "settings": { "project": {}, "token": { "secret": true } },
  "request": { "method": "POST", "path": "/p/{settings.project}",
    "headers": { "Authorization": "Bearer {settings.token}" },
    "body": { "json": { "points": "{items}" } },
    "item": { "id": "{record_id}", "at": "{time|unix_ms}", "values": "{fields}" } },
  "accepts": { "kinds": ["telemetry"], "max_items": 2, "max_bytes": "1MiB" },
  "response": [ { "status": 200, "verdict": "accepted" } ] })";

struct Ran {
  int exit_code = 0;
  std::string out;
};

class ContractCommands : public ::testing::Test {
 protected:
  ContractCommands() { std::filesystem::create_directory(dir_ / "contracts"); }

  Ran Run(std::vector<std::string> words) const {
    words.insert(words.begin(), {"packhorse", "--config", dir_ / "packhorse.json"});
    std::vector<char*> argv;
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.exit_code = Main(static_cast<int>(argv.size()), argv.data());
    ran.out = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
    return ran;
  }
  std::string Write(const std::string& name, const std::string& text) const {
    test::WriteAll(dir_ / "contracts/" + name, text);
    return dir_ / "contracts/" + name;
  }
  void Configure() const {
    test::WriteAll(dir_ / "packhorse.json", R"({"gateway":{"id":"gw-1"},
      "sources":[{"name":"plant","urls":["mqtt://127.0.0.1:1"],"client_id":"c"}],
      "streams":[{"name":"telemetry","source":"plant","topics":["site/{device}/+"],"contract":"generic-json@1","destinations":["cloud"]}],
      "destinations":[{"name":"cloud","contract":"packhorse-ingest@1","url":"https://cloud.example/base",
                       "auth":{"type":"bearer","token":{"file":")" +
                                                (dir_ / "token") + R"("}}}],
      "queue":{"path":")" + (dir_ / "queue.db") +
                                                R"(","runtime_dir":")" + (dir_ / "run") + R"("},
      "control":{"socket":")" + (dir_ / "control.sock") +
                                                R"("}})");
    test::WriteAll(dir_ / "token", "t0ken-of-the-destination", 0600);
  }

  test::TempDir dir_;
};

TEST_F(ContractCommands, OneThatDoesNotExistIsNamedWithTheChoices) {
  Ran ran = Run({"contract", "frob"});
  EXPECT_EQ(ran.exit_code, kExitUsage);
  EXPECT_THAT(ran.out, HasSubstr("there is no command 'contract frob'; there are: list, show, test, check"));
  EXPECT_THAT(ran.out, HasSubstr("see: packhorse help contract\n"));
  EXPECT_THAT(Run({"contract", "lst"}).out, HasSubstr("'contract lst', did you mean \"list\"?"));
  EXPECT_THAT(Run({"frob"}).out, HasSubstr("there is no command 'frob'\n  see: packhorse help\n"));
  EXPECT_THAT(Run({"help", "contract", "test"}).out, HasSubstr("packhorse contract test influxdb@2"));
}

TEST_F(ContractCommands, ListNamesThoseOfTheProgramAndThoseBesideTheConfiguration) {
  Write("acme@1.0.json", kAcme);
  const Ran ran = Run({"contract", "list"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("packhorse-ingest@1.3"), HasSubstr("acme@1.0 *"), HasSubstr("token (secret)")));
  const auto json = nlohmann::json::parse(Run({"--json", "contract", "list"}).out);
  EXPECT_GE(json["contracts"].size(), 3U);
}

TEST_F(ContractCommands, ListNamesEveryMistakeOfABrokenFile) {
  Write("acme@1.0.json", R"({ "contract": "acme@1.0", "reqest": 1, "respons": 2 })");
  const Ran ran = Run({"contract", "list"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("/reqest"), HasSubstr("/respons")));
}

TEST_F(ContractCommands, ShowSaysWhatItNeedsAndPrintsTheFile) {
  Write("acme@1.0.json", kAcme);
  const Ran ran = Run({"contract", "show", "acme@1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("ACME"), HasSubstr("project, token (secret)"), HasSubstr("\"points\": \"{items}\"")));
  EXPECT_EQ(Run({"contract", "show", "packhorse-ingest@1"}).exit_code, 0);
  for (const auto& [word, newest] : {std::pair{"influxdb", "influxdb@2.0"}, {"influxdb@1", "influxdb@1.0"}}) {
    const Ran shown = Run({"contract", "show", word});
    EXPECT_EQ(shown.exit_code, 0) << shown.out;
    EXPECT_THAT(shown.out, AllOf(testing::StartsWith(newest), Not(HasSubstr("there are"))));
  }
  EXPECT_THAT(Run({"contract", "test", "influxdb"}).out, HasSubstr("influxdb@2.0"));
  const Ran none = Run({"contract", "show", "nothing@1"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.out, HasSubstr("acme@1.0"));
}

TEST_F(ContractCommands, TestRunsTheSamplesBesideTheFile) {
  const std::string file = Write("acme@1.0.json", kAcme);
  std::filesystem::create_directory(dir_ / "contracts/acme@1.0.samples");
  Write("acme@1.0.samples/good.json", R"({ "title": "one", "settings": { "project": "p", "token": "t0ken" },
    "messages": [ { "payload": { "t": 1 } } ],
    "request": { "method": "POST", "path": "/p/p", "headers": { "Authorization": "Bearer t0ken" } },
    "replies": [ { "status": 200, "expected": "accepted" } ] })");
  const Ran good = Run({"contract", "test", file});
  EXPECT_EQ(good.exit_code, 0) << good.out;
  EXPECT_THAT(good.out, HasSubstr("acme@1.0: 1 samples, 0 failed, 0 warnings"));
  Write("acme@1.0.samples/bad.json",
        R"({ "settings": { "project": "p", "token": "t" }, "messages": [ { "payload": { "t": 1 } } ],
    "request": { "method": "PUT", "path": "/p/p" } })");
  const Ran bad = Run({"contract", "test", "acme@1"});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.out, AllOf(HasSubstr("expected PUT /p/p, is POST /p/p"), HasSubstr("2 samples, 1 failed")));
  EXPECT_EQ(nlohmann::json::parse(Run({"--json", "contract", "test", file}).out)["ok"], false);
}

TEST_F(ContractCommands, TestRefusesAFileThatTheBridgeWouldNotTakeForItsName) {
  const Ran other = Run({"contract", "test", Write("acme@1.1.json", kAcme)});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.out, AllOf(HasSubstr("acme@1.1.json: /contract"), HasSubstr("\"acme@1.0\""),
                               HasSubstr("call the file acme@1.0.json")));
  const std::string nameless = Write("acme.json", kAcme);
  EXPECT_THAT(Run({"contract", "test", nameless}).out,
              AllOf(HasSubstr("is not named like a contract"), HasSubstr("acme@1.0.json")));
  const auto json = nlohmann::json::parse(Run({"--json", "contract", "test", nameless}).out);
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["problems"].size(), 1U);
  std::string shipped = kAcme;
  shipped.replace(shipped.find("acme@1.0"), 8, "influxdb@2.7");
  const Ran taken = Run({"contract", "test", Write("influxdb@2.7.json", shipped)});
  EXPECT_EQ(taken.exit_code, 1);
  EXPECT_THAT(taken.out, HasSubstr("the program has a contract influxdb@2 of its own"));
}

TEST_F(ContractCommands, TestWithoutSamplesWarnsThatNothingWasTried) {
  const Ran ran = Run({"contract", "test", Write("acme@1.0.json", kAcme)});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("warning: no samples: nothing was tried; they belong into"),
                             HasSubstr("0 samples, 0 failed, 1 warnings"), Not(HasSubstr("no sample has a reply"))));
}

TEST_F(ContractCommands, ContractOfTheProgramHasItsSamplesWithIt) {
  const Ran ran = Run({"contract", "test", "thingsboard@1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("devices.json"), HasSubstr("thingsboard@1.0: 1 samples, 0 failed")));
  EXPECT_EQ(Run({"contract", "test", "influxdb@2"}).exit_code, 0);
}

TEST_F(ContractCommands, RenderLooksUpTablesAndMasksTokens) {
  Configure();
  std::filesystem::create_directory(dir_ / "contracts/tables");
  test::WriteAll(dir_ / "contracts/tables/tokens.json", R"({"th-1":"d3vice-token"})", 0600);
  const std::vector<std::string> words = {"render", "--contract", "thingsboard@1", "--set", "tokens=tokens"};
  std::vector<std::string> known = words;
  known.insert(known.end(), {"site/th-1/data", R"({"t":21.5})"});
  const Ran ran = Run(known);
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("/api/v1/***/telemetry"), Not(HasSubstr("d3vice-token"))));
  std::vector<std::string> unknown = words;
  unknown.insert(unknown.end(), {"site/th-2/data", R"({"t":21.5})"});
  EXPECT_THAT(Run(unknown).out, HasSubstr("\"th-2\" is not in the table \"tokens\""));
}

TEST_F(ContractCommands, TestOfABrokenFileNamesItsMistakes) {
  const std::string file = Write("acme@1.0.json", R"({ "contract": "acme@1.0", "reqest": 1 })");
  for (const std::string& word : {file, std::string("acme@1.0")}) {
    const Ran ran = Run({"contract", "test", word});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.out, AllOf(HasSubstr("/reqest"), HasSubstr("did you mean \"request\"?")));
  }
}

TEST_F(ContractCommands, CheckEndsWithOneWhereTheNewOneBreaksAReceiver) {
  const std::string old = Write("acme@1.0.json", kAcme);
  nlohmann::ordered_json next = nlohmann::ordered_json::parse(kAcme);
  next["contract"] = "acme@1.1";
  next["request"]["item"]["device"] = "{device_id}";
  const std::string good = Write("acme@1.1.json", next.dump());
  EXPECT_EQ(Run({"contract", "check", old, good}).exit_code, 0) << Run({"contract", "check", old, good}).out;
  next["request"]["item"].erase("at");
  next["contract"] = "acme@1.2";
  const std::string bad = Write("acme@1.2.json", next.dump());
  const Ran ran = Run({"contract", "check", old, bad});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("/points/0/at: is gone"), HasSubstr("acme@1.0 -> acme@1.2: 1 errors")));
  // A new major may break what it likes.
  next["contract"] = "acme@2.0";
  EXPECT_EQ(Run({"contract", "check", old, Write("acme@2.0.json", next.dump())}).exit_code, 0);
  EXPECT_EQ(Run({"contract", "check", "packhorse-ingest@1.0", "packhorse-ingest@1.1"}).exit_code, 1);
}

TEST_F(ContractCommands, RenderShowsTheRequestOfAContractWithMaskedSecretsAndReadableTimes) {
  Configure();
  const std::string file = Write("acme@1.0.json", kAcme);
  const Ran ran = Run({"render", "--contract", file, "--set", "project=north", "--received-at", "2026-11-20T09:12:01Z",
                       "site/th-1/data", R"({"t":21.5})"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("POST https://cloud.example/base/p/north"),
                             HasSubstr("Authorization: Bearer ***"), HasSubstr(R"("at":1795165921000)"),
                             HasSubstr("1795165921000 is 2026-11-20T09:12:01"), Not(HasSubstr("t0ken"))));
}

TEST_F(ContractCommands, RenderSaysWhereNoStreamTakesTheTopic) {
  Configure();
  const Ran ran = Run({"render", "other/th-1/data", R"({"t":21.5})"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("other/th-1/data: no stream takes this topic"),
                             HasSubstr("telemetry (site/{device}/+)"), Not(HasSubstr("POST"))));
  const Ran forced = Run({"render", "--device-contract", "generic-json@1", "other/th-1/data", R"({"t":21.5})"});
  EXPECT_EQ(forced.exit_code, 0) << forced.out;
  EXPECT_THAT(forced.out, HasSubstr("POST https://cloud.example/base/v1/telemetry"));
}

TEST_F(ContractCommands, RenderMakesAsManyRequestsAsTheApiNeeds) {
  Configure();
  const std::string file = Write("acme@1.0.json", kAcme);
  const Ran ran = Run({"--json", "render", "--contract", file, "--set", "project=p", "site/a/x", "1", "site/b/x", "2",
                       "site/c/x", "3"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  const auto json = nlohmann::json::parse(ran.out);
  ASSERT_EQ(json["requests"].size(), 2U);
  EXPECT_EQ(json["requests"][0]["records"].size(), 2U);
  EXPECT_THAT(json["requests"][1]["body"].get<std::string>(), HasSubstr("decode.n.3"));
}

TEST_F(ContractCommands, RenderUsesTheContractOfTheDestination) {
  Configure();
  const Ran ran = Run({"render", "site/th-1/data", R"({"t":21.5})"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("POST https://cloud.example/base/v1/telemetry"),
                             HasSubstr("packhorse-ingest@1.3"), HasSubstr("\"device_id\":\"th-1\"")));
}

TEST_F(ContractCommands, RenderShowsWhatAuthenticationAddsAndNoSecret) {
  Configure();
  const Ran ran = Run({"render", "site/th-1/data", "1"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Authorization: Bearer ***"), Not(HasSubstr("t0ken"))));
  const Ran signed_request = Run(
      {"render", "--contract", "kinesis@1", "--set", "stream=s", "--set", "region=eu-north-1", "site/th-1/data", "1"});
  EXPECT_EQ(signed_request.exit_code, 0) << signed_request.out;
  EXPECT_THAT(signed_request.out, HasSubstr("Credential=***/***/eu-north-1/kinesis/aws4_request"));
  EXPECT_THAT(signed_request.out, HasSubstr("content-type;host;x-amz-date;x-amz-target"));
}

TEST_F(ContractCommands, RenderSaysWhatIsNotSent) {
  Configure();
  const std::string file = Write("acme@1.0.json", kAcme);
  const Ran broken = Run({"render", "--contract", file, "--set", "project=p", "site/a/x", "{"});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.out, HasSubstr("truncated_json"));
  EXPECT_EQ(Run({"render", "--contract", file, "--set", "project", "site/a/x", "1"}).exit_code, 2);
  EXPECT_EQ(Run({"render", "--contract", file, "--set", "project=p", "site/a/x"}).exit_code, 2);
  const Ran missing = Run({"render", "--contract", file, "site/a/x", "1"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.out, HasSubstr("project"));
}

TEST_F(ContractCommands, CheckOfTheConfigurationWarnsOfABrokenFileThatNothingUses) {
  Configure();
  Write("acme@1.0.json", R"({ "contract": "acme@1.0", "reqest": 1 })");
  const Ran ran = Run({"check"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("/reqest: warning"), HasSubstr("did you mean \"request\"?")));
}

TEST_F(ContractCommands, CheckOfTheConfigurationRefusesABrokenFileThatADestinationNeeds) {
  Configure();
  std::string config = test::ReadAll(dir_ / "packhorse.json");
  config.replace(config.find("packhorse-ingest@1"), 18, "acme@1");
  test::WriteAll(dir_ / "packhorse.json", config);
  Write("acme@1.0.json", R"({ "contract": "acme@1.0", "reqest": 1, "respons": 2 })");
  const Ran ran = Run({"check"});
  EXPECT_EQ(ran.exit_code, 78) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("acme@1.0.json: /reqest"), HasSubstr("acme@1.0.json: /respons"),
                             HasSubstr("/destinations/0/contract")));
}

TEST(ReadableTimes, NumbersThatAreMomentsOfOurDaysAreShownOnce) {
  EXPECT_THAT(
      ReadableTimes(
          R"({"a":1795165921,"b":1795165921000,"c":1795165921000,"d":1795165921123456789,"e":42,"f":"x1795165921"})",
          10),
      ElementsAre(Pair("1795165921", "2026-11-20T09:12:01.000000Z"),
                  Pair("1795165921000", "2026-11-20T09:12:01.000000Z"),
                  Pair("1795165921123456789", "2026-11-20T09:12:01.123456Z")));
}

}  // namespace
}  // namespace packhorse::cli
