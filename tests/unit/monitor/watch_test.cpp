#include "monitor/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "since.h"
#include "support/manual_clock.h"

namespace packhorse::monitor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Condition Well() {
  Condition condition;
  condition.sources.resize(1);
  condition.sources[0].name = "plant";
  condition.sources[0].state = ingest::SourceState::kConnected;
  condition.destinations.resize(1);
  condition.destinations[0].name = "cloud";
  condition.destinations[0].reached = true;
  condition.max_queue_bytes = 1'000'000;
  return condition;
}

health::Event Opened(const char* name, const char* subject, const char* message) {
  health::Event event;
  event.name = name;
  event.severity = health::FindEventKind(name)->severity;
  event.subject = subject;
  event.message = message;
  event.since = kSince;
  return event;
}

TEST(Judge, EverythingWellIsOkWithoutReasons) {
  const Verdict verdict = Judge(Well());
  EXPECT_EQ(Name(verdict.state), "ok");
  EXPECT_THAT(verdict.reasons, IsEmpty());
}

TEST(Judge, MessagesThatAreNotOnTheDiskLongAfterTheWindowDegrade) {
  Condition condition = Well();
  condition.window = std::chrono::seconds(2);
  condition.queue.at_risk = 4'000;
  condition.queue.at_risk_for = std::chrono::seconds(4);
  EXPECT_THAT(Judge(condition).reasons, IsEmpty()) << "a slow sync is everyday life";
  condition.queue.at_risk_for = std::chrono::seconds(45);
  EXPECT_EQ(Name(Judge(condition).state), "degraded");
  EXPECT_THAT(Judge(condition).reasons, ElementsAre(HasSubstr("4000 messages have waited for the disk for 45s")));
  condition.queue.at_risk = 0;
  EXPECT_THAT(Judge(condition).reasons, IsEmpty());
}

TEST(Judge, AHeldDestinationDegradesAndSaysSinceWhenAndWhy) {
  Condition condition = Well();
  condition.destinations[0].state = limit::CircuitState::kHeld;
  condition.destinations[0].reason = "HTTP 404 Not Found";
  condition.destinations[0].since = kSince;
  const Verdict verdict = Judge(condition);
  EXPECT_EQ(verdict.state, State::kDegraded);
  EXPECT_THAT(verdict.reasons,
              ElementsAre("destination 'cloud' is held since 2026-11-20T08:12:01Z: HTTP 404 Not Found"));
}

TEST(Judge, WhatIsOnlyKeptForReplaysDoesNotFillTheQueue) {
  Condition condition = Well();
  condition.queue.bytes = 950'000;
  condition.queue.retained_bytes = 400'000;
  EXPECT_EQ(Judge(condition).state, State::kOk);
  condition.queue.retained_bytes = 100'000;
  EXPECT_THAT(Judge(condition).reasons, ElementsAre(HasSubstr("85 % full: 830.1 KiB of 976.6 KiB (max_bytes)")));
}

TEST(Judge, EveryStateOfADestinationThatIsNotOkDegrades) {
  for (const auto state :
       {limit::CircuitState::kRetrying, limit::CircuitState::kThrottled, limit::CircuitState::kPaused}) {
    Condition condition = Well();
    condition.destinations[0].state = state;
    EXPECT_EQ(Judge(condition).state, State::kDegraded) << limit::Name(state);
  }
}

TEST(Judge, ASourceThatIsNotConnectedDegradesWhileUploadsGoOn) {
  for (const auto state : {ingest::SourceState::kConnecting, ingest::SourceState::kDown}) {
    Condition condition = Well();
    condition.sources[0].state = state;
    condition.sources[0].reason = "connection refused";
    EXPECT_EQ(Judge(condition).state, State::kDegraded);
    EXPECT_THAT(Judge(condition).reasons, ElementsAre(HasSubstr("connection refused")));
  }
}

TEST(Judge, NothingInAndNothingOutIsDown) {
  Condition condition = Well();
  condition.sources[0].state = ingest::SourceState::kDown;
  condition.destinations[0].state = limit::CircuitState::kRetrying;
  EXPECT_EQ(Judge(condition).state, State::kDown);
  condition.destinations[0].state = limit::CircuitState::kThrottled;  // slow is not mute
  EXPECT_EQ(Judge(condition).state, State::kDegraded);
}

TEST(Judge, OneConnectedSourceOfTwoIsNotBlind) {
  Condition condition = Well();
  condition.sources.push_back(condition.sources[0]);
  condition.sources[1].state = ingest::SourceState::kDown;
  condition.destinations[0].state = limit::CircuitState::kHeld;
  EXPECT_EQ(Judge(condition).state, State::kDegraded);
}

