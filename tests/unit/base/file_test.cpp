#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse {
namespace {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

unsigned Mode(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? static_cast<unsigned>(status.st_mode) & 07777U : 0U;
}

TEST(Fd, ClosesWhatItOwnsAndOnlyThat) {
  const int raw = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(raw, 0);
  {
    Fd first(raw);
    Fd second(std::move(first));
    EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is what is tested
    Fd third;
    third = std::move(second);
    EXPECT_EQ(third.get(), raw);
    EXPECT_TRUE(IsOpen(raw));
  }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(Fd, AssigningClosesTheFormerOneAndReleaseGivesItAway) {
  Fd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int former = fd.get();
  fd = Fd(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(IsOpen(former));
  const int raw = fd.Release();
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(IsOpen(raw));
  close(raw);
}

TEST(ReadFile, ReadsUpToTheBoundAndRefusesOneByteMore) {
  const test::TempDir dir;
  const std::string bytes(40'000, 'x');
  test::WriteAll(dir / "f", bytes);
  EXPECT_EQ(ReadFile(dir / "f", 40'000).value_or(""), bytes);
  const Result<std::string> larger = ReadFile(dir / "f", 39'999);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().code, ErrorCode::kLimitExceeded);
  EXPECT_NE(larger.error().message.find(dir / "f"), std::string::npos);
}

TEST(ReadFile, AnEmptyFileIsAnEmptyText) {
  const test::TempDir dir;
  test::WriteAll(dir / "f", "");
  const Result<std::string> text = ReadFile(dir / "f", 0);
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "");
}

TEST(ReadFile, AbsentFilesAndDirectoriesAreNamed) {
  const test::TempDir dir;
  const Result<std::string> absent = ReadFile(dir / "absent", 10);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  const Result<std::string> directory = ReadFile(dir.path(), 10);
  ASSERT_FALSE(directory);
  EXPECT_NE(directory.error().message.find(dir.path()), std::string::npos);
}

TEST(ReadFile, APipeWithoutAWriterDoesNotBlock) {
  const test::TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(dir / "pipe", 10).value_or("x"), "");
}

TEST(WriteFileAtomically, ReplacesTheFileWithItsModeAndLeavesNothingElse) {
  const test::TempDir dir;
  test::WriteAll(dir / "f", "old and longer", 0644);
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "new", 0600));
  EXPECT_EQ(test::ReadAll(dir / "f"), "new");
  EXPECT_EQ(Mode(dir / "f"), 0600U);
  EXPECT_NE(access((dir / "f.tmp").c_str(), F_OK), 0);
}

TEST(WriteFileAtomically, TheModeDoesNotDependOnTheUmask) {
  const test::TempDir dir;
  const mode_t before = umask(0077);
  const Status written = WriteFileAtomically(dir / "f", "x", 0644);
  umask(before);
  ASSERT_TRUE(written);
  EXPECT_EQ(Mode(dir / "f"), 0644U);
}

TEST(WriteFileAtomically, ALeftoverOfACrashDoesNotKeepItsMode) {
  const test::TempDir dir;
  test::WriteAll(dir / "f.tmp", "half", 0666);
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "secret", 0600));
  EXPECT_EQ(Mode(dir / "f"), 0600U);
}

TEST(WriteFileAtomically, AFailureLeavesTheFormerFile) {
  const test::TempDir dir;
  EXPECT_EQ(WriteFileAtomically(dir / "absent/f", "x", 0600).error().code, ErrorCode::kNotFound);
  ASSERT_EQ(mkdir((dir / "d").c_str(), 0700), 0);
  ASSERT_FALSE(WriteFileAtomically(dir / "d", "x", 0600));
  EXPECT_NE(access((dir / "d.tmp").c_str(), F_OK), 0);
}

TEST(StandardFds, WhatIsClosedOfThemNobodyElseGets) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(STDIN_FILENO);
    close(STDERR_FILENO);
    ReserveStandardFds();
    const int next = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    _exit(next > STDERR_FILENO && IsOpen(STDIN_FILENO) && IsOpen(STDERR_FILENO) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(FreeBytesAt, NeedsNoFileOnlyItsFolder) {
  const test::TempDir dir;
  EXPECT_GT(FreeBytesAt(dir / "not there"), 0U);
  EXPECT_EQ(FreeBytesAt(dir / "no" + "/such/folder"), 0U);
}

TEST(FollowLinks, EndsAtTheFileItself) {
  const test::TempDir dir;
  EXPECT_EQ(FollowLinks(dir / "file"), dir / "file") << "it need not exist";
  ASSERT_EQ(symlink("file", (dir / "relative").c_str()), 0);
  ASSERT_EQ(symlink((dir / "relative").c_str(), (dir / "absolute").c_str()), 0);
  EXPECT_EQ(FollowLinks(dir / "absolute"), dir / "file");
  ASSERT_EQ(symlink("circle", (dir / "circle").c_str()), 0);
  EXPECT_EQ(FolderOf(FollowLinks(dir / "circle")), FolderOf(dir / "circle")) << "opening it fails, following it ends";
}

}  // namespace
}  // namespace packhorse
