#pragma once

#include "base/result.h"
#include "queue/sqlite/database.h"

namespace packhorse::queue {

// One transaction of a connection. It is rolled back at the end of its scope unless Commit() was called:
//
//   Result<Transaction> transaction = Transaction::Begin(db, Transaction::Kind::kWrite);
//   RETURN_IF_ERROR(transaction);
//   RETURN_IF_ERROR(db.Execute("DELETE FROM settled"));
//   return transaction->Commit();
//
// It must not outlive the database. Not thread-safe, as the database.
class [[nodiscard]] Transaction {
 public:
  // kRead sees one commit from its first statement on. kWrite takes the lock of the writer at once, so that it fails
  // here and not at its first change.
  enum class Kind { kRead, kWrite };
  static Result<Transaction> Begin(Database& db, Kind kind);
  // Rolls back; whatever SQLite answers to that, the connection is out of the transaction then.
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // After an error it is not known whether the commit is on the disk; what is still open is rolled back.
  Status Commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;  // null: it was moved from
};

}  // namespace packhorse::queue
