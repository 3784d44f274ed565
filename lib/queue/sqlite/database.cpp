#include "queue/sqlite/database.h"

#include <sqlite3.h>

#include <cerrno>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "queue/sqlite/writable.h"

namespace packhorse::queue {
namespace {

// SQLite says only of the database's own writes that the disk is full, not of its shared memory, nor of a quota. Of
// shared memory that cannot grow when a commit ends it does not even keep what the system said. It grows by 32 KiB;
// twice as much allows for what others free in between. A quota is not seen there.
bool DiskIsFull(sqlite3* db) {
  constexpr std::uint64_t kGrowth = 64U << 10U;
  const int error = db == nullptr ? 0 : sqlite3_system_errno(db);
  if (db == nullptr || error != 0 || sqlite3_extended_errcode(db) != SQLITE_IOERR_SHMSIZE) {
    return error == ENOSPC || error == EDQUOT;
  }
  return FreeBytesAt(sqlite3_db_filename(db, "main")) < kGrowth;
}

ErrorCode CodeOf(sqlite3* db, int rc) {
  switch (rc & 0xFF) {
    case SQLITE_FULL:
      return ErrorCode::kDiskFull;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kBusy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::kPermissionDenied;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return DiskIsFull(db) ? ErrorCode::kDiskFull : ErrorCode::kIo;
    case SQLITE_NOMEM:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kInternal;
  }
}

Error SqliteError(sqlite3* db, int rc, std::string_view what) {
  std::string text(what);
  text += ": ";
  text += db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
  // All SQL is ours and fits the format that the file claims to have: what it misses was lost.
  const bool incomplete = rc == SQLITE_ERROR && text.find(": no such ") != std::string::npos;
  text += " (SQLite " + std::to_string(db != nullptr ? sqlite3_extended_errcode(db) : rc) + ")";
  const int primary = rc & 0xFF;
  if (db != nullptr && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)) {
    // What the system said; of other errors the connection does not keep it.
    const int number = sqlite3_system_errno(db);
    text += number == 0 ? "" : ": " + std::generic_category().message(number);
  }
  return Error{incomplete ? ErrorCode::kCorrupt : CodeOf(db, rc), std::move(text)};
}

// With a write-ahead log SQLite needs a -shm file, also to read, and cannot make it on a medium that takes no writes.
// Without a log all is in the database, which nobody can change there: it may be read as it is.
bool CannotChange(const std::string& path) { return !Exists(path + "-wal") && OnReadOnlyMedium(path); }

std::string ImmutableUri(const std::string& path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char each : path) {
    const auto byte = static_cast<unsigned char>(each);
    if (IsAlnum(each) || std::string_view("/._-").find(each) != std::string_view::npos) {
      uri += each;
    } else {
      uri += {'%', kDigits[byte / 16], kDigits[byte % 16]};
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    statement_ = std::exchange(other.statement_, nullptr);
  }
  return *this;
}

Statement& Statement::BindRow(const Statement& row) {
  Reset();
  const int parameters = sqlite3_bind_parameter_count(statement_);
  for (int i = 0; i < parameters; ++i) {
    sqlite3_bind_value(statement_, i + 1, sqlite3_column_value(row.statement_, i));
  }
  return *this;
}

Result<bool> Statement::Step() {
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) {
    return true;
  }
  if (rc == SQLITE_DONE) {
    return false;
  }
  Error error = SqliteError(sqlite3_db_handle(statement_), rc, "sqlite step");
  sqlite3_reset(statement_);
  return error;
}

Status Statement::Run() {
  while (true) {
    const Result<bool> row = Step();
    RETURN_IF_ERROR(row);
    if (!*row) {
      Reset();
      return {};
    }
  }
}

void Statement::Reset() { sqlite3_reset(statement_); }

std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::string_view Statement::Blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

int Statement::columns() const { return sqlite3_column_count(statement_); }

bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

// A failed bind (out of memory, bad index) shows up as an error of the following step: the parameter stays NULL and the
// schema has NOT NULL on every column where that would matter.
void Statement::BindInt(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }

void Statement::BindText(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

void Statement::BindBlob(int index, std::string_view bytes) {
  sqlite3_bind_blob64(statement_, index, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
}

void Statement::BindNull(int index) { sqlite3_bind_null(statement_, index); }

Result<Database> Database::Open(const std::string& path, Mode mode) {
  const bool fixed = mode == Mode::kAsItLies || (mode == Mode::kReadOnly && CannotChange(path));
  const bool writes = mode == Mode::kReadWriteCreate;
  const int flags = (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
                    SQLITE_OPEN_EXRESCODE | (fixed ? SQLITE_OPEN_URI : 0);
  sqlite3* db = nullptr;
  const int rc = sqlite3_open_v2((fixed ? ImmutableUri(path) : path).c_str(), &db, flags, nullptr);
  Database database(db);
  if (rc != SQLITE_OK) {
    return SqliteError(db, rc, "open " + path);
  }
  // The writer and the reader only meet in the WAL; waiting is short.
  sqlite3_busy_timeout(db, 5'000);
  return database;
}

Database::~Database() { sqlite3_close_v2(db_); }

Database::Database(Database&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    sqlite3_close_v2(db_);
    db_ = std::exchange(other.db_, nullptr);
  }
  return *this;
}

Status Database::Execute(const std::string& sql) {
  const int rc = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) {
    return SqliteError(db_, rc, sql.substr(0, 60));
  }
  return {};
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int rc =
      sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (rc != SQLITE_OK) {
    return SqliteError(db_, rc, sql.substr(0, 60));
  }
  return Statement(statement);
}

Result<std::int64_t> Database::QueryInt(std::string_view sql) {
  Result<Statement> statement = Prepare(sql);
  RETURN_IF_ERROR(statement);
  const Result<bool> row = statement->Step();
  RETURN_IF_ERROR(row);
  return *row ? statement->Int(0) : 0;
}

void Database::LeaveFiles() { static_cast<void>(sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr)); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

std::int64_t Database::changes() const { return sqlite3_changes64(db_); }

}  // namespace packhorse::queue
