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
  // Whether its path still leads to the file that is locked: else nobody finds it locked.
  bool Holds() const;

 private:
  LockFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Fd fd_;
  std::string path_;
};

}  // namespace packhorse::queue
