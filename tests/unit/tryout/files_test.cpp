// The files of this repository: contracts that are shipped, two APIs that nobody runs, and the guide.

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "support/process.h"
#include "try_contract.h"
#include "tryout/advice.h"

namespace packhorse::tryout {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using GuideJson = nlohmann::ordered_json;

std::vector<std::string> ContractsIn(const std::string& folder) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(std::string(SOURCE_DIR) + "/" + folder)) {
    if (entry.path().extension() == ".json") {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Runs all samples of a contract; how many replies they had.
std::size_t RunSamplesOf(const std::string& file) {
  const auto definition = ReadContract(test::ReadAll(file), file);
  const auto samples = ReadSamples(SampleFolderOf(file));
  EXPECT_TRUE(samples) << file;
  std::size_t replies = 0;
  for (const SampleRead& read : *samples) {
    EXPECT_THAT(Lines(read.problems), ElementsAre()) << read.sample.file;
    const auto made = Make(definition, contract::SettingValues(read.sample.settings));
    if (made != nullptr && read.problems.empty()) {
      EXPECT_THAT(RunSample(*made, read.sample), ElementsAre()) << read.sample.file;
    }
    replies += read.sample.replies.size();
  }
  return replies;
}

TEST(ShippedContracts, DoWhatTheirSamplesSay) {
  for (const std::string& file : ContractsIn("contracts/cloud")) {
    if (file.find("packhorse-ingest@") == std::string::npos) {  // its samples are contracts/golden
      EXPECT_GT(RunSamplesOf(file), 0U) << file << " has no sample with a reply";
    }
  }
}

TEST(InventedApis, WrittenAsFilesOnlyDoWhatTheirSamplesSay) {
  const std::vector<std::string> files = ContractsIn("tests/contract/invented");
  ASSERT_EQ(files.size(), 2U);
  for (const std::string& file : files) {
    EXPECT_GT(RunSamplesOf(file), 5U) << file;
  }
}

TEST(InventedApis, HaveASampleForEachRuleAndNoAdvice) {
  for (const std::string& file : ContractsIn("tests/contract/invented")) {
    const auto made = Make(ReadContract(test::ReadAll(file), file), {});
    std::vector<Sample> samples;
    auto reads = ReadSamples(SampleFolderOf(file));
    ASSERT_TRUE(reads);
    for (SampleRead& read : *reads) {
      samples.push_back(std::move(read.sample));
    }
    ASSERT_NE(made, nullptr);
    EXPECT_THAT(Advice(*made, samples), ElementsAre()) << file;
  }
}

// An example of the guide: what its comment says, and the text of its block.
struct Example {
  std::string what;  // "file", "change", "refused"
  std::string file;
  std::string mistake;  // of "refused": what stands in a message
  std::string text;
};

std::vector<Example> ExamplesOfGuide() {
  const std::string guide = test::ReadAll(std::string(SOURCE_DIR) + "/docs/contracts.md");
  const std::regex pattern("<!-- (file|change|refused): ([^ :]+)(?:: ([^>]+))? -->\n```json\n([^`]*)```");
  std::vector<Example> examples;
  for (std::sregex_iterator match(guide.begin(), guide.end(), pattern), end; match != end; ++match) {
    examples.push_back({(*match)[1], (*match)[2], (*match)[3], (*match)[4]});
  }
  return examples;
}

GuideJson Changed(const std::map<std::string, std::string>& files, const Example& example) {
  GuideJson json = GuideJson::parse(files.at(example.file));
  json.merge_patch(GuideJson::parse(example.text));
  return json;
}

TEST(Guide, ItsFilesDoWhatItsSamplesSay) {
  std::map<std::string, std::string> files;
  std::size_t samples = 0;
  for (const Example& example : ExamplesOfGuide()) {
    if (example.what != "file") {
      continue;
    }
    files[example.file] = example.text;
    const std::size_t folder = example.file.find(".samples/");
    if (folder == std::string::npos) {
      EXPECT_NE(ReadContract(example.text, example.file), nullptr);
      continue;
    }
    ++samples;
    const std::string contract = example.file.substr(0, folder) + ".json";
    ASSERT_EQ(files.count(contract), 1U) << contract;
    EXPECT_THAT(Try(ReadContract(files[contract], contract), example.text, example.file), ElementsAre());
  }
  EXPECT_GE(samples, 1U);
}

TEST(Guide, EachConstructThatItShowsCanBePutIntoItsFile) {
  std::map<std::string, std::string> files;
  std::size_t changes = 0;
  for (const Example& example : ExamplesOfGuide()) {
    if (example.what == "file") {
      files[example.file] = example.text;
    } else if (example.what == "change") {
      ++changes;
      const std::string text = Changed(files, example).dump(2);
      const auto made = Make(ReadContract(text, example.text), {});
      ASSERT_NE(made, nullptr) << text;
    }
  }
  EXPECT_GE(changes, 10U);
}

TEST(Guide, EachMistakeThatItShowsIsRefused) {
  std::map<std::string, std::string> files;
  std::size_t mistakes = 0;
  for (const Example& example : ExamplesOfGuide()) {
    if (example.what == "file") {
      files[example.file] = example.text;
    } else if (example.what == "refused") {
      ++mistakes;
      const contract::ContractRead read = contract::ReadCloudContract(Changed(files, example).dump(2), "guide");
      EXPECT_EQ(read.definition, nullptr) << example.text;
      EXPECT_THAT(Lines(read.problems), Contains(HasSubstr(example.mistake))) << example.text;
    }
  }
  EXPECT_GE(mistakes, 4U);
}

}  // namespace
}  // namespace packhorse::tryout
