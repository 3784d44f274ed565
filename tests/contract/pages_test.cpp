// What a power cut may cost stands in one table, docs/ARCHITECTURE.md "What may be lost, and when". Every other page
// says the same, and no figure of its own.
#include <gmock/gmock.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "repository_file.h"

namespace packhorse::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::regex kPowerCut(R"(power (cut|fail|loss|outage)|power is cut|cut the power)", std::regex::icase);
const std::regex kFigure(
    R"(\b(\d[\d.,]*|an?|one|two|three|five|ten|few|last) (milliseconds?|seconds?|minutes?|hours?|days?)\b|\b\d[\d.,]* ?(ms|s|min|h|d)\b)",
    std::regex::icase);
const std::regex kNothingLost(R"(\b(nothing|never|none|no (message|power)|not (lose|cost)|nor|even a)\b)",
                              std::regex::icase);
const std::regex kBeforeAcknowledgement(R"(\bdisk\b[^.]*\bbefore\b[^.]*\backnowledg)", std::regex::icase);

// Text between blank lines, rows of a table apart, without test names and markup, white space as one
// blank.
std::vector<std::string> Paragraphs(const std::string& text) {
  std::string plain = std::regex_replace(
      text, std::regex(R"(`[A-Z]\w+\.[A-Z]\w+`|\\f[BIR]|^\s*(//|\.[A-Z]+) ?|"\s*\n\s*")", std::regex::multiline), "");
  plain = std::regex_replace(plain, std::regex(R"(\n\s*\n|\n(?=[|\-#]))"), "\f");
  std::vector<std::string> paragraphs;
  for (std::size_t at = 0; at <= plain.size();) {
    const std::size_t end = std::min(plain.find('\f', at), plain.size());
    paragraphs.push_back(std::regex_replace(plain.substr(at, end - at), std::regex(R"(\s+)"), " "));
    at = end + 1;
  }
  return paragraphs;
}

std::vector<std::string> Sentences(const std::string& paragraph) {
  const std::regex end(R"([.;|] )");
  return {std::sregex_token_iterator(paragraph.begin(), paragraph.end(), end, -1), std::sregex_token_iterator()};
}

std::set<std::string> Figures(const std::string& text) {
  std::set<std::string> figures;
  for (std::sregex_iterator at(text.begin(), text.end(), kFigure); at != std::sregex_iterator(); ++at) {
    figures.insert(at->str());
  }
  return figures;
}

std::string Table() {
  const std::string page = RepositoryFile("docs/ARCHITECTURE.md");
  const std::size_t begin = page.find("## What may be lost, and when");
  EXPECT_NE(begin, std::string::npos);
  return page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

// What a page says of a power cut that the table does not: one line each.
std::vector<std::string> Contradictions(const std::string& page, const std::string& table) {
  const std::set<std::string> known = Figures(std::regex_replace(table, std::regex(R"(\s+)"), " "));
  std::vector<std::string> found;
  for (const std::string& paragraph : Paragraphs(page)) {
    const bool strict = paragraph.find("strict") != std::string::npos;
    if (std::regex_search(paragraph, kBeforeAcknowledgement) && !strict) {
      found.push_back("only mode strict writes to the disk first: " + paragraph);
    }
    for (const std::string& sentence : Sentences(paragraph)) {
      if (!std::regex_search(sentence, kPowerCut)) {
        continue;
      }
      for (const std::string& figure : Figures(sentence)) {
        if (known.count(figure) == 0) {
          found.push_back("a figure of its own, " + figure + ": " + sentence);
        }
      }
      if (std::regex_search(sentence, kNothingLost) && !strict) {
        found.push_back("only in mode strict it costs nothing: " + sentence);
      }
    }
  }
  return found;
}

std::vector<std::string> Pages() {
  // Of the configuration's schema docs/CONFIGURATION.md is made.
  std::vector<std::string> pages = {"README.md", "systemd/packhorse.json"};
  for (const auto& more :
       {RepositoryFiles("docs", ".md"), RepositoryFiles("docs/man", ".1"), RepositoryFiles("docs/man", ".8"),
        RepositoryFiles("daemon/packhorse", ".cpp"), RepositoryFiles("daemon/packhorsed", ".cpp")}) {
    pages.insert(pages.end(), more.begin(), more.end());
  }
  return pages;
}

TEST(PowerCutPages, EveryPageSaysOfItsCostWhatTheTableSays) {
  const std::string table = Table();
  const std::vector<std::string> pages = Pages();
  EXPECT_GE(pages.size(), 30U);
  for (const std::string& page : pages) {
    EXPECT_THAT(Contradictions(RepositoryFile(page), table), IsEmpty()) << page;
  }
}

TEST(PowerCutPages, TheTableNamesBothModesAndTheSettingAndNoFigureForIt) {
  const std::string table = Table();
  EXPECT_THAT(table, HasSubstr("| power cut, mode `window` | at most what was acknowledged in the last seconds "
                               "(`durability.window`) and not delivered yet;"));
  EXPECT_THAT(table, HasSubstr("| power cut, mode `strict` | nothing that was acknowledged:"));
}

// Those that somebody reads first say it in full.
TEST(PowerCutPages, ReadmeManPageAndExampleNameWhatItCostsInEitherMode) {
  for (const char* page : {"README.md", "docs/man/packhorsed.8", "systemd/packhorse.json"}) {
    bool told = false;
    for (const std::string& paragraph : Paragraphs(RepositoryFile(page))) {
      const auto has = [&](const char* words) { return paragraph.find(words) != std::string::npos; };
      told = told || (std::regex_search(paragraph, kPowerCut) && has("last seconds") && has("not delivered yet") &&
                      has("strict"));
    }
    EXPECT_TRUE(told) << page;
  }
  EXPECT_THAT(RepositoryFile("README.md"), HasSubstr("(docs/ARCHITECTURE.md#what-may-be-lost-and-when)"));
}

TEST(PowerCutPages, AnotherFigureAndAPromiseThatTheDefaultModeDoesNotKeepAreFound) {
  const std::string table = "power cut: at most the last seconds; counted up to the last 62 s";
  EXPECT_THAT(Contradictions("A power cut costs at most what came in the last seconds.", table), IsEmpty());
  EXPECT_THAT(Contradictions("It loses 100 messages in 5 s.\n\nA power cut: what came in the last 62 s.", table),
              IsEmpty());
  EXPECT_THAT(Contradictions("A power\ncut costs at most\n10 seconds.", table), ElementsAre(HasSubstr("10 seconds")));
  EXPECT_THAT(Contradictions("| x | of a power failure 2s |", table), ElementsAre(HasSubstr("2s")));
  EXPECT_THAT(Contradictions("No power cut loses a message.", table), ElementsAre(HasSubstr("only in mode strict")));
  EXPECT_THAT(Contradictions("With strict a power cut loses nothing.", table), IsEmpty());
  EXPECT_THAT(Contradictions("Each message is on the disk before its acknowledgement.", table),
              ElementsAre(HasSubstr("only mode strict")));
}

}  // namespace
}  // namespace packhorse::test
