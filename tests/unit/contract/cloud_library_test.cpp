#include "contract/cloud_library.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::contract {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

std::string ContractText(const std::string& name, const std::string& path = "/points",
                         const std::string& setting = "{}") {
  return R"({ "contract": ")" + name + R"(", "settings": { "project": )" + setting + R"( },
    "request": { "method": "POST", "path": ")" +
         path + R"(", "query": { "p": "{settings.project}" },
      "body": { "json": { "points": "{items}" } }, "item": { "id": "{record_id}", "values": "{fields}" } },
    "accepts": { "max_items": 10, "max_bytes": "1MiB" },
    "response": [ { "status": 200, "verdict": "accepted" } ] })";
}

std::vector<std::string> Described(const CloudLibrary::Loaded& loaded) {
  std::vector<std::string> lines;
  for (const document::Problem& problem : loaded.problems) {
    lines.push_back(document::Describe(problem));
  }
  return lines;
}

class CloudLibraryTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    packhorse::test::WriteAll(dir_ / (name + ".json"), text);
  }
  CloudLibrary::Loaded Load(const CloudLibrary* before = nullptr) const {
    return CloudLibrary::Load(dir_.path(), before);
  }

  packhorse::test::TempDir dir_;
};

TEST_F(CloudLibraryTest, AFolderThatIsNotThereGivesTheContractsOfTheProgram) {
  const CloudLibrary::Loaded loaded = CloudLibrary::Load(dir_ / "none");
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.library->Names(), CloudLibrary::Shipped()->Names());
  EXPECT_THAT(loaded.library->Names(), Contains("packhorse-ingest@1.3"));
}

TEST_F(CloudLibraryTest, AFileIsFoundByItsNameAndTheNewestMinorByTheMajor) {
  Write("acme@1.0", ContractText("acme@1.0"));
  Write("acme@1.2", ContractText("acme@1.2"));
  Write("acme@1.10", ContractText("acme@1.10"));
  Write("acme@2.0", ContractText("acme@2.0"));
  const CloudLibrary::Loaded loaded = Load();
  EXPECT_THAT(Described(loaded), IsEmpty());
  EXPECT_EQ(loaded.library->Find("acme@1")->name, "acme@1.10");
  EXPECT_EQ(loaded.library->Find("acme@1.2")->name, "acme@1.2");
  EXPECT_EQ(loaded.library->Find("acme@1.3"), nullptr);
  const auto made = loaded.library->Make("acme@1", {{"project", "p"}});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)->name(), "acme@1.10");
  EXPECT_TRUE(loaded.library->Make("packhorse-ingest@1", {}));
}

TEST_F(CloudLibraryTest, SettingsThatAreMissingOrUnknownAreNamed) {
  Write("acme@1.0", ContractText("acme@1.0"));
  const CloudLibrary::Loaded loaded = Load();
  const auto missing = loaded.library->Make("acme@1", {});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("project"));
  const auto unknown = loaded.library->Make("acme@1", {{"project", "p"}, {"projekt", "p"}});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("projekt"));
  const auto none = loaded.library->Make("acne@1", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("acme@1.0"));
}

TEST_F(CloudLibraryTest, EveryMistakeOfEveryFileIsNamedAtOnceWithFilePlaceAndSuggestion) {
  Write("acme@1.0", R"({ "contract": "acme@1.0", "reqest": {},
    "request": { "method": "POST", "path": "/{recordid}", "body": { "json": "{items}" }, "item": "{tiem}" },
    "response": [ { "status": "200", "verdict": "acepted" } ] })");
  Write("other@1.0", "{");
  Write("good@1.0", ContractText("good@1.0"));
  const CloudLibrary::Loaded loaded = Load();
  const std::vector<std::string> lines = Described(loaded);
  EXPECT_THAT(
      lines, Contains(AllOf(HasSubstr("acme@1.0.json"), HasSubstr("/reqest"), HasSubstr("did you mean \"request\"?"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("/request/path"), HasSubstr("record_id"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("/request/item"), HasSubstr("time"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("/response/0/verdict"), HasSubstr("accepted"))));
  EXPECT_THAT(lines, Contains(HasSubstr("other@1.0.json")));
  EXPECT_NE(loaded.library->Find("good@1"), nullptr);
  EXPECT_EQ(loaded.library->Find("acme@1"), nullptr);
  ASSERT_EQ(loaded.library->broken().size(), 2U);
  EXPECT_EQ(loaded.library->broken()[0].name, "acme@1.0");
}

TEST_F(CloudLibraryTest, AFileThatIsNotNamedAsItsContractIsRefused) {
  Write("acme@1.1", ContractText("acme@1.0"));
  Write("notes", ContractText("notes@1.0"));
  const std::vector<std::string> lines = Described(Load());
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("acme@1.1.json: /contract"), HasSubstr("not called as its file"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("notes.json"), HasSubstr("NAME@MAJOR.MINOR.json"))));
}

TEST_F(CloudLibraryTest, ANameOfTheProgramCannotBeTaken) {
  Write("packhorse-ingest@1.7", ContractText("packhorse-ingest@1.7"));
  const CloudLibrary::Loaded loaded = Load();
  EXPECT_THAT(Described(loaded), Contains(HasSubstr("of its own")));
  EXPECT_EQ(loaded.library->Find("packhorse-ingest@1")->name, "packhorse-ingest@1.3");
}

