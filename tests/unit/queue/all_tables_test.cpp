#include "queue/tables/all_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "queue/sqlite/database.h"
#include "queue/tables/schema.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::queue {
namespace {

using testing::ContainerEq;

std::set<std::string> Names(bool (*chosen)(const QueueTable& table)) {
  std::set<std::string> names;
  for (const QueueTable& table : AllTables()) {
    if (chosen(table)) {
      names.insert(table.name);
    }
  }
  return names;
}

class AllTablesTest : public ::testing::Test {
 protected:
  AllTablesTest() {
    Result<Database> db = Database::Open(dir_ / "new.db", Database::Mode::kReadWriteCreate);
    EXPECT_TRUE(db) << db.error().message;
    db_.emplace(*std::move(db));
    EXPECT_TRUE(PrepareSchema(*db_));
  }

  std::set<std::string> Texts(const std::string& sql) {
    Result<Statement> rows = db_->Prepare(sql);
    EXPECT_TRUE(rows) << rows.error().message;
    std::set<std::string> texts;
    EXPECT_TRUE(rows->ForEach([&] { texts.insert(rows->Text(0)); }));
    return texts;
  }
  // The tables of a new database that have this column.
  std::set<std::string> With(const std::string& column) {
    return Texts(
        "SELECT list.name FROM pragma_table_list AS list JOIN pragma_table_info(list.name) AS col"
        " WHERE list.schema = 'main' AND col.name = '" +
        column + "'");
  }

  test::TempDir dir_;
  std::optional<Database> db_;
};

TEST_F(AllTablesTest, AreThoseOfANewDatabase) {
  EXPECT_THAT(Names([](const QueueTable&) { return true; }),
              ContainerEq(Texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
                                " ESCAPE '\\'")));
  EXPECT_EQ(Names([](const QueueTable&) { return true; }).size(), AllTables().size());
}

TEST_F(AllTablesTest, KeepMessagesWhereThereIsSuchAColumn) {
  EXPECT_THAT(Names([](const QueueTable& table) { return table.keeps_messages; }), ContainerEq(With("message")));
}

TEST_F(AllTablesTest, HaveTheirRowsLookedAtWhereTheyHoldBytesOrPartsOfOurs) {
  std::set<std::string> coded = With("message");
  coded.merge(With("members"));
  coded.merge(With("blob"));
  coded.merge(With("trillionths"));
  EXPECT_THAT(Names([](const QueueTable& table) { return table.holds != nullptr; }), ContainerEq(coded));
}

TEST_F(AllTablesTest, SayHowTheirLaneAndNumbersAreSelected) {
  for (const QueueTable& table : AllTables()) {
    if (table.last_number != nullptr) {
      EXPECT_TRUE(db_->Prepare(std::string("SELECT ") + table.lane + ", " + table.last_number + " FROM " + table.name))
          << table.name;
    }
  }
  EXPECT_TRUE(db_->Prepare(SelectKeptMessages("message", "lane = 1 AND sequence = 2 AND stream = 3")));
}

TEST_F(AllTablesTest, StandInTheDocument) {
  const std::string document = test::ReadAll(std::string(SOURCE_DIR) + "/lib/queue/FORMAT.md");
  for (const QueueTable& table : AllTables()) {
    EXPECT_THAT(document, testing::HasSubstr("`" + std::string(table.name) + "`"));
  }
}

}  // namespace
}  // namespace packhorse::queue
