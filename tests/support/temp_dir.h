#pragma once

#include <string>

namespace packhorse::test {

// A fresh folder below $TMPDIR (or /tmp), removed with everything in it at the end. Mode 0755.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace packhorse::test
