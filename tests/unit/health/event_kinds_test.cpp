#include "health/event_kinds.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "contract/repository_file.h"

namespace packhorse::health {
namespace {

// The row of the table at the beginning of the runbook.
std::string RunbookRow(const EventKind& kind) {
  const std::string name(kind.name);
  return "\n| [`" + name + "`](#" + name + ") | " + std::string(Name(kind.severity)) + " | " + std::string(kind.means) +
         " | " + std::string(kind.ends) + " |\n";
}

TEST(EventKinds, EachHasARowAndASectionInTheRunbook) {
  const std::string runbook = test::RepositoryFile("docs/RUNBOOK.md");
  for (const EventKind& kind : kEventKinds) {
    EXPECT_NE(runbook.find(RunbookRow(kind)), std::string::npos) << "missing in the table:" << RunbookRow(kind);
    const std::string heading = "\n## " + std::string(kind.name) + "\n**Means**: ";
    EXPECT_NE(runbook.find(heading), std::string::npos) << "no section" << heading;
  }
}

TEST(EventKinds, TheRunbookNamesNoOther) {
  const std::string runbook = test::RepositoryFile("docs/RUNBOOK.md");
  const std::string row = "\n| [`";
  for (std::size_t at = runbook.find(row); at != std::string::npos; at = runbook.find(row, at + 1)) {
    const std::size_t name = at + row.size();
    const std::string named = runbook.substr(name, runbook.find('`', name) - name);
    EXPECT_NE(FindEventKind(named), nullptr) << named;
  }
}

TEST(EventKinds, NamesAreUniqueShortAndSayWhatEndsThem) {
  std::set<std::string_view> names;
  for (const EventKind& kind : kEventKinds) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_LE(kind.name.size(), 32U);
    EXPECT_FALSE(kind.means.empty()) << kind.name;
    EXPECT_FALSE(kind.ends.empty()) << kind.name;
  }
  EXPECT_EQ(FindEventKind("no_such_event"), nullptr);
}

TEST(EventKinds, AMomentStaysForADay) {
  EXPECT_EQ(FindEventKind("session_lost")->quiet, std::chrono::hours(24));
  EXPECT_EQ(FindEventKind("destination_held")->quiet, std::chrono::seconds(0));
}

}  // namespace
}  // namespace packhorse::health
