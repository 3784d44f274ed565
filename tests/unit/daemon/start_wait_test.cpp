#include "packhorsed/start_wait.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <future>

#include "app_fixture.h"
#include "base/file.h"

// A queue that cannot be opened at the start.

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Another process has the queue: a lock on another open file counts as one.
class StartWait : public AppTest {
 protected:
  StartWait() {
    Stop();
    held_ = Fd(open((dir_ / "queue.db.lock").c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(flock(held_.get(), LOCK_EX), 0);
    EXPECT_EQ(pipe2(signals_.data(), O_CLOEXEC | O_NONBLOCK), 0);
    app_ = *MakeApp(file_, LoadConfiguration(file_).config, SystemClock());
  }
  ~StartWait() override {
    close(signals_[0]);
    close(signals_[1]);
  }

  // As a signalfd would tell it.
  void Signal(int number) const {
    signalfd_siginfo info{};
    info.ssi_signo = static_cast<std::uint32_t>(number);
    EXPECT_EQ(write(signals_[1], &info, sizeof info), static_cast<ssize_t>(sizeof info));
  }
  void Begin(Pace pace) {
    start_ =
        std::async(std::launch::async, [this, pace] { return OpenQueueOrWait(*app_, notifier_, signals_[0], pace); });
  }
  bool Ends() { return start_.wait_for(20s) == std::future_status::ready; }

  Fd held_;
  std::array<int, 2> signals_{};
  Notifier notifier_{"", std::nullopt};
  std::future<Result<QueueStart>> start_;
};

TEST_F(StartWait, WhatHealsIsWaitedForAndToldOnce) {
  testing::internal::CaptureStderr();
  Begin({5ms, 10ms});
  EXPECT_EQ(start_.wait_for(100ms), std::future_status::timeout);
  held_ = Fd();
  ASSERT_TRUE(Ends());
  const Result<QueueStart> started = start_.get();
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(started);
  EXPECT_EQ(*started, QueueStart::kOpened);
  EXPECT_TRUE(app_->queue);
  EXPECT_TRUE(Assemble(*app_));
  const std::size_t told = log.find("the queue is in use by process ");
  EXPECT_NE(told, std::string::npos) << log;
  EXPECT_EQ(log.find("is in use", told + 20), std::string::npos) << log;
}

TEST_F(StartWait, ASignalToStopEndsIt) {
  Begin({1h, 1h});
  Signal(SIGTERM);
  ASSERT_TRUE(Ends());
  const Result<QueueStart> started = start_.get();
  ASSERT_TRUE(started);
  EXPECT_EQ(*started, QueueStart::kStopped);
}

TEST_F(StartWait, SighupTriesAtOnceWithTheConfigurationAsItIsThenAndRefusesAWrongOne) {
  const std::string right = test::ReadAll(file_);
  Begin({1h, 1h});
  test::WriteAll(file_, "{");
  Signal(SIGHUP);
  EXPECT_EQ(start_.wait_for(50ms), std::future_status::timeout);
  std::string other = right;
  other.replace(other.find("queue.db"), 8, "other.db");
  test::WriteAll(file_, other);
  Signal(SIGHUP);
  ASSERT_TRUE(Ends());
  EXPECT_EQ(*start_.get(), QueueStart::kOpened);
  EXPECT_EQ(app_->config.queue.path, dir_ / "other.db");
}

TEST_F(StartWait, AQueueOfANewerReleaseEndsItForGood) {
  held_ = Fd();
  const test::RunResult newer =
      test::Run({"sqlite3", dir_ / "queue.db", "UPDATE meta SET value = '99.0' WHERE key = 'format'"});
  ASSERT_EQ(newer.exit_code, 0) << newer.err;
  Begin({1h, 1h});
  ASSERT_TRUE(Ends());
  const Result<QueueStart> started = start_.get();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(started.error().message, HasSubstr("the queue has format 99.0"));
}

TEST_F(StartWait, AQueueThatIsAFolderEndsItForGood) {
  app_->config.queue.path = dir_ / "run";
  Begin({1h, 1h});
  ASSERT_TRUE(Ends());
  EXPECT_EQ(start_.get().error().code, ErrorCode::kUnsupported);
}

// The service manager is told that the daemon is up, and what it waits for, and its watchdog is fed meanwhile.
TEST_F(StartWait, TheServiceManagerIsToldWhatItWaitsFor) {
  const std::string socket_path = dir_ / "notify.sock";
  const Fd heard(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(socket_path.size(), sizeof address.sun_path);
  std::copy(socket_path.begin(), socket_path.end(), static_cast<char*>(address.sun_path));
  ASSERT_EQ(bind(heard.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const timeval patience{20, 0};
  ASSERT_EQ(setsockopt(heard.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  notifier_ = Notifier(socket_path, 20ms);
  Begin({1h, 1h});
  std::string all;
  const auto hear = [&](const char* words) {
    while (all.find(words) == std::string::npos) {
      std::array<char, 1024> bytes{};
      const ssize_t length = recv(heard.get(), bytes.data(), bytes.size(), 0);
      ASSERT_GT(length, 0);
      all += std::string(bytes.data(), static_cast<std::size_t>(length)) + "\n";
    }
  };
  hear("STATUS=waiting for the queue, nothing is received or delivered: open queue ");
  hear("READY=1");
  hear("WATCHDOG=1\nWATCHDOG=1");
  Signal(SIGTERM);
  EXPECT_TRUE(Ends());
}

}  // namespace
}  // namespace packhorse::daemon
