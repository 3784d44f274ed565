// What `status` and `events` answer about open events, on the objects of a daemon.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app_fixture.h"
#include "commands_fixture.h"

namespace packhorse::daemon {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class StateTest : public AppTest {
 protected:
  control::Answer Ask(const std::string& command, const json& args = json::object(), bool may_change = true) {
    return handlers_.Handle(control::Call{command, args.dump(), may_change, 1});
  }
  json Status() { return json::parse(Ask("status").value_or("{}")); }
  json Event(const std::string& name) {
    const json status = Status();
    for (const json& event : status["events"]) {
      if (event["name"] == name) {
        return event;
      }
    }
    return {};
  }
  bool Degrades(const std::string& words) { return Status()["reasons"].dump().find(words) != std::string::npos; }

  Commands commands_{*app_, file_};
  Handlers& handlers_ = commands_.handlers;
};

TEST_F(StateTest, EveryOpenEventSaysWhatEndsItAndOnesOfP0ToP2AreReasons) {
  app_->events.Raise("messages_dropped", "cloud", "7 messages dropped", clock_.Wall());
  app_->events.Raise("quarantined", "invalid_json", "", clock_.Wall());
  EXPECT_EQ(Event("messages_dropped")["ends"], "a day after the last time");
  EXPECT_TRUE(Event("messages_dropped")["acknowledged_at"].is_null());
  EXPECT_TRUE(Degrades("messages_dropped 'cloud'"));
  EXPECT_FALSE(Degrades("quarantined"));
}

TEST_F(StateTest, AnAcknowledgedEventStaysOpenAndIsNoReasonAnyMore) {
  app_->events.Raise("secret_unreadable", "cloud", "no such file", clock_.Wall());
  ASSERT_TRUE(Degrades("secret_unreadable"));
  const control::Answer answer = Ask("events_ack", {{"name", "secret_unreadable"}, {"subject", "cloud"}});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(json::parse(*answer)["open"][0]["acknowledged_at"], "2026-11-20T08:15:31.500000Z");
  EXPECT_EQ(Event("secret_unreadable")["acknowledged_at"], "2026-11-20T08:15:31.500000Z");
  EXPECT_FALSE(Degrades("secret_unreadable"));
}

TEST_F(StateTest, OnlyRootAndTheServiceUserMayAcknowledge) {
  app_->events.Raise("secret_unreadable", "cloud", "", clock_.Wall());
  const control::Answer answer = Ask("events_ack", {{"name", "secret_unreadable"}, {"subject", "cloud"}}, false);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(Degrades("secret_unreadable"));
}

TEST_F(StateTest, AcknowledgingWhatIsNotOpenIsAnError) {
  const control::Answer answer = Ask("events_ack", {{"name", "dead_letters"}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(answer.error().message, HasSubstr("packhorse events"));
}

TEST_F(StateTest, ACloudThatNothingHadToBeSentToSaysSoWithoutDegrading) {
  const json cloud = Status()["destinations"][0];
  EXPECT_EQ(cloud["state"], "ok");
  EXPECT_THAT(cloud["reasons"].dump(), HasSubstr("never reached yet"));
  EXPECT_FALSE(Degrades("never reached yet"));
}

TEST_F(StateTest, ACloudThatTakesNothingWhileMessagesWaitWasNeverReachedAndItsBacklogGrows) {
  for (int i = 0; i < 160; ++i) {
    Append("{}");
    clock_.Advance(std::chrono::seconds(1));
    app_->destinations->units()[0].growth.Look(Observe(*app_, clock_.Mono()).destinations[0].pending, clock_.Mono());
  }
  EXPECT_TRUE(Degrades("destination 'cloud': never reached yet"));
  EXPECT_TRUE(Degrades("destination 'cloud': backlog grows: 121 messages wait, 120 more")) << Status()["reasons"];
}

}  // namespace
}  // namespace packhorse::daemon
