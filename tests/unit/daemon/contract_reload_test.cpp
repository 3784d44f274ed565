// Contracts beside the configuration at a reload, on the objects of a daemon.

#include <gmock/gmock.h>

#include <filesystem>

#include "app_fixture.h"
#include "bridge/table_watch.h"
#include "contract/cloud_library.h"

namespace packhorse::daemon {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class ReloadOfContracts : public AppTest {
 protected:
  ReloadOfContracts() { std::filesystem::create_directory(dir_ / "contracts"); }
  ~ReloadOfContracts() override { contract::UseCloudContracts(contract::CloudLibrary::Shipped()); }

  void Write(const std::string& method, const std::string& name = "acme@1.0") {
    test::WriteAll(dir_ / ("contracts/" + name + ".json"), R"({ "contract": ")" + name + R"(",
      "request": { "method": ")" + method + R"(", "path": "/points", "body": { "json": { "points": "{items}" } },
        "item": { "id": "{record_id}", "values": "{fields}" } },
      "accepts": { "max_items": 10, "max_bytes": "1MiB" },
      "response": [ { "status": 200, "verdict": "accepted" } ] })");
  }
  void UseAcme() {
    std::string config = test::ReadAll(file_);
    config.replace(config.find("packhorse-ingest@1"), 18, "acme@1");
    test::WriteAll(file_, config);
  }
  bridge::ReloadReport Reload() {
    bridge::ReloadReport report;
    bool done = false;
    reloader_.Begin(
        [&](const bridge::ReloadReport& of) {
          report = of;
          done = true;
        },
        clock_.Mono());
    for (int turn = 0; turn < 1000 && reloader_.active(); ++turn) {
      reloader_.Step(clock_.Mono());
    }
    EXPECT_TRUE(done);
    return report;
  }
  static std::string Method(const std::string& name = "acme@1") {
    const auto found = contract::FindCloudContract(name);
    return found ? (*found)->method() : found.error().message;
  }
  std::vector<std::string> Refused() const {
    std::vector<std::string> subjects;
    for (const health::Event& event : app_->events.Open()) {
      if (event.name == "contract_refused") {
        subjects.push_back(event.subject);
      }
    }
    return subjects;
  }

  std::vector<std::string> Messages() const {
    std::vector<std::string> messages;
    for (const health::Event& event : app_->events.Open()) {
      if (event.name == "contract_refused") {
        messages.push_back(event.message);
      }
    }
    return messages;
  }

  bridge::Reloader reloader_{BridgeOf(*app_), file_, LoadConfiguration};
};

TEST_F(ReloadOfContracts, AChangedFileIsTakenOverWithoutARestart) {
  Write("POST");
  UseAcme();
  EXPECT_TRUE(Reload().applied);
  EXPECT_EQ(Method(), "POST");
  Write("PUT");
  const bridge::ReloadReport changed = Reload();
  EXPECT_TRUE(changed.applied);
  EXPECT_THAT(changed.changes, Contains("contract 'acme@1.0' changed"));
  EXPECT_THAT(changed.changes, Contains("destination 'cloud' changed"));
  EXPECT_EQ(Method(), "PUT");
  EXPECT_THAT(Reload().changes, IsEmpty());
}

TEST_F(ReloadOfContracts, ANewerMinorIsTakenOverByWhoeverNamesTheMajor) {
  Write("POST");
  UseAcme();
  Reload();
  Write("PUT", "acme@1.1");
  EXPECT_THAT(Reload().changes, Contains("destination 'cloud' changed"));
  EXPECT_EQ(Method(), "PUT");
  EXPECT_EQ(Method("acme@1.0"), "POST");
}

