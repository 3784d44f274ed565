// `packhorse check` judges as the user that runs the service.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "site.h"

namespace packhorse::test {
namespace {

TEST(Check, RootIsToldWhatTheUserOfTheServiceCannotRead) {
  Site site;
  site.WriteConfig();
  if (geteuid() != 0) {
    EXPECT_EQ(site.Cli({"check", site.Path("packhorse.json"), "--user", "root"}).exit_code, 2);
    return;
  }
  const std::string file = site.Path("packhorse.json");
  ASSERT_EQ(chmod(site.Path("").c_str(), 0755), 0);
  ASSERT_EQ(chmod(file.c_str(), 0644), 0);
  const RunResult refused = site.Cli({"check", file, "--user", "nobody"});
  EXPECT_EQ(refused.exit_code, 78) << refused.out;
  const std::string token = site.Path("cloud.token");
  EXPECT_NE(refused.out.find("chown root:packhorse " + token + " && chmod 0640 " + token), std::string::npos)
      << refused.out;
  EXPECT_EQ(site.Cli({"check", file, "--user", "root"}).exit_code, 0);
  EXPECT_EQ(site.Cli({"check", file, "--user", "no-such-user"}).exit_code, 2);
  ASSERT_EQ(chown(token.c_str(), 65'534, 65'534), 0);
  const RunResult queue = site.Cli({"check", file, "--user", "nobody"});
  EXPECT_NE(queue.out.find("may not write in the folder"), std::string::npos) << queue.out;
  ASSERT_EQ(chown(site.Path("").c_str(), 65'534, 65'534), 0);
  const RunResult fine = site.Cli({"check", file, "--user", "nobody"});
  EXPECT_EQ(fine.exit_code, 0) << fine.out;
  EXPECT_NE(fine.out.find("OK (for user nobody)"), std::string::npos) << fine.out;
}

}  // namespace
}  // namespace packhorse::test
