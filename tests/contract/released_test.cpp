// A released contract never changes: contracts/RELEASED.sha256 keeps the hash of each released file.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <map>
#include <sstream>
#include <string>

#include "golden.h"
#include "repository_file.h"

namespace packhorse::test {
namespace {

std::string Sha256(const std::string& bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EXPECT_EQ(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr), 1);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[digest[i] >> 4U];
    hex += kDigits[digest[i] & 0xFU];
  }
  return hex;
}

// Path below contracts/ -> hash, as sha256sum writes them.
std::map<std::string, std::string> Released() {
  std::map<std::string, std::string> hashes;
  std::istringstream lines(RepositoryFile("contracts/RELEASED.sha256"));
  for (std::string hash, path; lines >> hash >> path;) {
    EXPECT_TRUE(hashes.emplace(path, hash).second) << path << " stands there twice";
  }
  return hashes;
}

TEST(Released, FilesAreUnchanged) {
  for (const auto& [path, hash] : Released()) {
    EXPECT_EQ(Sha256(RepositoryFile("contracts/" + path)), hash)
        << "contracts/" << path << " was released and may not change; a new version is a new file";
  }
}

TEST(Released, EveryContractAndEveryGoldenSampleIsListed) {
  const auto released = Released();
  std::vector<std::string> paths = RepositoryFiles("contracts/device", ".json");
  for (const auto& more : {RepositoryFiles("contracts/cloud", ".json"), GoldenFiles()}) {
    paths.insert(paths.end(), more.begin(), more.end());
  }
  EXPECT_GE(paths.size(), 12U);
  for (const std::string& path : paths) {
    EXPECT_EQ(released.count(path.substr(std::string("contracts/").size())), 1U) << path;
  }
}

}  // namespace
}  // namespace packhorse::test
