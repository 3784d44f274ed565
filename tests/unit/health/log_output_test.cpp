#include "health/log_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/file.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::health {
namespace {

std::string Line(int number) { return std::string(1'000, 'x') + " " + std::to_string(number) + "\n"; }

// What can be read without waiting.
std::string Drain(int fd) {
  std::string all;
  std::array<char, 65536> buffer{};
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  for (ssize_t n = 0; (n = read(fd, buffer.data(), buffer.size())) > 0;) {
    all.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return all;
}

// Writes until nothing more is taken: how many lines were.
int Fill(LogOutput& output) {
  int taken = 0;
  while (taken < 100'000 && output.Write(Line(taken))) {
    ++taken;
  }
  return taken;
}

// Whether `text` is whole lines from Line(0) on.
void ExpectLines(const std::string& text, int count) {
  std::string expected;
  for (int i = 0; i < count; ++i) {
    expected += Line(i);
  }
  EXPECT_EQ(text, expected);
}

TEST(LogOutput, PipeThatNobodyReadsIsNotWaitedFor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  LogOutput output(writer.get());
  const int taken = Fill(output);
  EXPECT_GT(taken, 10);
  EXPECT_FALSE(output.Write(Line(0)));
  EXPECT_EQ(output.TakeDropped(), 2U);
  EXPECT_EQ(fcntl(writer.get(), F_GETFL) & O_NONBLOCK, 0) << "others may share it";
  ExpectLines(Drain(reader.get()), taken);
  EXPECT_TRUE(output.Write("again\n"));
  EXPECT_EQ(output.TakeDropped(), 0U);
  EXPECT_EQ(Drain(reader.get()), "again\n");
}

TEST(LogOutput, SocketThatNobodyReadsIsNotWaitedForAndGetsWholeLines) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  LogOutput output(writer.get());
  const int taken = Fill(output);
  EXPECT_GT(taken, 10);
  EXPECT_GT(output.TakeDropped(), 0U);
  std::string text = Drain(reader.get());
  EXPECT_TRUE(output.Write("again\n"));
  text += Drain(reader.get());
  ASSERT_GT(text.size(), 6U);
  EXPECT_EQ(text.substr(text.size() - 6), "again\n");
  ExpectLines(text.substr(0, text.size() - 6), taken);
}

TEST(LogOutput, FileTakesEverythingAndKeepsItsPosition) {
  const test::TempDir dir;
  const Fd file(open((dir / "log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ASSERT_EQ(write(file.get(), "before\n", 7), 7);
  LogOutput output(file.get());
  EXPECT_TRUE(output.Write("a line\n"));
  ASSERT_EQ(write(file.get(), "after\n", 6), 6);
  EXPECT_EQ(test::ReadAll(dir / "log"), "before\na line\nafter\n");
}

TEST(LogOutput, FollowsTheDescriptorToAnotherPlace) {
  const test::TempDir dir;
  const Fd shared(open((dir / "first").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  LogOutput output(shared.get());
  EXPECT_TRUE(output.Write("one\n"));
  const Fd second(open((dir / "second").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ASSERT_GE(dup3(second.get(), shared.get(), O_CLOEXEC), 0);
  EXPECT_TRUE(output.Write("two\n"));
  EXPECT_EQ(test::ReadAll(dir / "first"), "one\n");
  EXPECT_EQ(test::ReadAll(dir / "second"), "two\n");
}

TEST(LogOutput, ClosedDescriptorDropsAndGoesOn) {
  LogOutput output(1'000'000);
  EXPECT_FALSE(output.Write("lost\n"));
  EXPECT_EQ(output.TakeDropped(), 1U);
}

}  // namespace
}  // namespace packhorse::health
