#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/file.h"
#include "queue_fixture.h"

namespace packhorse::queue {

// A queue whose files are changed by hand between its runs.
class Damage : public QueueTest {
 protected:
  void Start() { Reopen(); }
  void End() { queue_.reset(); }
  // As the machine does: nothing in the runtime folder outlives it.
  void StartMachine() {
    End();
    std::filesystem::remove_all(dir_ / "run");
    clock_.Reboot("boot " + std::to_string(++clock_epochs_), clock_.Wall());
    clock_.SetSynchronized(true);
    Start();
  }
  std::string Path() const { return dir_ / "queue.db"; }

  // As somebody with a database tool would.
  void Execute(const std::string& sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(Path().c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_free(error);
    sqlite3_close(db);
  }
  std::int64_t Query(const std::string& sql) const {
    sqlite3* db = nullptr;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_open(Path().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const std::int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
  }
  void Overwrite(std::size_t at, const std::string& bytes) const {
    std::fstream file(Path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
  }

  // `segments` rows with `each` messages, nothing sent yet.
  void Fill(int segments, int each) {
    for (int i = 0; i < segments; ++i) {
      for (int j = 0; j < each; ++j) {
        Append("{\"t\":" + std::to_string(i * each + j) + ",\"pad\":\"" + std::string(100, 'x') + "\"}");
      }
      ASSERT_TRUE(queue_->VerifyLedger());  // waits for a checkpoint
    }
  }
  std::set<Sequence> Waiting() {
    const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 100'000, 1ULL << 30U);
    EXPECT_TRUE(pending) << pending.error().message;
    std::set<Sequence> numbers;
    for (const StoredMessage& stored : pending->messages) {
      numbers.insert(stored.sequence);
    }
    return numbers;
  }

 private:
  int clock_epochs_ = 0;
};

}  // namespace packhorse::queue
