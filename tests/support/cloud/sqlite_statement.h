#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace packhorse::cloud {

// A prepared statement. Texts bound must live until Step() has returned. Owner's thread only.
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Status Prepare(sqlite3* database, std::string_view sql);
  void BindText(int index, std::string_view text);
  void BindInt(int index, std::int64_t value);
  void BindDouble(int index, double value);
  // True: a row is there. After the last row, or for a statement without rows, false and ready to run again.
  Result<bool> Step();
  void Reset();

  std::string Text(int column) const;
  std::int64_t Int(int column) const;
  double Double(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
};

// The error of the last call as an Error; SQLITE_FULL is kDiskFull.
Error DatabaseError(sqlite3* database, std::string_view what);

}  // namespace packhorse::cloud
