// What would end the daemon at its start is found before.

#include "common/start_check.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "common/load.h"
#include "control/control.h"
#include "document/problems.h"
#include "queue/queue.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::daemon {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class StartCheckTest : public ::testing::Test {
 protected:
  StartCheckTest() {
    Write("token", "secret-token\n");
    Write("password", "pass word\n");
  }

  void Write(const std::string& name, const std::string& text) { test::WriteAll(dir_ / name, text, 0600); }

  // All problems, a line each; empty when there are none.
  std::string Problems() {
    test::WriteAll(dir_ / "packhorse.json", R"({"gateway": {"id": "gw"},
      "sources": [{"name": "plant", "urls": ["mqtt://127.0.0.1"], "username": "u", "password": )" +
                                                secret("password") + R"(}],
      "streams": [{"name": "t", "source": "plant", "topics": ["#"], "contract": "generic-json@1",
                   "destinations": ["cloud"]}],
      "destinations": [{"name": "cloud", "contract": "packhorse-ingest@1", "url": "https://a.example",
                        "auth": {"type": "bearer", "token": )" +
                                                secret("token") + R"(}}],
      "queue": {"path": ")" + queue_ + R"(", "runtime_dir": ")" +
                                                (dir_ / "run") + R"("},
      "control": {"socket": ")" + socket_ + R"("}})");
    std::string all;
    for (const document::Problem& problem : LoadConfiguration(dir_ / "packhorse.json").problems) {
      all += document::Describe(problem) + "\n";
    }
    return all;
  }

  // What `packhorse check` finds of the queue beside.
  std::vector<document::Problem> OfTheQueue() {
    EXPECT_EQ(Problems(), "");
    config::Loaded loaded = LoadConfiguration(dir_ / "packhorse.json");
    CheckQueue(dir_ / "packhorse.json", loaded);
    return loaded.problems;
  }
  void MakeQueue() {
    queue::Options options;
    options.path = queue_;
    options.runtime_dir = dir_ / "run";
    const auto queue = queue::Open(options, SystemClock());
    ASSERT_TRUE(queue) << queue.error().message;
  }

  std::string secret(const std::string& name) const {
    return R"({"file": ")" + (dir_ / name) + R"(", "next": {"file": ")" + (dir_ / (name + ".next")) + R"("}})";
  }

  test::TempDir dir_;
  std::string queue_ = dir_ / "queue.db";
  std::string socket_ = dir_ / "control.sock";
};

TEST_F(StartCheckTest, WhatIsRightHasNoProblemAlsoBetweenTwoRotations) { EXPECT_EQ(Problems(), ""); }

TEST_F(StartCheckTest, WhatLiesInTheWayOfTheSocketIsFound) {
  Write("control.sock", "no socket");
  EXPECT_THAT(Problems(), HasSubstr("/control/socket: something lies there that is no socket"));
  std::filesystem::remove(socket_);
  std::filesystem::create_directory(socket_);
  EXPECT_THAT(Problems(), HasSubstr("/control/socket: something lies there that is no socket"));
}

TEST_F(StartCheckTest, ATokenThatCannotTravelInAHeaderIsFoundAndNotShown) {
  for (const char* text : {"secret-token\r\n", "secret-token\nsecond line\n", " secret-token\n", "secret token\n"}) {
    Write("token", text);
    EXPECT_THAT(Problems(), HasSubstr("/destinations/0/auth: ")) << text;
    EXPECT_THAT(Problems(), Not(HasSubstr("secret-token"))) << text;
  }
  Write("token", "secret-token\n");
  Write("token.next", "key-of-tomorrow\r\n");
  EXPECT_THAT(Problems(), HasSubstr("carriage return"));
  Write("token.next", "key-of-tomorrow\n");
  EXPECT_EQ(Problems(), "");
}

TEST_F(StartCheckTest, APasswordThatCannotBeReadIsFound) {
  Write("password", "pass\r\n");
  EXPECT_THAT(Problems(), HasSubstr("/sources/0/password: "));
  Write("password", "pass word\n");
  Write("password.next", "one\ntwo\n");
  EXPECT_THAT(Problems(), HasSubstr("/sources/0/password/next: "));
}

TEST_F(StartCheckTest, AQueueFolderThatIsMissingOrNoneIsFoundWithTheCommandThatMakesIt) {
  queue_ = dir_ / "absent/queue.db";
  EXPECT_EQ(Problems(), "") << "the queue makes it";
  queue_ = dir_ / "absent/deeper/queue.db";
  EXPECT_THAT(Problems(), HasSubstr("/queue/path: the folder " + (dir_ / "absent") + " does not exist"));
  EXPECT_THAT(Problems(), HasSubstr("install -d -o packhorse"));
  queue_ = dir_ / "token/queue.db";
  EXPECT_THAT(Problems(), HasSubstr("/queue/path: "));
}

TEST_F(StartCheckTest, TheFoldersThatTheUnitMakesNeedNotBeThere) {
  queue_ = "/var/lib/packhorse/queue.db";
  EXPECT_THAT(Problems(), Not(HasSubstr("does not exist")));
}

TEST_F(StartCheckTest, ASocketThatCannotBeMadeIsFound) {
  socket_ = dir_ / std::string(120, 's');
  EXPECT_THAT(Problems(), HasSubstr("/control/socket: is too long"));
  socket_ = dir_ / "absent/control.sock";
  EXPECT_THAT(Problems(), HasSubstr("/control/socket: the folder"));
  socket_ = dir_ / "run/control.sock";
  EXPECT_EQ(Problems(), "") << "the queue makes its runtime folder";
}

TEST_F(StartCheckTest, AQueueThatIsThereOrStillToBeMadeIsNoProblemAndNothingOfItChanges) {
  EXPECT_THAT(OfTheQueue(), IsEmpty());
  MakeQueue();
  const auto files = [this] {
    std::map<std::string, std::string> all;
    for (const auto& file : std::filesystem::directory_iterator(dir_.path())) {
      if (file.is_regular_file()) {
        all[file.path().filename()] = test::ReadAll(file.path());
      }
    }
    return all;
  };
  OfTheQueue();
  const auto before = files();
  EXPECT_THAT(OfTheQueue(), IsEmpty());
  EXPECT_TRUE(files() == before);
}

TEST_F(StartCheckTest, AQueueOfANewerReleaseOrNoneIsAnError) {
  MakeQueue();
  ASSERT_EQ(test::Run({"sqlite3", queue_, "UPDATE meta SET value = '99.0' WHERE key = 'format'"}).exit_code, 0);
  ASSERT_THAT(OfTheQueue(), SizeIs(1));
  EXPECT_EQ(OfTheQueue()[0].severity, document::Problem::Severity::kError);
  EXPECT_THAT(OfTheQueue()[0].message, HasSubstr("install the release that wrote it"));
  queue_ = dir_ / "notes.db";
  ASSERT_EQ(test::Run({"sqlite3", queue_, "CREATE TABLE notes(text)"}).exit_code, 0);
  ASSERT_THAT(OfTheQueue(), SizeIs(1));
  EXPECT_THAT(OfTheQueue()[0].message, HasSubstr("not a Packhorse queue"));
  queue_ = dir_ / "folder.db";
  std::filesystem::create_directory(queue_);
  ASSERT_THAT(OfTheQueue(), SizeIs(1));
  EXPECT_EQ(OfTheQueue()[0].severity, document::Problem::Severity::kError);
  EXPECT_THAT(OfTheQueue()[0].message, HasSubstr("is a folder"));
}

TEST_F(StartCheckTest, AQueueThatAnotherProcessHoldsIsAWarningUnlessADaemonAnswers) {
  queue::Options options;
  options.path = queue_;
  options.runtime_dir = dir_ / "run";
  const auto queue = queue::Open(options, SystemClock());
  ASSERT_TRUE(queue);
  ASSERT_THAT(OfTheQueue(), SizeIs(1));
  EXPECT_EQ(OfTheQueue()[0].severity, document::Problem::Severity::kWarning);
  EXPECT_THAT(OfTheQueue()[0].message, HasSubstr("in use by process " + std::to_string(getpid())));
  EXPECT_THAT(OfTheQueue()[0].message, HasSubstr("until that is over the daemon waits"));
  queue_ = dir_ / "other.db";
  ASSERT_THAT(OfTheQueue(), SizeIs(1)) << "two queues cannot share a runtime folder";
  EXPECT_THAT(OfTheQueue()[0].message, HasSubstr("queue.runtime_dir"));
  const auto server =
      control::Listen(socket_, [](const control::Call&) -> control::Answer { return std::string("{}"); });
  ASSERT_TRUE(server);
  EXPECT_THAT(OfTheQueue(), IsEmpty());
}

}  // namespace
}  // namespace packhorse::daemon
