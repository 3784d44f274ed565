// What the documents tell people to type exists.

#include <gmock/gmock.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "packhorse/cli.h"
#include "support/process.h"

namespace packhorse::cli {
namespace {

// `packhorse queue verify`, at the beginning of a line or within backquotes.
std::set<std::string> CommandsIn(const std::string& file) {
  const std::string text = test::ReadAll(std::string(SOURCE_DIR) + "/" + file);
  const std::regex pattern("(?:`|\\n)(?:sudo )?packhorse ((?:queue |dead )?[a-z]+)");
  std::set<std::string> commands;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    commands.insert((*match)[1]);
  }
  return commands;
}

struct Help {
  int exit_code = 0;
  std::string text;
};

Help HelpOf(const std::string& command) {
  std::vector<std::string> words = {"packhorse"};
  for (std::size_t at = 0; at <= command.size();) {
    const std::size_t end = std::min(command.find(' ', at), command.size());
    words.push_back(command.substr(at, end - at));
    at = end + 1;
  }
  words.emplace_back("--help");
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Help help;
  help.exit_code = Main(static_cast<int>(argv.size()), argv.data());
  help.text = testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  return help;
}

int ExitCodeOfHelp(const std::string& command) {
  const Help help = HelpOf(command);
  return help.exit_code == 0 && help.text.empty() ? -1 : help.exit_code;
}

std::set<std::string> WordsIn(const std::string& text) {
  const std::regex word("[a-z]+");
  std::set<std::string> words;
  for (std::sregex_iterator match(text.begin(), text.end(), word), end; match != end; ++match) {
    words.insert(match->str());
  }
  return words;
}

// The words of each heading of the manual page: of the line behind `.TP`.
std::vector<std::set<std::string>> HeadingsOfManualPage() {
  std::istringstream page(test::ReadAll(std::string(SOURCE_DIR) + "/docs/man/packhorse.1"));
  std::vector<std::set<std::string>> headings;
  std::string before;
  for (std::string line; std::getline(page, line); before = line) {
    if (before == ".TP") {
      headings.push_back(WordsIn(line));
    }
  }
  return headings;
}

TEST(Documents, EveryCommandThatTheyNameExists) {
  std::set<std::string> all;
  for (const char* file : {"docs/RUNBOOK.md", "README.md", "docs/ARCHITECTURE.md"}) {
    for (const std::string& command : CommandsIn(file)) {
      EXPECT_EQ(ExitCodeOfHelp(command), 0) << file << " names `packhorse " << command << "`";
      all.insert(command);
    }
  }
  for (const char* command : {"status", "queue verify", "queue export", "flush", "dead list"}) {
    EXPECT_EQ(all.count(command), 1U) << command << " is not explained";
  }
  EXPECT_NE(ExitCodeOfHelp("nonsense"), 0);
}

TEST(Documents, HelpNamesWhatIsGivenByItsPlaceAsItIsTyped) {
  for (const std::string& command : CommandNames()) {
    EXPECT_THAT(HelpOf(command).text, testing::Not(testing::ContainsRegex("[(][0-9]+x[)]"))) << command;
  }
  EXPECT_THAT(HelpOf("rollout").text, testing::HasSubstr("packhorse rollout [OPTIONS] [DESTINATION] [ACTION]"));
}

TEST(Documents, TheManualPageHasEveryCommandOfTheHelp) {
  const std::vector<std::set<std::string>> headings = HeadingsOfManualPage();
  const std::vector<std::string> commands = CommandNames();
  for (const std::string& command : commands) {
    const std::set<std::string> words = WordsIn(command);
    EXPECT_TRUE(std::any_of(headings.begin(), headings.end(), [&](const std::set<std::string>& heading) {
      return std::includes(heading.begin(), heading.end(), words.begin(), words.end());
    })) << command;
    EXPECT_EQ(ExitCodeOfHelp(command), 0) << command;
  }
  for (const char* command : {"status", "queue quarantine retry", "dead drop", "replay", "events ack"}) {
    EXPECT_NE(std::find(commands.begin(), commands.end(), command), commands.end()) << command;
  }
  EXPECT_EQ(std::find(commands.begin(), commands.end(), "queue"), commands.end());
}

}  // namespace
}  // namespace packhorse::cli