TEST_F(CloudLibraryTest, SamplesAndHiddenFilesAreNoContracts) {
  Write("acme@1.0", ContractText("acme@1.0"));
  std::filesystem::create_directory(dir_ / "acme@1.0.samples");
  packhorse::test::WriteAll(dir_ / "acme@1.0.samples/one.json", "{}");
  Write(".acme@1.1", "{");
  EXPECT_THAT(Described(Load()), IsEmpty());
}

TEST_F(CloudLibraryTest, ABrokenFileLeavesWhatItSaidBeforeInForce) {
  Write("acme@1.0", ContractText("acme@1.0", "/old"));
  const CloudLibrary::Loaded first = Load();
  Write("acme@1.0", "{ \"contract\": ");
  const CloudLibrary::Loaded second = Load(first.library.get());
  ASSERT_NE(second.library->Find("acme@1"), nullptr);
  EXPECT_TRUE(second.library->Find("acme@1")->kept);
  EXPECT_TRUE(second.library->SameIn(*first.library, "acme@1"));
  EXPECT_EQ(second.library->broken().size(), 1U);
  Write("acme@1.0", ContractText("acme@1.0", "/new"));
  const CloudLibrary::Loaded third = Load(second.library.get());
  EXPECT_FALSE(third.library->Find("acme@1")->kept);
  EXPECT_FALSE(third.library->SameIn(*first.library, "acme@1"));
  EXPECT_THAT(third.library->broken(), IsEmpty());
}

TEST_F(CloudLibraryTest, ANewerMinorIsAnotherMeaningOfTheMajor) {
  Write("acme@1.0", ContractText("acme@1.0"));
  const CloudLibrary::Loaded first = Load();
  Write("acme@1.1", ContractText("acme@1.1"));
  const CloudLibrary::Loaded second = Load(first.library.get());
  EXPECT_FALSE(second.library->SameIn(*first.library, "acme@1"));
  EXPECT_TRUE(second.library->SameIn(*first.library, "acme@1.0"));
  EXPECT_TRUE(second.library->SameIn(*first.library, "packhorse-ingest@1"));
}

TEST_F(CloudLibraryTest, AThousandFilesAreReadAndMoreAreRefused) {
  for (std::size_t i = 0; i <= kMaxContractFiles; ++i) {
    Write("many@1." + std::to_string(i), ContractText("many@1." + std::to_string(i)));
  }
  const CloudLibrary::Loaded loaded = Load();
  EXPECT_THAT(Described(loaded), testing::ElementsAre(HasSubstr("at most 1000")));
  EXPECT_EQ(loaded.library->entries().size(), CloudLibrary::Shipped()->entries().size() + kMaxContractFiles);
}

class CloudLibraryTables : public CloudLibraryTest {
 protected:
  CloudLibraryTables() {
    std::filesystem::create_directory(dir_ / "tables");
    Write("acme@1.0", R"({ "contract": "acme@1.0", "settings": { "ids": { "table": true } },
      "request": { "path": "/", "body": { "json": "{items}" }, "item": { "id": "{device_id|lookup:ids}" } },
      "response": [ { "status": 200, "verdict": "accepted" } ] })");
    Write("other@1.0", ContractText("other@1.0"));
  }

  const SettingValues settings_{{"ids", "plant"}};
};

TEST_F(CloudLibraryTables, FileBesideTheContractsIsFoundByItsName) {
  Write("tables/plant", R"({ "press-1": "4711" } // comments may stand here)");
  const CloudLibrary::Loaded loaded = Load();
  EXPECT_THAT(Described(loaded), IsEmpty());
  EXPECT_TRUE(loaded.library->Make("acme@1", settings_));
  EXPECT_FALSE(loaded.library->Make("acme@1", {{"ids", "none"}}));
  EXPECT_EQ(loaded.library->tables().at("plant")->entries.at("press-1").text, "4711");
}

TEST_F(CloudLibraryTables, ChangedTableChangesTheContractsThatNameIt) {
  Write("tables/plant", R"({ "press-1": "1" })");
  Write("tables/spare", R"({ "press-1": "1" })");
  const CloudLibrary::Loaded first = Load();
  Write("tables/spare", R"({ "press-1": "2" })");
  const CloudLibrary::Loaded second = Load(first.library.get());
  EXPECT_TRUE(second.library->SameIn(*first.library, "acme@1", settings_));
  Write("tables/plant", R"({ "press-1": "2" })");
  const CloudLibrary::Loaded third = Load(second.library.get());
  EXPECT_FALSE(third.library->SameIn(*first.library, "acme@1", settings_));
  EXPECT_TRUE(third.library->SameIn(*first.library, "other@1"));
}

TEST_F(CloudLibraryTables, BrokenTableStaysAsItWasAndEachMistakeIsTold) {
  Write("tables/plant", R"({ "press-1": "1" })");
  const CloudLibrary::Loaded first = Load();
  Write("tables/plant", R"({ "press-1": ["secret"], "": "x" })");
  const CloudLibrary::Loaded second = Load(first.library.get());
  EXPECT_THAT(Described(second), Contains(AllOf(HasSubstr("plant.json: /press-1"), HasSubstr("a text or a number"))));
  EXPECT_THAT(Described(second), Contains(HasSubstr("a key is empty")));
  EXPECT_THAT(Described(second), testing::Each(testing::Not(HasSubstr("secret"))));
  ASSERT_EQ(second.library->broken().size(), 1U);
  EXPECT_EQ(second.library->broken()[0].name, "tables/plant");
  EXPECT_TRUE(second.library->SameIn(*first.library, "acme@1", settings_));
}

}  // namespace
}  // namespace packhorse::contract
