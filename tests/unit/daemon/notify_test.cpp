#include "packhorsed/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "packhorsed/daemon.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::daemon {
namespace {

// Stands for the service manager: a datagram socket that keeps what it is told.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') {
      address.sun_path[0] = '\0';
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0) << std::strerror(errno);
  }

  std::vector<std::string> Heard() {
    std::vector<std::string> messages;
    std::array<char, 512> text{};
    for (ssize_t n = 0; (n = recv(fd_.get(), text.data(), text.size(), 0)) > 0;) {
      messages.emplace_back(text.data(), static_cast<std::size_t>(n));
    }
    return messages;
  }

 private:
  Fd fd_;
};

using Messages = std::vector<std::string>;

TEST(Notify, StateChangesReachAPathSocket) {
  const test::TempDir dir;
  Manager manager(dir / "notify");
  Notifier notifier(dir / "notify", std::nullopt);
  notifier.Ready();
  notifier.Reloading(MonoTime(std::chrono::microseconds(1234)));
  notifier.Stopping();
  EXPECT_EQ(manager.Heard(), (Messages{"READY=1", "RELOADING=1\nMONOTONIC_USEC=1234", "STOPPING=1"}));
}

TEST(Notify, AnAtSignNamesAnAbstractSocket) {
  const std::string name = "@packhorse-notify-test-" + std::to_string(getpid());
  Manager manager(name);
  Notifier(name, std::nullopt).Ready();
  EXPECT_EQ(manager.Heard(), Messages{"READY=1"});
}

TEST(Notify, TheStatusLineIsSentOnceAndStaysOneLine) {
  const test::TempDir dir;
  Manager manager(dir / "notify");
  Notifier notifier(dir / "notify", std::nullopt);
  notifier.Say("ok");
  notifier.Say("ok");
  notifier.Say("degraded:\nREADY=1");
  EXPECT_EQ(manager.Heard(), (Messages{"STATUS=ok", "STATUS=degraded: READY=1"}));
}

TEST(Notify, TheWatchdogIsFedAtHalfItsLimit) {
  const test::TempDir dir;
  Manager manager(dir / "notify");
  Notifier notifier(dir / "notify", std::chrono::seconds(30));
  const MonoTime start(std::chrono::seconds(100));
  EXPECT_EQ(notifier.Ping(start), start + std::chrono::seconds(15));
  EXPECT_EQ(notifier.Ping(start + std::chrono::seconds(14)), start + std::chrono::seconds(15));
  EXPECT_EQ(notifier.Ping(start + std::chrono::seconds(15)), start + std::chrono::seconds(30));
  EXPECT_EQ(manager.Heard(), (Messages{"WATCHDOG=1", "WATCHDOG=1"}));
}

TEST(Notify, WithoutAWatchdogThereIsNoPingAndNoDeadline) {
  const test::TempDir dir;
  Manager manager(dir / "notify");
  Notifier notifier(dir / "notify", std::nullopt);
  EXPECT_EQ(notifier.Ping(MonoTime{}), std::nullopt);
  EXPECT_TRUE(manager.Heard().empty());
}

TEST(Notify, TheEnvironmentIsReadAndRemoved) {
  const test::TempDir dir;
  Manager manager(dir / "notify");
  setenv("NOTIFY_SOCKET", (dir / "notify").c_str(), 1);
  setenv("WATCHDOG_USEC", "2000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  Notifier notifier = Notifier::FromEnvironment();
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
  EXPECT_EQ(notifier.Ping(MonoTime{}), MonoTime(std::chrono::seconds(1)));
  EXPECT_EQ(manager.Heard(), Messages{"WATCHDOG=1"});
}

TEST(Notify, AWatchdogOfAnotherProcessAndANonsenseLimitAreNone) {
  for (const auto& [usec, pid] :
       {std::pair("2000000", "1"), std::pair("soon", ""), std::pair("-5", ""), std::pair("", "")}) {
    setenv("WATCHDOG_USEC", usec, 1);
    setenv("WATCHDOG_PID", pid, 1);
    EXPECT_EQ(Notifier::FromEnvironment().Ping(MonoTime{}), std::nullopt) << usec;
  }
}

TEST(Notify, NoManagerAndUnusableSocketNamesAreHarmless) {
  for (const std::string& name : {std::string(), std::string("relative"), std::string("/nowhere/at/all"),
                                  "/" + std::string(200, 'x'), std::string("@")}) {
    Notifier notifier(name, std::chrono::seconds(1));
    notifier.Ready();
    EXPECT_TRUE(notifier.Ping(MonoTime{}).has_value());
  }
}

TEST(Notify, ARefusedConfigurationIsToldInOneLine) {
  const test::TempDir dir;
  Manager manager(dir / "notify");
  test::WriteAll(dir / "packhorse.json", "{\n  \"gateway\": {}\n}\n");
  setenv("NOTIFY_SOCKET", (dir / "notify").c_str(), 1);
  CommandLine command_line;
  command_line.config_file = dir / "packhorse.json";
  EXPECT_EQ(Main(command_line), 78);
  const Messages heard = manager.Heard();
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].rfind("STATUS=not started, configuration refused (", 0), 0U) << heard[0];
  EXPECT_NE(heard[0].find("packhorse.json: "), std::string::npos) << heard[0];
  EXPECT_EQ(heard[0].find('\n'), std::string::npos);
}

}  // namespace
}  // namespace packhorse::daemon
