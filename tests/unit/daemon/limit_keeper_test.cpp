#include "monitor/limit_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/queue_settings.h"
#include "packhorsed/app.h"
#include "support/manual_clock.h"
#include "support/temp_dir.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

config::Config OneStreamToTheCloud() {
  config::Config config;
  config.streams.resize(1);
  config.streams[0].name = "telemetry";
  config.streams[0].destinations = {"cloud"};
  config.destinations.resize(1);
  config.destinations[0].name = "cloud";
  config.queue.max_records = 10;
  return config;
}

// A queue of at most ten messages, without its surroundings.
class LimitKeeperTest : public testing::Test {
 protected:
  void OpenQueue() {
    queue::Options options;
    options.path = dir / "queue.db";
    options.runtime_dir = dir / "run";
    options.streams = bridge::QueueStreams(app.config);
    options.destinations = bridge::QueueDestinations(app.config);
    options.limits = bridge::QueueLimits(app.config.queue);
    app.queue = *queue::Open(std::move(options), clock);
  }

  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      RawMessage message;
      message.stream = *app.queue->Stream("telemetry");
      message.payload = "{}";
      message.received_at = clock.Wall();
      message.boot_time = clock.Boot();
      ASSERT_TRUE(app.queue->Append(message));
    }
  }
  void EnforceAfter(std::chrono::seconds time) {
    clock.Advance(time);
    keeper.Enforce(clock.Mono());
    gaps.Store(clock.Mono(), false);
  }
  std::vector<std::string> Open() {
    std::vector<std::string> names;
    for (const health::Event& event : app.events.Open()) {
      names.push_back(event.name + ":" + event.subject);
    }
    return names;
  }
  std::vector<std::string> GapRecords() {
    std::vector<std::string> payloads;
    const Result<queue::Pending> pending = app.queue->Peek("cloud", Lane::kUrgent, 100, 1U << 20U);
    for (const queue::StoredMessage& stored : pending->messages) {
      payloads.push_back(stored.message.payload);
    }
    return payloads;
  }

  test::TempDir dir;
  test::ManualClock clock;
  App app{"", OneStreamToTheCloud(), clock};
  const bool open = (OpenQueue(), true);
  monitor::Gaps gaps{*app.queue, clock, [](const std::string&) { return nullptr; }};
  monitor::LimitKeeper keeper{*app.queue, app.events, clock, app.config.queue, gaps};
};

TEST_F(LimitKeeperTest, DropsAreOneEventThatCountsWhileItIsOpen) {
  Append(15);
  EnforceAfter(1s);
  Append(2);
  EnforceAfter(1s);
  ASSERT_THAT(Open(), ElementsAre("messages_dropped:cloud"));
  EXPECT_THAT(app.events.Open().front().message,
              HasSubstr("7 messages dropped so far; the last: max_records: 2 in lane normal, numbers 6 to 7"));
  app.events.Resolve("messages_dropped", "cloud", clock.Wall());
  EnforceAfter(10s);
  Append(2);
  EnforceAfter(1s);  // the gap record takes a place in the queue, too
  ASSERT_THAT(Open(), ElementsAre("messages_dropped:cloud"));
  EXPECT_THAT(app.events.Open().front().message, HasSubstr("3 messages dropped so far"));
}

TEST_F(LimitKeeperTest, TheCloudIsToldOnceForWhatGoesWithinTenSeconds) {
  Append(15);
  EnforceAfter(1s);
  Append(2);
  EnforceAfter(9s);
  EXPECT_THAT(GapRecords(), IsEmpty());
  EnforceAfter(1s);
  EXPECT_THAT(GapRecords(), ElementsAre(R"({"messages":7,"outcome":"dropped","reason":"max_records","lane":"normal",)"
                                        R"("first_sequence":1,"last_sequence":7})"));
}

TEST_F(LimitKeeperTest, WhileTheCloudHasNotBeenToldTheNextGapIsCollectedUntilTheEnd) {
  Append(15);
  EnforceAfter(1s);
  EnforceAfter(10s);
  ASSERT_EQ(GapRecords().size(), 1U);
  for (int i = 0; i < 100; ++i) {
    Append(1);
    EnforceAfter(10s);
  }
  EXPECT_EQ(GapRecords().size(), 1U);
  gaps.Store(clock.Mono(), true);
  ASSERT_EQ(GapRecords().size(), 2U);
  EXPECT_THAT(GapRecords().back(), HasSubstr(R"("messages":101,)"));
}

TEST_F(LimitKeeperTest, WhatExpiresSoonIsAnEventAnHourBeforeAnythingGoes) {
  app.config.queue.max_age = 24h * 30;
  app.queue->SetLimits(bridge::QueueLimits(app.config.queue));
  clock.SetSynchronized(false);
  Append(5);
  EnforceAfter(24h * 30 - 2h);
  EXPECT_THAT(Open(), IsEmpty());
  EnforceAfter(1h + 1min);
  ASSERT_THAT(Open(), ElementsAre("messages_expire_soon:cloud"));
  const health::Event told = app.events.Open().front();
  EXPECT_EQ(health::Name(told.severity), "P1");
  EXPECT_THAT(told.message, HasSubstr("the oldest has waited 29d, queue.max_age is 30d"));
  EXPECT_THAT(told.message, HasSubstr("only the time that this machine runs counts"));
  EnforceAfter(59min);
  EXPECT_EQ(app.queue->ReadLedger()->Total().expired, 0U);
  EXPECT_EQ(app.events.Open().front().count, 1U) << "raised once";
  EnforceAfter(1min);
  EXPECT_EQ(app.queue->ReadLedger()->Total().expired, 5U);
  EnforceAfter(1s);
  EXPECT_THAT(Open(), ElementsAre("messages_expired:cloud"));
}

}  // namespace
}  // namespace packhorse::daemon
