#include "ingest/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"
#include "support/manual_clock.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::ingest {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class SessionsTest : public testing::Test {
 protected:
  Sessions Open(const std::string& runtime = "") { return {dir_ / "queue.db.sessions", runtime, clock_}; }
  static BrokerSession At(const std::string& url, const std::string& source = "plant") {
    BrokerSession session;
    session.client_id = "gw";
    session.url = url;
    session.source = source;
    session.access = R"({"username":"bridge"})";
    session.expiry = 3600s;
    session.keep_alive = 10s;
    return session;
  }
  // As a source does it, with one filter.
  static bool Connect(Sessions& sessions, const std::string& url, bool present) {
    const bool lost = sessions.Connected(At(url), present);
    sessions.Subscribed("gw", url, {{"a/#", 1}});
    return lost;
  }

  test::TempDir dir_;
  test::ManualClock clock_;
};

TEST_F(SessionsTest, WhatTheBrokerKeepsIsKnownAfterARestart) {
  {
    Sessions sessions = Open();
    EXPECT_FALSE(Connect(sessions, "mqtt://a:1883", false));  // the first time ever
    sessions.Subscribed("gw", "mqtt://a:1883", {{"b/#", 0}});
  }
  const std::optional<BrokerSession> session = Open().Find("gw", "mqtt://a:1883");
  ASSERT_TRUE(session);
  EXPECT_THAT(session->filters, ElementsAre(Pair("a/#", 1), Pair("b/#", 0)));
  EXPECT_EQ(session->expiry, 3600s);
  EXPECT_EQ(session->keep_alive, 10s);
  EXPECT_EQ(session->source, "plant");
  EXPECT_EQ(session->access, R"({"username":"bridge"})");
  EXPECT_EQ(session->alive_at, clock_.Wall());
}

TEST_F(SessionsTest, ASessionThatIsGoneAfterARestartIsBlindnessUntilItIsSubscribedAgain) {
  const WallTime from = clock_.Wall();
  {
    Sessions sessions = Open();
    Connect(sessions, "mqtt://a:1883", false);
  }
  clock_.Advance(20min);
  {
    Sessions sessions = Open();
    EXPECT_TRUE(sessions.Connected(At("mqtt://a:1883"), false));
    EXPECT_THAT(sessions.Untold(), IsEmpty());  // not subscribed yet
  }
  clock_.Advance(1min);
  Sessions sessions = Open();
  EXPECT_FALSE(sessions.Connected(At("mqtt://a:1883"), true));  // of the connection that did not subscribe
  sessions.Subscribed("gw", "mqtt://a:1883", {{"a/#", 1}});
  ASSERT_EQ(sessions.Untold().size(), 1U);
  EXPECT_EQ(sessions.Untold()[0].source, "plant");
  EXPECT_EQ(sessions.Untold()[0].from, from);
  EXPECT_EQ(sessions.Untold()[0].to, clock_.Wall());
}

TEST_F(SessionsTest, BlindnessIsToldAfterARestartTooAndOnlyOnceWhenThatIsWritten) {
  {
    Sessions sessions = Open();
    Connect(sessions, "mqtt://a:1883", false);
    EXPECT_TRUE(Connect(sessions, "mqtt://a:1883", false));
  }
  Sessions sessions = Open();
  ASSERT_EQ(sessions.Untold().size(), 1U);
  sessions.Told(sessions.Untold()[0].id);
  EXPECT_THAT(sessions.Untold(), IsEmpty());
  sessions.Note("gw", "mqtt://a:1883", Sessions::Life::kEnded);
  EXPECT_THAT(Open().Untold(), IsEmpty());
}

TEST_F(SessionsTest, AnotherBrokerOfTheSameSourceWithoutTheSessionIsBlindnessToo) {
  Sessions sessions = Open();
  Connect(sessions, "mqtt://a:1883", false);
  EXPECT_TRUE(Connect(sessions, "mqtt://b:1883", false));
  EXPECT_FALSE(Connect(sessions, "mqtt://a:1883", true));  // it has kept ours
  EXPECT_EQ(sessions.Untold().size(), 1U);
}

TEST_F(SessionsTest, ABrokerThatHasTheSessionAtAnotherUrlIsTheSameBroker) {
  {
    Sessions sessions = Open();
    Connect(sessions, "mqtt://a:1883", false);
  }
  Sessions sessions = Open();
  EXPECT_FALSE(sessions.Connected(At("mqtts://a:8883"), true));
  ASSERT_EQ(sessions.List().size(), 1U);  // nothing is left to be ended at the other URL
  EXPECT_EQ(sessions.List()[0].url, "mqtts://a:8883");
  EXPECT_EQ(sessions.List()[0].filters.count("a/#"), 1U);
}

TEST_F(SessionsTest, AnotherSourceOrClientIdIsANewSession) {
  Sessions sessions = Open();
  Connect(sessions, "mqtt://a:1883", false);
  EXPECT_FALSE(sessions.Connected(At("mqtt://b:1883", "other"), false));
  BrokerSession renamed = At("mqtt://a:1883");
  renamed.client_id = "gw-2";
  EXPECT_FALSE(sessions.Connected(renamed, false));
}

