#include <gtest/gtest.h>

#include <vector>

#include "common/load.h"
#include "packhorsed/daemon.h"

namespace packhorse::daemon {
namespace {

using Mode = CommandLine::Mode;

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "packhorsed");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLineOfTheDaemon, NothingMeansRunWithTheDefaultFile) {
  EXPECT_EQ(Parse({}).mode, Mode::kRun);
  EXPECT_EQ(Parse({}).config_file, kDefaultConfigFile);
}

TEST(CommandLineOfTheDaemon, OptionsInAnyOrderAndBothForms) {
  EXPECT_EQ(Parse({"--check", "--config", "a.json"}).mode, Mode::kCheck);
  EXPECT_EQ(Parse({"--check", "--config", "a.json"}).config_file, "a.json");
  EXPECT_EQ(Parse({"--config=b.json"}).config_file, "b.json");
  EXPECT_EQ(Parse({"--version"}).mode, Mode::kVersion);
  EXPECT_EQ(Parse({"-h"}).mode, Mode::kHelp);
}

TEST(CommandLineOfTheDaemon, AnythingElseIsAUsageErrorThatNamesIt) {
  EXPECT_EQ(Parse({"--confg", "x"}).mode, Mode::kUsageError);
  EXPECT_EQ(Parse({"--confg", "x"}).error, "unknown argument '--confg'");
  EXPECT_EQ(Parse({"--config"}).error, "--config needs a file");
  EXPECT_EQ(Parse({"file.json"}).mode, Mode::kUsageError);
}

}  // namespace
}  // namespace packhorse::daemon
