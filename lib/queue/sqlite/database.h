#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace packhorse::queue {

// Thin RAII over SQLite. One connection belongs to one thread.

class Database;

// A prepared statement. Bind in order, step, read columns in order. Reset() makes it ready again.
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds all parameters from ?1 on. Texts and blobs must stay alive until Reset().
  template <typename... Args>
  Statement& Bind(Args&&... args) {
    Reset();
    int index = 0;
    (BindOne(++index, std::forward<Args>(args)), ...);
    return *this;
  }
  // Binds the values of another statement's current row, one to each parameter.
  Statement& BindRow(const Statement& row);
  // True while there is a row.
  Result<bool> Step();
  // Calls `visit` on this statement once per row.
  template <typename Visit>
  Status ForEach(Visit visit) {
    while (true) {
      const Result<bool> more = Step();
      RETURN_IF_ERROR(more);
      if (!*more) {
        return {};
      }
      visit();
    }
  }
  // Steps to the end, ignoring rows.
  Status Run();
  void Reset();

  std::int64_t Int(int column) const;
  std::string Text(int column) const;
  std::string_view Blob(int column) const;  // valid until the next step
  bool IsNull(int column) const;
  int columns() const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  template <typename T>
  requires std::is_integral_v<T>
  void BindOne(int index, T value) { BindInt(index, static_cast<std::int64_t>(value)); }
  void BindOne(int index, std::string_view text) { BindText(index, text); }
  struct BlobView {
    std::string_view bytes;
  };
  void BindOne(int index, BlobView blob) { BindBlob(index, blob.bytes); }
  void BindOne(int index, std::nullptr_t) { BindNull(index); }
  void BindInt(int index, std::int64_t value);
  void BindText(int index, std::string_view text);
  void BindBlob(int index, std::string_view bytes);
  void BindNull(int index);

  sqlite3_stmt* statement_ = nullptr;

 public:
  static BlobView AsBlob(std::string_view bytes) { return BlobView{bytes}; }
};

class Database {
 public:
  // kAsItLies: without a lock, without its log, and no file is made beside it; for a look at one that nobody writes.
  enum class Mode { kReadOnly, kReadWriteCreate, kAsItLies };
  static Result<Database> Open(const std::string& path, Mode mode);
  ~Database();
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One or more statements without parameters.
  Status Execute(const std::string& sql);
  // The statement must not outlive the database.
  Result<Statement> Prepare(std::string_view sql);
  Result<std::int64_t> QueryInt(std::string_view sql);
  bool in_transaction() const;
  // When it is closed, no file is touched: those under its names are not its own any more.
  void LeaveFiles();
  std::int64_t changes() const;

 private:
  explicit Database(sqlite3* db) : db_(db) {}
  sqlite3* db_ = nullptr;
};

}  // namespace packhorse::queue
