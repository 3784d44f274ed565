#pragma once

#include <string>
#include <utility>

#include "base/file.h"
#include "base/result.h"

namespace packhorse::queue {

// An exclusive lock on a file, which names the pid that holds it; released when destroyed.
class LockFile {
 public:
  // kBusy when another process has it: `what` is in use by process N; `remedy`.
  static Result<LockFile> Take(const std::string& path, const std::string& what, const std::string& remedy);
  // Whether Take() would find that another process has it, now; a file that cannot be opened says nothing.
  static Status Look(const std::string& path, const std::string& what, const std::string& remedy);
  // Whether `path` still leads to the file that is locked.
  bool Holds(const std::string& path) const;

 private:
  explicit LockFile(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace packhorse::queue
