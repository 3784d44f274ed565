#pragma once

#include <string>

namespace packhorse::test {

// A fresh folder, removed with everything in it at the end. Mode 0755.
class TempDir {
 public:
  // Below $TMPDIR, or /tmp.
  TempDir();
  // Below a folder that exists, say one in memory.
  explicit TempDir(const std::string& parent);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A folder in memory, where the machine has one with room; else /tmp. For tests whose disk counts for nothing.
std::string MemoryFolder();
// Further TempDirs are there, unless $TMPDIR says otherwise.
void WorkInMemory();

}  // namespace packhorse::test