TEST(Judge, AStoreThatFailsIsDownAndComesFirst) {
  Condition condition = Well();
  condition.destinations[0].state = limit::CircuitState::kHeld;
  condition.queue.last_error = "no space left on device";
  condition.queue.failing_since = kSince;
  const Verdict verdict = Judge(condition);
  EXPECT_EQ(verdict.state, State::kDown);
  EXPECT_THAT(verdict.reasons.front(), HasSubstr("no space left on device"));
}

TEST(Judge, RefusedSubscriptionsFullQueueLedgerAndReloadDegrade) {
  Condition condition = Well();
  condition.sources[0].refused_filters = {"secret/#"};
  condition.queue.bytes = 800'000;
  condition.ledger_balanced = false;
  condition.events = {Opened("config_reload_refused", "", "the old configuration stays in force: line 3")};
  const Verdict verdict = Judge(condition);
  EXPECT_EQ(verdict.state, State::kDegraded);
  EXPECT_THAT(verdict.reasons, ElementsAre(HasSubstr("80 % full"), HasSubstr("balance"), HasSubstr("secret/#"),
                                           "config_reload_refused since 2026-11-20T08:12:01Z: the old configuration "
                                           "stays in force: line 3"));
  condition.queue.bytes = 10;
  condition.max_queue_messages = 100;
  condition.queue.most_waiting = 81;
  EXPECT_THAT(Judge(condition).reasons, testing::Contains(HasSubstr("81 % full: 81 of 100 messages")));
  condition = Well();
  condition.queue.bytes = 799'999;
  EXPECT_EQ(Judge(condition).state, State::kOk);
}

TEST(Judge, OpenEventsOfP0ToP2DegradeAndThoseOfP3DoNot) {
  for (const health::EventKind& kind : health::kEventKinds) {
    Condition condition = Well();
    condition.events = {Opened(std::string(kind.name).c_str(), "cloud", "why")};
    const bool degrades = kind.severity <= health::Severity::kP2;
    EXPECT_EQ(Judge(condition).state, degrades ? State::kDegraded : State::kOk) << kind.name;
    if (degrades) {
      EXPECT_THAT(Judge(condition).reasons,
                  ElementsAre(std::string(kind.name) + " 'cloud' since 2026-11-20T08:12:01Z: why"));
    }
    condition.events[0].acknowledged_at = kSince;
    EXPECT_EQ(Judge(condition).state, State::kOk) << kind.name;
  }
}

TEST(Judge, AnEventThatTellsTheSameAsAStateIsToldOnce) {
  Condition condition = Well();
  condition.destinations[0].state = limit::CircuitState::kHeld;
  condition.events = {Opened("destination_held", "cloud", "HTTP 404"), Opened("dead_letters", "cloud", "q.n.1")};
  EXPECT_THAT(Judge(condition).reasons, ElementsAre(HasSubstr("is held"), HasSubstr("dead_letters 'cloud'")));
  condition.events[0].acknowledged_at = kSince;
  EXPECT_THAT(Judge(condition).reasons, ElementsAre(HasSubstr("dead_letters 'cloud'")));
}

TEST(Judge, AcknowledgingDoesNotHideThatNothingGoesInOrOut) {
  Condition condition = Well();
  condition.sources[0].state = ingest::SourceState::kDown;
  condition.destinations[0].state = limit::CircuitState::kHeld;
  condition.events = {Opened("destination_held", "cloud", ""), Opened("source_down", "plant", "")};
  condition.events[0].acknowledged_at = kSince;
  condition.events[1].acknowledged_at = kSince;
  EXPECT_EQ(Judge(condition).state, State::kDown);
}

class WatchTest : public testing::Test {
 protected:
  std::vector<std::string> Open() {
    std::vector<std::string> names;
    for (const health::Event& event : events.Open()) {
      names.push_back(event.name + ":" + event.subject);
    }
    return names;
  }
  Condition At(std::chrono::seconds later) {
    clock.SetWall(start + later);
    return condition;
  }

  test::ManualClock clock;
  WallTime start = clock.Wall();
  health::Events events;
  Condition condition = Well();
  Watch watch{events, clock, "/var/lib/packhorse/queue.db"};
};