TEST_F(ReloadOfContracts, ABrokenFileIsRefusedAndTheOldOneKeepsWorking) {
  Write("POST");
  UseAcme();
  Reload();
  test::WriteAll(dir_ / "contracts/acme@1.0.json", R"({ "contract": "acme@1.0", "reqest": 1, "respons": 2 })");
  const bridge::ReloadReport report = Reload();
  EXPECT_TRUE(report.applied);
  EXPECT_THAT(report.problems, IsEmpty());
  ASSERT_EQ(report.refused.size(), 1U);
  EXPECT_EQ(report.refused[0].name, "acme@1.0");
  EXPECT_TRUE(report.refused[0].kept);
  EXPECT_THAT(report.refused[0].mistakes, Contains(HasSubstr("acme@1.0.json: /reqest: ")));
  EXPECT_THAT(report.refused[0].mistakes, Contains(HasSubstr("/respons")));
  EXPECT_THAT(report.refused[0].mistakes, testing::Each(testing::Not(HasSubstr("warning"))));
  EXPECT_THAT(Messages(),
              testing::ElementsAre(HasSubstr(std::to_string(report.refused[0].mistakes.size()) + " mistakes")));
  EXPECT_THAT(report.changes, IsEmpty());
  EXPECT_EQ(Method(), "POST");
  EXPECT_THAT(Refused(), testing::ElementsAre("acme@1.0"));
  Write("PUT");
  EXPECT_TRUE(Reload().applied);
  EXPECT_EQ(Method(), "PUT");
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(ReloadOfContracts, WhatIsFineInTheConfigurationIsTakenOverBesideABrokenContract) {
  Write("POST");
  UseAcme();
  Reload();
  test::WriteAll(dir_ / "contracts/acme@1.0.json", "{");
  test::WriteAll(dir_ / "contracts/unused@1.0.json", "{");
  std::string config = test::ReadAll(file_);
  config.replace(config.find("\"acme@1\""), 8, "\"acme@1\", \"max_in_flight\": 2");
  test::WriteAll(file_, config);
  const bridge::ReloadReport report = Reload();
  EXPECT_TRUE(report.applied);
  EXPECT_THAT(report.changes, Contains("destination 'cloud' changed"));
  ASSERT_EQ(report.refused.size(), 2U);
  EXPECT_TRUE(report.refused[0].kept);
  EXPECT_EQ(report.refused[1].name, "unused@1.0");
  EXPECT_FALSE(report.refused[1].kept);
  EXPECT_THAT(Messages(), Contains(testing::StartsWith("1 mistake: ")));
}

TEST_F(ReloadOfContracts, AContractThatIsGoneWhileADestinationNeedsItRefusesTheReload) {
  Write("POST");
  UseAcme();
  Reload();
  std::filesystem::remove(dir_ / "contracts/acme@1.0.json");
  const bridge::ReloadReport report = Reload();
  EXPECT_FALSE(report.applied);
  EXPECT_THAT(report.problems, Contains(HasSubstr("no cloud contract \"acme@1\"")));
  EXPECT_EQ(Method(), "POST");
}

class ReloadOfTables : public ReloadOfContracts {
 protected:
  ReloadOfTables() {
    std::filesystem::create_directory(dir_ / "contracts/tables");
    test::WriteAll(dir_ / "contracts/acme@1.0.json", R"({ "contract": "acme@1.0",
      "settings": { "tokens": { "table": true, "secret": true } },
      "request": { "method": "POST", "path": "/d/{device_id|lookup:tokens}", "split_by": "{device_id}",
        "body": { "json": "{items}" }, "item": { "id": "{record_id}" } },
      "accepts": { "max_items": 10, "max_bytes": "1MiB", "unfit": "wait" },
      "response": [ { "status": 200, "verdict": "accepted" } ] })");
    WriteTable(R"({"a":"first"})");
    std::string config = test::ReadAll(file_);
    config.replace(config.find(R"("packhorse-ingest@1")"), 20, R"("acme@1", "settings": {"tokens": "plant"})");
    test::WriteAll(file_, config);
    EXPECT_TRUE(Reload().applied);
  }
  void WriteTable(const std::string& text) {
    test::WriteAll(dir_ / "contracts/tables/plant.json", text);
    std::filesystem::permissions(dir_ / "contracts/tables/plant.json", std::filesystem::perms::owner_all);
  }
  // As the loop does it; whether the watch asked for it.
  bool Look() {
    clock_.Advance(std::chrono::seconds(11));
    const bool changed = watch_.Changed(clock_.Mono());
    if (changed) {
      reloader_.BeginTables(
          watch_.folder(), [](const bridge::ReloadReport&) {}, clock_.Mono());
      for (int turn = 0; turn < 1000 && reloader_.active(); ++turn) {
        reloader_.Step(clock_.Mono());
      }
    }
    return changed;
  }
  std::string Token() {
    const auto& unit = app_->destinations->units().at(0);
    const auto contract = app_->destinations->ContractOf(unit.config.name);
    const std::string* entry = contract->SecretEntry("tokens:a");
    return entry == nullptr ? "none" : *entry;
  }

  bridge::TableWatch watch_{dir_ / "contracts"};
};

