// What the Debian package does with the configuration: it is the administrator's from the first installation on. The
// package itself is tested by tests/service.
#include <gmock/gmock.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "repository_file.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string WithoutComments(const std::string& text) {
  return std::regex_replace(text, std::regex("(^|\n)#[^\n]*"), "$1");
}

// debhelper makes a conffile of every file that a package has below /etc.
TEST(PackageConfiguration, NothingOfThePackageLiesBelowEtc) {
  std::istringstream installed(RepositoryFile("debian/packhorse.install"));
  for (std::string source, folder; installed >> source >> folder;) {
    EXPECT_EQ(folder.rfind("usr/", 0), 0U) << source;
  }
  EXPECT_THAT(RepositoryFile("debian/packhorse.install"), HasSubstr("systemd/packhorse.json usr/share/packhorse"));
  EXPECT_THAT(WithoutComments(RepositoryFile("debian/rules")), Not(HasSubstr("etc/")));
  EXPECT_THAT(WithoutComments(RepositoryFile("CMakeLists.txt")), Not(HasSubstr("SYSCONFDIR")));
}

// Others (packhorse.default, packhorse.logrotate, packhorse.conffiles and the like) would put something there.
TEST(PackageConfiguration, OnlyTheseFilesTellDebhelperWhatToInstall) {
  const std::set<std::string> known = {"build.sh",
                                       "changelog",
                                       "control",
                                       "copyright",
                                       "packhorse.docs",
                                       "packhorse.install",
                                       "packhorse.manpages",
                                       "packhorse.packhorsed.service",
                                       "packhorse.postinst",
                                       "packhorse.postrm",
                                       "packhorse.sysusers",
                                       "packhorse.tmpfiles",
                                       "rules",
                                       "source"};
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SOURCE_DIR) + "/debian")) {
    EXPECT_EQ(known.count(entry.path().filename().string()), 1U) << entry.path() << ": does it install below /etc?";
  }
}

// The script that runs at an installation and at an upgrade, with other folders.
class Postinst : public ::testing::Test {
 protected:
  Postinst() {
    std::string script = RepositoryFile("debian/packhorse.postinst");
    EXPECT_THAT(script, HasSubstr("#DEBHELPER#"));
    script = std::regex_replace(script, std::regex("/etc/packhorse"), dir_ / "etc");
    script = std::regex_replace(script, std::regex("/usr/share/packhorse"), dir_ / "share");
    WriteAll(dir_ / "postinst", script, 0755);
    std::filesystem::create_directory(dir_ / "share");
    Example("{ \"of\": 1 }");
  }
  void Example(const std::string& text) const { WriteAll(dir_ / "share/packhorse.json", text); }
  std::string Configuration() const { return ReadAll(dir_ / "etc/packhorse.json"); }
  void Configure(const std::string& version_before) const {
    const RunResult done = test::Run({"sh", dir_ / "postinst", "configure", version_before});
    EXPECT_EQ(done.exit_code, 0) << done.err;
    EXPECT_EQ(done.out + done.err, "") << "a question, or a word about one";
  }

  TempDir dir_;
};

TEST_F(Postinst, TheFirstInstallationBeginsWithTheExample) {
  Configure("");
  EXPECT_EQ(Configuration(), "{ \"of\": 1 }");
}

TEST_F(Postinst, AnUpgradeWithAnotherExampleAsksNothingAndLeavesTheConfiguration) {
  Configure("");
  WriteAll(dir_ / "etc/packhorse.json", "mine");
  Example("{ \"of\": 2 }");
  Configure("0.1.0");
  EXPECT_EQ(Configuration(), "mine");
  Configure("");  // removed and installed again
  EXPECT_EQ(Configuration(), "mine");
}

TEST_F(Postinst, AConfigurationThatWasRemovedDoesNotComeBackWithAnUpgrade) {
  Configure("");
  std::filesystem::remove(dir_ / "etc/packhorse.json");
  Configure("0.1.0");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "etc/packhorse.json"));
}

}  // namespace
}  // namespace packhorse::test
