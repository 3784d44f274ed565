#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"

namespace packhorse::test {

// The bytes of a file of the repository; a failure of the test when it cannot be read.
inline std::string RepositoryFile(const std::string& path) {
  auto bytes = ReadFile(std::string(SOURCE_DIR) + "/" + path, 1U << 24U);
  EXPECT_TRUE(bytes) << (bytes ? "" : bytes.error().message);
  return bytes ? std::move(*bytes) : std::string();
}

// Paths, relative to the repository, of the files right in `folder` that end with `suffix`; sorted.
inline std::vector<std::string> RepositoryFiles(const std::string& folder, const std::string& suffix) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SOURCE_DIR) + "/" + folder)) {
    const std::string name = entry.path().filename().string();
    if (name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
      paths.push_back(folder + "/" + name);
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace packhorse::test
