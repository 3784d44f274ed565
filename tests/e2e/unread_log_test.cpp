// The daemon while nobody reads its log.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "site.h"

namespace packhorse::test {
namespace {

TEST(UnreadLog, KeepsTheDaemonFromNothing) {
  Site site;
  const std::string log = site.Path("packhorsed.log");
  ASSERT_EQ(mkfifo(log.c_str(), 0600), 0);
  const Fd full(open(log.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  while (write(full.get(), "x", 1) == 1) {
  }
  site.StartBridge();
  unlink(log.c_str());
  site.Publish(50);
  EXPECT_TRUE(site.Settled(50));
  site.Admin("/admin/faults", R"([{"requests":2,"fault":"status","status":500}])");
  site.Publish(50);
  EXPECT_EQ(site.Cli({"reload"}).exit_code, 0);
  EXPECT_TRUE(site.Settled(100));
  EXPECT_EQ(site.StopBridge(), 0);
}

TEST(UnreadLog, LetsABadConfigurationEndWithItsExitCode) {
  Site site;
  const std::string log = site.Path("packhorsed.log");
  ASSERT_EQ(mkfifo(log.c_str(), 0600), 0);
  const Fd full(open(log.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  while (write(full.get(), "x", 1) == 1) {
  }
  site.config()["queue"]["overflow"] = "sideways";
  site.LaunchBridge();
  EXPECT_EQ(site.bridge().Wait(std::chrono::seconds(10)), 78);
  unlink(log.c_str());
}

TEST(UnreadLog, NothingElseIsOpenedInItsPlaceWhereItIsClosed) {
  Site site;
  site.WriteConfig();
  Process bridge({"/bin/sh", "-c", "exec \"$0\" --config \"$1\" <&- >&- 2>&-", Site::Bin("packhorsed"),
                  site.Path("packhorse.json")},
                 site.Path("packhorsed.log"));
  ASSERT_TRUE(WaitFor([&] { return site.BridgeConnected(); }));
  for (const char* number : {"0", "1", "2"}) {
    const std::string link = "/proc/" + std::to_string(bridge.pid()) + "/fd/" + number;
    EXPECT_EQ(std::filesystem::read_symlink(link), "/dev/null") << number;
  }
  EXPECT_EQ(bridge.Stop(), 0);
}

}  // namespace
}  // namespace packhorse::test
