#include "packhorsed/event_file.h"

#include <gmock/gmock.h>

#include "app_fixture.h"
#include "monitor/limit_keeper.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

class EventFileTest : public AppTest {
 protected:
  void Restart() {
    EventFile(*app_).Look(clock_.Mono(), true);
    Stop();
    Start();
  }
  std::vector<std::string> Open() {
    std::vector<std::string> open;
    for (const health::Event& event : app_->events.Open()) {
      open.push_back(event.name + ":" + event.subject + (event.acknowledged_at ? ":known" : ""));
    }
    return open;
  }
};

TEST_F(EventFileTest, WhatWasLostIsStillAnEventAfterARestartAndSoIsThatSomebodyKnows) {
  app_->events.Raise("messages_dropped", "cloud", "7 messages dropped so far", clock_.Wall());
  app_->events.Raise("session_lost", "plant", "forgotten", clock_.Wall());
  ASSERT_TRUE(app_->events.Acknowledge("session_lost", "plant", clock_.Wall()));
  clock_.Advance(1h);
  Restart();
  EXPECT_THAT(Open(), testing::UnorderedElementsAre("messages_dropped:cloud", "session_lost:plant:known"));
  Restart();
  EXPECT_EQ(Open().size(), 2U);
  app_->events.EndQuiet(clock_.Mono(), clock_.Wall());
  clock_.Advance(24h);
  app_->events.EndQuiet(clock_.Mono(), clock_.Wall());
  EXPECT_THAT(Open(), IsEmpty());
  Restart();
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(EventFileTest, WhatIsLostAfterTheRestartIsCountedFromThere) {
  app_->events.Raise("messages_dropped", "cloud", "7 messages dropped so far", clock_.Wall());
  Restart();
  app_->queue->SetLimits({.max_messages = 1});
  Append("{}");
  Append("{}");
  Append("{}");
  monitor::Gaps gaps = MakeGaps();
  monitor::LimitKeeper(*app_->queue, app_->events, clock_, app_->config.queue, gaps).Enforce(clock_.Mono());
  ASSERT_EQ(app_->events.Open().size(), 1U);
  EXPECT_THAT(app_->events.Open()[0].message, HasSubstr("2 messages dropped since the last start"));
}

TEST_F(EventFileTest, AFileThatCannotBeReadIsLeftOut) {
  app_->events.Raise("messages_dropped", "cloud", "", clock_.Wall());
  Restart();
  for (const char* text : {"", "{", "[]", R"({"events":[{"name":1}]})", R"({"events":[{"name":"x","subject":"",)"}) {
    Stop();
    test::WriteAll(dir_ / "run/events", text);
    Start();
    EXPECT_THAT(Open(), IsEmpty()) << text;
  }
}

}  // namespace
}  // namespace packhorse::daemon