TEST_F(WatchTest, ADiskThatDoesNotAnswerIsAnEventUntilItDoes) {
  condition.window = std::chrono::seconds(2);
  condition.queue.at_risk = 10;
  condition.queue.at_risk_for = std::chrono::seconds(6);
  watch.Check(condition);
  ASSERT_THAT(Open(), ElementsAre("durability_window_exceeded:"));
  EXPECT_EQ(health::Name(events.Open().front().severity), "P0");
  condition.queue.at_risk_for = std::chrono::seconds(1);
  watch.Check(condition);
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(WatchTest, AShortReconnectIsNoEventALongOneIsRaisedOnceAndResolved) {
  condition.sources[0].state = ingest::SourceState::kDown;
  condition.sources[0].since = start;
  watch.Check(At(std::chrono::seconds(9)));
  EXPECT_THAT(Open(), IsEmpty());
  watch.Check(At(std::chrono::seconds(10)));
  watch.Check(At(std::chrono::seconds(11)));
  EXPECT_THAT(Open(), ElementsAre("source_down:plant"));
  EXPECT_EQ(events.Open().front().count, 1U);
  condition.sources[0].state = ingest::SourceState::kConnected;
  condition.sources[0].since = start + std::chrono::seconds(12);
  watch.Check(At(std::chrono::seconds(12)));
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(WatchTest, AClockThatJumpsAYearEndsNoMoment) {
  events.Raise("session_lost", "plant", "", clock.Wall());
  watch.Check(condition);
  clock.StepWall(std::chrono::hours(24 * 365));
  watch.Check(condition);
  EXPECT_THAT(Open(), ElementsAre("session_lost:plant"));
}

TEST_F(WatchTest, DeadLettersEndWhenTheListIsEmpty) {
  events.Raise("dead_letters", "cloud", "", clock.Wall());
  condition.queue.dead_letters = 1;
  watch.Check(condition);
  EXPECT_THAT(Open(), ElementsAre("dead_letters:cloud"));
  condition.queue.dead_letters = 0;
  watch.Check(condition);
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(WatchTest, StoreAndSubscriptionEventsFollowTheirCause) {
  condition.queue.last_error = "disk full";
  condition.sources[0].refused_filters = {"a/#"};
  watch.Check(condition);
  EXPECT_THAT(Open(), testing::UnorderedElementsAre("queue_store_failing:", "subscription_refused:plant"));
  watch.Check(Well());
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(WatchTest, ANearlyFullQueueIsResolvedBelowSeventyFivePercentOnly) {
  condition.queue.bytes = 800'000;
  watch.Check(condition);
  condition.queue.bytes = 760'000;
  watch.Check(condition);
  EXPECT_THAT(Open(), ElementsAre("queue_nearly_full:"));
  condition.queue.bytes = 740'000;
  watch.Check(condition);
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(WatchTest, RetryingBecomesAnEventAfterFiveMinutes) {
  condition.destinations[0].state = limit::CircuitState::kRetrying;
  condition.destinations[0].since = start;
  watch.Check(At(std::chrono::seconds(299)));
  EXPECT_THAT(Open(), IsEmpty());
  watch.Check(At(std::chrono::seconds(300)));
  EXPECT_THAT(Open(), ElementsAre("destination_retrying:cloud"));
}

TEST_F(WatchTest, BacklogOfADestinationThatIsGoneIsToldUntilItIsBackOrEmpty) {
  condition.queue.pending = {{"cloud", 5}, {"lake", 7}};
  watch.Check(At(std::chrono::seconds(0)));
  watch.Check(At(std::chrono::seconds(1)));
  EXPECT_THAT(Open(), ElementsAre("backlog_left_behind:lake"));
  EXPECT_THAT(events.Open()[0].message, HasSubstr("7 messages wait for destination 'lake'"));
  condition.destinations.push_back(condition.destinations[0]);
  condition.destinations[1].name = "lake";
  watch.Check(At(std::chrono::seconds(2)));
  EXPECT_THAT(Open(), IsEmpty());
  condition.destinations.pop_back();
  watch.Check(At(std::chrono::seconds(3)));
  EXPECT_THAT(Open(), ElementsAre("backlog_left_behind:lake"));
  condition.queue.pending.erase("lake");
  watch.Check(At(std::chrono::seconds(4)));
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(WatchTest, EventsOfWhatAReloadRemovedAreClosed) {
  condition.sources[0].state = ingest::SourceState::kDown;
  condition.sources[0].since = start - std::chrono::hours(1);
  watch.Check(condition);
  events.Raise("destination_held", "cloud", "404", clock.Wall());
  EXPECT_EQ(Open().size(), 2U);
  condition = Condition();
  watch.Check(condition);
  EXPECT_THAT(Open(), IsEmpty());
}

}  // namespace
}  // namespace packhorse::monitor
