#include "sqlite_statement.h"

#include <sqlite3.h>

#include <utility>

namespace packhorse::cloud {

Statement::~Statement() { sqlite3_finalize(statement_); }
Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

Status Statement::Prepare(sqlite3* database, std::string_view sql) {
  if (sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement_,
                         nullptr) != SQLITE_OK) {
    return DatabaseError(database, "prepare " + std::string(sql));
  }
  return {};
}

void Statement::BindText(int index, std::string_view text) {
  // A null pointer would bind NULL; an empty view is empty text.
  sqlite3_bind_text(statement_, index, text.empty() ? "" : text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void Statement::BindInt(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }
void Statement::BindDouble(int index, double value) { sqlite3_bind_double(statement_, index, value); }

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = DatabaseError(sqlite3_db_handle(statement_), "database");
  sqlite3_reset(statement_);
  return error;
}

void Statement::Reset() { sqlite3_reset(statement_); }

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  return text == nullptr ? std::string()
                         : std::string(reinterpret_cast<const char*>(text),
                                       static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::Double(int column) const { return sqlite3_column_double(statement_, column); }

Error DatabaseError(sqlite3* database, std::string_view what) {
  const int code = sqlite3_errcode(database) & 0xff;
  const ErrorCode kind = code == SQLITE_FULL      ? ErrorCode::kDiskFull
                         : code == SQLITE_BUSY    ? ErrorCode::kBusy
                         : code == SQLITE_CORRUPT ? ErrorCode::kCorrupt
                                                  : ErrorCode::kIo;
  return Error{kind, std::string(what) + ": " + sqlite3_errmsg(database)};
}

}  // namespace packhorse::cloud