TEST_F(SessionsTest, WhenWeWereConnectedLastIsOnTheDiskOnceAnHourAndInTheCopyAlways) {
  const std::string runtime = "/dev/shm/" + std::filesystem::path(dir_.path()).filename().string();
  std::filesystem::create_directories(runtime);
  {
    Sessions sessions = Open(runtime + "/sessions");
    Connect(sessions, "mqtt://a:1883", false);
    clock_.Advance(30min);
    sessions.Note("gw", "mqtt://a:1883", Sessions::Life::kStands);
  }
  EXPECT_EQ(Open().Find("gw", "mqtt://a:1883")->alive_at, clock_.Wall() - 30min);
  if (OnTmpfs(runtime)) {
    EXPECT_EQ(Open(runtime + "/sessions").Find("gw", "mqtt://a:1883")->alive_at, clock_.Wall());
    Sessions other(dir_ / "other.db.sessions", runtime + "/sessions", clock_);
    EXPECT_THAT(other.List(), IsEmpty());  // the copy is of another queue
  }
  {
    Sessions sessions = Open();
    clock_.Advance(2h);
    sessions.Note("gw", "mqtt://a:1883", Sessions::Life::kStands);
  }
  EXPECT_EQ(Open().Find("gw", "mqtt://a:1883")->alive_at, clock_.Wall());
  std::filesystem::remove_all(runtime);
}

TEST_F(SessionsTest, AClockThatIsNotRightYetDoesNotMakeTheBlindTimeLonger) {
  const WallTime from = clock_.Wall();
  {
    Sessions sessions = Open();
    Connect(sessions, "mqtt://a:1883", false);
  }
  clock_.Reboot("boot-2", WallTime{});
  Sessions sessions = Open();
  EXPECT_TRUE(Connect(sessions, "mqtt://a:1883", false));
  EXPECT_EQ(sessions.Untold().at(0).from, from);
  EXPECT_EQ(sessions.Untold().at(0).to, from);
}

TEST_F(SessionsTest, AFileThatMakesNoSenseIsAsNoneAndSaysSo) {
  for (const std::string text : {"", "{", "[]", R"({"of":1})", R"({"sessions":[]})"}) {
    test::WriteAll(dir_ / "queue.db.sessions", text);
    Sessions sessions = Open();
    EXPECT_THAT(sessions.List(), IsEmpty()) << text;
    EXPECT_THAT(sessions.problem(), HasSubstr("queue.db.sessions")) << text;
    EXPECT_FALSE(Connect(sessions, "mqtt://a:1883", false));
  }
  EXPECT_EQ(Open().List().size(), 1U);
  EXPECT_EQ(Open().problem(), "");
}

TEST_F(SessionsTest, DeathsOfTheProcessWhileConnectedAreCountedUntilAConnectionLasts) {
  const auto deaths = [](const Sessions& sessions) { return sessions.Find("gw", "mqtt://a:1883")->deaths; };
  {
    Sessions sessions = Open();
    Connect(sessions, "mqtt://a:1883", false);
  }
  {
    Sessions sessions = Open();
    EXPECT_EQ(deaths(sessions), 1);
    Connect(sessions, "mqtt://a:1883", true);
  }
  {
    Sessions sessions = Open();
    EXPECT_EQ(deaths(sessions), 2);
    Connect(sessions, "mqtt://a:1883", true);
    sessions.Note("gw", "mqtt://a:1883", Sessions::Life::kLasts);
    EXPECT_EQ(deaths(sessions), 0);
    sessions.Note("gw", "mqtt://a:1883", Sessions::Life::kEnded);
  }
  EXPECT_EQ(deaths(Open()), 0);
}

TEST_F(SessionsTest, NumbersAreBounded) {
  Sessions sessions = Open();
  for (std::size_t i = 0; i < Sessions::kMaxSessions + 3; ++i) {
    clock_.Advance(1s);
    sessions.Connected(At("mqtt://h" + std::to_string(i) + ":1883", std::to_string(i)), false);
  }
  EXPECT_EQ(sessions.List().size(), Sessions::kMaxSessions);
  EXPECT_FALSE(sessions.Find("gw", "mqtt://h0:1883"));
  for (std::size_t i = 0; i < Sessions::kMaxUntold + 3; ++i) {
    Connect(sessions, "mqtt://h9:1883", false);
  }
  EXPECT_EQ(sessions.Untold().size(), Sessions::kMaxUntold);
}

TEST_F(SessionsTest, OnlyTheServiceMayReadIt) {
  Sessions sessions = Open();
  Connect(sessions, "mqtt://a:1883", false);
  struct stat info {};
  ASSERT_EQ(stat((dir_ / "queue.db.sessions").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

}  // namespace
}  // namespace packhorse::ingest
