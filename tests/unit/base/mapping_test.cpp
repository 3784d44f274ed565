#include "base/mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse {
namespace {

constexpr std::size_t kPage = 4096;

class MappedWriterTest : public ::testing::Test {
 protected:
  Fd Allocated(std::size_t bytes) const {
    Fd file(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)), 0);
    return file;
  }
  test::TempDir dir_;
  std::string path_ = dir_ / "file";
};

TEST_F(MappedWriterTest, WhatIsWrittenAcrossWindowsIsInTheFile) {
  constexpr std::size_t kBytes = 3 * MappedWriter::kWindowBytes + kPage;
  const Fd file = Allocated(kBytes);
  std::string expected(kBytes, '\0');
  MappedWriter writer;
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 2'000; ++i) {
    const std::size_t size = 1 + random() % (i % 100 == 0 ? 2 * MappedWriter::kWindowBytes : 1'000);
    const std::size_t at = i == 0 ? kBytes - size : random() % (kBytes - size + 1);
    const std::string bytes(size, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(writer.Write(file, kBytes, at, bytes, path_));
    expected.replace(at, size, bytes);
  }
  EXPECT_TRUE(test::ReadAll(path_) == expected);
}

TEST_F(MappedWriterTest, FileThatCannotBeWrittenIsAnErrorThatNamesIt) {
  Allocated(kPage);
  const Fd read_only(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  const Status written = MappedWriter().Write(read_only, kPage, 0, "x", path_);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(written.error().message.find(path_), std::string::npos);
}

TEST_F(MappedWriterTest, FileThatIsMadeShorterMeanwhileIsAnErrorAndNotTheEnd) {
  const Fd file = Allocated(4 * kPage);
  MappedWriter writer;
  ASSERT_TRUE(writer.Write(file, 4 * kPage, 0, "before", path_));
  ASSERT_EQ(truncate(path_.c_str(), 0), 0);
  const Status written = writer.Write(file, 4 * kPage, kPage - 2, std::string(kPage, 'x'), path_);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("somebody made the file shorter"), std::string::npos);
  ASSERT_EQ(posix_fallocate(file.get(), 0, 4 * kPage), 0);
  EXPECT_TRUE(writer.Write(file, 4 * kPage, 0, "after", path_));
  EXPECT_EQ(test::ReadAll(path_).substr(0, 5), "after");
}

TEST_F(MappedWriterTest, MoreMappingsThanAreWatchedAreRefusedUntilOneIsGone) {
  const Fd file = Allocated(kPage);
  std::vector<Mapping> mappings;
  Result<Mapping> next = Mapping::Map(file, 0, kPage, path_);
  for (; next; next = Mapping::Map(file, 0, kPage, path_)) {
    mappings.push_back(*std::move(next));
    ASSERT_LE(mappings.size(), Mapping::kMostMappings);
  }
  EXPECT_EQ(next.error().code, ErrorCode::kLimitExceeded);
  mappings.pop_back();
  EXPECT_TRUE(Mapping::Map(file, 0, kPage, path_));
}

// Not ours: the process ends as it would without us.
TEST(MappingDeathTest, ABusErrorElsewhereEndsTheProcess) {
  const test::TempDir dir;
  const Fd file(open((dir / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(posix_fallocate(file.get(), 0, kPage), 0);
  const Result<Mapping> ours = Mapping::Map(file, 0, kPage, dir / "file");
  ASSERT_TRUE(ours);
  EXPECT_DEATH(raise(SIGBUS), "");
}

}  // namespace
}  // namespace packhorse