TEST_F(ReloadOfTables, AChangedFileIsTakenOverByItself) {
  EXPECT_TRUE(Look()) << "the first look is at everything";
  EXPECT_EQ(reloader_.applied(), 1U) << "and finds nothing new";
  EXPECT_FALSE(Look());
  WriteTable(R"({"a":"second"})");
  EXPECT_FALSE(watch_.Changed(clock_.Mono() + std::chrono::seconds(9)));
  EXPECT_TRUE(Look());
  EXPECT_EQ(Token(), "second");
  EXPECT_EQ(reloader_.applied(), 2U);
  EXPECT_FALSE(Look());
}

TEST_F(ReloadOfTables, AConfigurationAndContractsThatChangedMeanwhileAreNotTakenOverWithIt) {
  Look();
  test::WriteAll(file_, "{");
  test::WriteAll(dir_ / "contracts/acme@1.0.json", "{");
  WriteTable(R"({"a":"second"})");
  Look();
  EXPECT_EQ(Token(), "second");
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(ReloadOfTables, ABrokenFileKeepsTheOldTableWithAnEventUntilItIsMended) {
  Look();
  WriteTable(R"({"a":)");
  Look();
  EXPECT_EQ(Token(), "first");
  EXPECT_THAT(Refused(), testing::ElementsAre("tables/plant"));
  WriteTable(R"({"a":"third"})");
  Look();
  EXPECT_EQ(Token(), "third");
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(ReloadOfTables, AReloadSaysThatABrokenTableWasRefusedAndTheOneBeforeStays) {
  WriteTable(R"({"a":"second","b":{"x":1}})");
  const bridge::ReloadReport report = Reload();
  EXPECT_TRUE(report.applied);
  ASSERT_EQ(report.refused.size(), 1U);
  EXPECT_EQ(report.refused[0].name, "tables/plant");
  EXPECT_TRUE(report.refused[0].kept);
  EXPECT_THAT(report.refused[0].mistakes, testing::ElementsAre(HasSubstr("tables/plant.json: /b: ")));
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(Token(), "first");
}

TEST_F(ReloadOfTables, AFileThatEverybodyMayReadOrThatIsGoneKeepsTheOldTableUntilItIsMended) {
  Look();
  const auto refused = [&] { return app_->events.IsOpen("config_reload_refused", "tables"); };
  WriteTable(R"({"a":"second"})");
  std::filesystem::permissions(dir_ / "contracts/tables/plant.json", std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  Look();
  EXPECT_EQ(Token(), "first");
  EXPECT_TRUE(refused());
  WriteTable(R"({"a":"first"})");
  Look();
  EXPECT_FALSE(refused());
  std::filesystem::remove(dir_ / "contracts/tables/plant.json");
  Look();
  EXPECT_EQ(Token(), "first");
  EXPECT_TRUE(refused());
  WriteTable(R"({"a":"second"})");
  Look();
  EXPECT_EQ(Token(), "second");
  EXPECT_FALSE(refused());
}

TEST_F(ReloadOfContracts, AConfigurationWithErrorsLeavesTheContractsAsTheyWere) {
  Write("POST");
  UseAcme();
  Reload();
  Write("PUT");
  const std::string good = test::ReadAll(file_);
  test::WriteAll(file_, "{");
  EXPECT_FALSE(Reload().applied);
  EXPECT_EQ(Method(), "POST");
  test::WriteAll(file_, good);
  EXPECT_TRUE(Reload().applied);
  EXPECT_EQ(Method(), "PUT");
}

}  // namespace
}  // namespace packhorse::daemon
