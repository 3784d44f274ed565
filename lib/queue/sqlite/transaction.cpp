#include "queue/sqlite/transaction.h"

#include <utility>

namespace packhorse::queue {
namespace {

Status RunStep(Database& db, const char* sql) {
  Result<Statement> statement = db.Prepare(sql);
  RETURN_IF_ERROR(statement);
  return statement->Run();
}

}  // namespace

Result<Transaction> Transaction::Begin(Database& db, Kind kind) {
  RETURN_IF_ERROR(RunStep(db, kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(db);
}

Transaction::Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}

Transaction::~Transaction() {
  if (db_ != nullptr && db_->in_transaction()) {
    static_cast<void>(RunStep(*db_, "ROLLBACK"));
  }
}

Status Transaction::Commit() { return RunStep(*db_, "COMMIT"); }

}  // namespace packhorse::queue
