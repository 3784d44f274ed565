#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "health/log.h"
#include "health/metrics.h"

namespace packhorse::health {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr MonoTime kEventsStart{seconds(10'000)};
constexpr WallTime kEventsWall{seconds(1'795'162'531)};

class EventsTest : public testing::Test {
 protected:
  // What events log is captured, so that the test's own output stays readable.
  EventsTest() { testing::internal::CaptureStderr(); }
  ~EventsTest() override {
    if (!taken_) {
      testing::internal::GetCapturedStderr();
    }
  }
  std::string TakeLog() {
    taken_ = true;
    return testing::internal::GetCapturedStderr();
  }

  Events events_;

 private:
  bool taken_ = false;
};

TEST_F(EventsTest, RaisingAnOpenEventAgainIsCountedNotRepeated) {
  EXPECT_TRUE(events_.Raise("destination_held", "cloud", "HTTP 404", kEventsWall));
  EXPECT_FALSE(events_.Raise("destination_held", "cloud", "HTTP 405", kEventsWall + seconds(9)));
  ASSERT_EQ(events_.Open().size(), 1U);
  const Event event = events_.Open()[0];
  EXPECT_EQ(event.id, 1U);
  EXPECT_EQ(event.count, 2U);
  EXPECT_EQ(event.since, kEventsWall);
  EXPECT_EQ(event.message, "HTTP 405");
  EXPECT_EQ(event.subject, "cloud");
  EXPECT_FALSE(event.resolved_at);
}

TEST_F(EventsTest, NameAndSubjectTogetherTellEventsApart) {
  EXPECT_TRUE(events_.Raise("secret_unreadable", "x", "", kEventsWall));
  EXPECT_TRUE(events_.Raise("secret_unreadable", "y", "", kEventsWall));
  EXPECT_TRUE(events_.Raise("contract_deviation", "x", "", kEventsWall));
  EXPECT_TRUE(events_.Raise("secret_unreadable", "", "", kEventsWall));
  EXPECT_EQ(events_.Open().size(), 4U);
}

TEST_F(EventsTest, ResolvingEndsItOnce) {
  EXPECT_FALSE(events_.Resolve("secret_unreadable", "x", kEventsWall));
  events_.Raise("secret_unreadable", "x", "m", kEventsWall);
  EXPECT_TRUE(events_.Resolve("secret_unreadable", "x", kEventsWall + seconds(5)));
  EXPECT_FALSE(events_.Resolve("secret_unreadable", "x", kEventsWall + seconds(6)));
  EXPECT_TRUE(events_.Open().empty());
  ASSERT_EQ(events_.Recent().size(), 1U);
  EXPECT_EQ(events_.Recent()[0].resolved_at, kEventsWall + seconds(5));
}

TEST_F(EventsTest, AfterResolvingTheSameTroubleIsANewEvent) {
  events_.Raise("secret_unreadable", "x", "m", kEventsWall);
  events_.Resolve("secret_unreadable", "x", kEventsWall);
  EXPECT_TRUE(events_.Raise("secret_unreadable", "x", "m", kEventsWall + seconds(1)));
  ASSERT_EQ(events_.Recent().size(), 2U);
  EXPECT_EQ(events_.Recent()[0].id, 2U) << "newest first";
  EXPECT_EQ(events_.Open()[0].since, kEventsWall + seconds(1));
}

TEST_F(EventsTest, OpenEventsComeWorstFirstThenOldest) {
  events_.Raise("quarantined", "", "", kEventsWall);
  events_.Raise("secret_unreadable", "", "", kEventsWall);
  events_.Raise("source_down", "", "", kEventsWall);
  events_.Raise("messages_dropped", "", "", kEventsWall);
  std::vector<std::string> names;
  for (const Event& event : events_.Open()) {
    names.push_back(event.name);
  }
  EXPECT_THAT(names, testing::ElementsAre("source_down", "secret_unreadable", "messages_dropped", "quarantined"));
}

TEST_F(EventsTest, RaisingAndResolvingLogOnceEach) {
  for (int i = 0; i < 20; ++i) {
    events_.Raise("secret_unreadable", "cloud", "HTTP 404", kEventsWall);
  }
  events_.Resolve("secret_unreadable", "cloud", kEventsWall);
  events_.Resolve("secret_unreadable", "cloud", kEventsWall);
  const std::string log = TakeLog();
  std::size_t lines = 0;  // of this event: another test's flood may be summed up in between
  for (std::size_t at = log.find("secret_unreadable: "); at != std::string::npos;
       at = log.find("secret_unreadable: ", at + 1)) {
    ++lines;
  }
  EXPECT_EQ(lines, 2U) << log;
  EXPECT_THAT(log, testing::HasSubstr(" error secret_unreadable: HTTP 404 subject=cloud severity=P1 id=1\n"));
  EXPECT_THAT(log, testing::HasSubstr(" info secret_unreadable: resolved: HTTP 404 subject=cloud severity=P1 id=1\n"));
}

TEST_F(EventsTest, AtMostAThousandAreKeptAndResolvedOnesGoFirst) {
  events_.Raise("quarantined", "long", "", kEventsWall);
  for (int i = 0; i < 3'000; ++i) {
    events_.Raise("source_down", std::to_string(i), "", kEventsWall);
    events_.Resolve("source_down", std::to_string(i), kEventsWall);
  }
  EXPECT_EQ(events_.Recent().size(), 1'000U);
  EXPECT_EQ(events_.Recent()[0].subject, "2999");
  ASSERT_EQ(events_.Open().size(), 1U);
  EXPECT_EQ(events_.Open()[0].subject, "long");
}

TEST_F(EventsTest, AThousandOpenEventsLoseTheLeastSevereOldest) {
  events_.Raise("source_down", "", "", kEventsWall);
  for (int i = 0; i < 1'200; ++i) {
    const EventName name = i == 50 ? EventName("dead_letters") : EventName("quarantined");
    events_.Raise(name, std::to_string(i), "", kEventsWall);
  }
  const std::vector<Event> open = events_.Open();
  EXPECT_EQ(open.size(), 1'000U);
  EXPECT_EQ(open[0].name, "source_down");
  EXPECT_EQ(open[1].subject, "50");
  EXPECT_EQ(open[2].subject, "202");
  EXPECT_EQ(events_.Recent()[0].subject, "1199");
}

TEST_F(EventsTest, TextsAreBounded) {
  const std::string huge(100'000, 'x');
  events_.Raise("quarantined", huge, huge, kEventsWall);
  EXPECT_FALSE(events_.Raise("quarantined", huge, huge, kEventsWall));
  const Event event = events_.Open()[0];
  EXPECT_LE(event.subject.size(), 256U);
  EXPECT_LE(event.message.size(), 1'024U);
  EXPECT_TRUE(events_.IsOpen("quarantined", huge));
  EXPECT_TRUE(events_.Resolve("quarantined", huge, kEventsWall));
}

TEST_F(EventsTest, AConditionThatIsFollowedIsRaisedOnceWithTheNewestMessage) {
  events_.Follow(false, "source_down", "plant", "m", kEventsWall);
  EXPECT_TRUE(events_.Recent().empty());
  events_.Follow(true, "source_down", "plant", "connection refused", kEventsWall);
  events_.Follow(true, "source_down", "plant", "not authorized", kEventsWall + seconds(1));
  ASSERT_EQ(events_.Open().size(), 1U);
  EXPECT_EQ(events_.Open()[0].count, 1U);
  EXPECT_EQ(events_.Open()[0].message, "not authorized");
  events_.Follow(false, "source_down", "plant", "", kEventsWall + seconds(2));
  EXPECT_TRUE(events_.Open().empty());
}

TEST_F(EventsTest, AMomentStaysOpenForADayAfterTheLastTime) {
  events_.Raise("session_lost", "plant", "m", kEventsWall);
  events_.EndQuiet(kEventsStart, kEventsWall);
  events_.EndQuiet(kEventsStart + hours(23), kEventsWall);
  EXPECT_EQ(events_.Open().size(), 1U);
  events_.Raise("session_lost", "plant", "m", kEventsWall);
  events_.EndQuiet(kEventsStart + hours(24), kEventsWall);
  events_.EndQuiet(kEventsStart + hours(47), kEventsWall);
  EXPECT_EQ(events_.Open().size(), 1U);
  events_.EndQuiet(kEventsStart + hours(48), kEventsWall);
  EXPECT_TRUE(events_.Open().empty());
}

TEST_F(EventsTest, AConditionDoesNotEndByItself) {
  events_.Raise("destination_held", "cloud", "m", kEventsWall);
  events_.EndQuiet(kEventsStart, kEventsWall);
  events_.EndQuiet(kEventsStart + hours(24 * 365), kEventsWall);
  EXPECT_EQ(events_.Open().size(), 1U);
}

TEST_F(EventsTest, WhatIsAcknowledgedNoLongerDegradesAndStaysOpen) {
  events_.Raise("destination_held", "cloud", "m", kEventsWall);
  EXPECT_TRUE(events_.Open()[0].degrades());
  ASSERT_TRUE(events_.Acknowledge("destination_held", "cloud", kEventsWall + seconds(1)));
  ASSERT_TRUE(events_.Acknowledge("destination_held", "cloud", kEventsWall + seconds(9)));
  ASSERT_EQ(events_.Open().size(), 1U);
  EXPECT_FALSE(events_.Open()[0].degrades());
  EXPECT_EQ(events_.Open()[0].acknowledged_at, kEventsWall + seconds(1));
  events_.Raise("destination_held", "cloud", "the next probe", kEventsWall + seconds(60));
  EXPECT_FALSE(events_.Open()[0].degrades()) << "still the same";
  events_.Resolve("destination_held", "cloud", kEventsWall + seconds(90));
  events_.Raise("destination_held", "cloud", "again", kEventsWall + seconds(99));
  EXPECT_TRUE(events_.Open()[0].degrades());
}

TEST_F(EventsTest, WhatHappensOnceMoreIsNewsAgain) {
  events_.Raise("dead_letters", "cloud", "q.n.1", kEventsWall);
  ASSERT_TRUE(events_.Acknowledge("dead_letters", "cloud", kEventsWall));
  events_.Raise("dead_letters", "cloud", "q.n.2", kEventsWall);
  EXPECT_TRUE(events_.Open()[0].degrades());
  EXPECT_EQ(events_.Open()[0].count, 2U);
}

TEST_F(EventsTest, AcknowledgingWhatIsNotOpenSaysWhatIs) {
  events_.Raise("dead_letters", "cloud", "", kEventsWall);
  const Status wrong = events_.Acknowledge("dead_letters", "", kEventsWall);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(wrong.error().message, "no event 'dead_letters' is open without a subject, but about 'cloud'");
  EXPECT_FALSE(events_.Acknowledge("no_such_event", "x", kEventsWall));
}

TEST_F(EventsTest, AnEventOfP3DoesNotDegrade) {
  events_.Raise("quarantined", "", "", kEventsWall);
  events_.Raise("messages_expired", "", "", kEventsWall);
  EXPECT_TRUE(events_.Open()[0].degrades());
  EXPECT_FALSE(events_.Open()[1].degrades());
}

TEST_F(EventsTest, WhatHappensAgainAndAgainIsLoggedOnceAMinute) {
  for (int i = 0; i < 150; ++i) {
    events_.Raise("messages_dropped", "cloud", "m" + std::to_string(i), kEventsWall + seconds(i));
  }
  const std::string log = TakeLog();
  for (const char* message : {"messages_dropped: m0 ", "messages_dropped: m60 ", "messages_dropped: m120 "}) {
    EXPECT_THAT(log, testing::HasSubstr(message));
  }
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 3) << log;
}

TEST_F(EventsTest, OccurrencesAndAcknowledgementsAreKeptForTheNextStart) {
  const MonoTime mono{std::chrono::hours(10)};
  events_.Raise("messages_dropped", "cloud", "7 messages", kEventsWall);
  events_.Raise("messages_dropped", "cloud", "9 messages", kEventsWall);
  events_.Raise("quarantined", "", "over", kEventsWall);
  events_.Resolve("quarantined", "", kEventsWall);
  events_.Raise("source_down", "plant", "away", kEventsWall);
  events_.Raise("suspects", "cloud", "3 records", kEventsWall);
  ASSERT_TRUE(events_.Acknowledge("suspects", "cloud", kEventsWall));
  events_.EndQuiet(mono, kEventsWall);
  Events next;
  for (const KeptEvent& kept : events_.ToKeep(mono + std::chrono::hours(2))) {
    next.Restore(kept, MonoTime(std::chrono::hours(1)));
  }
  ASSERT_EQ(next.Open().size(), 1U) << "conditions are found again by whoever looks";
  EXPECT_EQ(next.Open()[0].message, "9 messages");
  EXPECT_EQ(next.Open()[0].count, 2U);
  EXPECT_EQ(next.Open()[0].since, kEventsWall);
  EXPECT_TRUE(next.Open()[0].degrades());
  next.EndQuiet(MonoTime(std::chrono::hours(22)), kEventsWall);
  EXPECT_EQ(next.Open().size(), 1U);
  next.EndQuiet(MonoTime(std::chrono::hours(23)), kEventsWall);
  EXPECT_TRUE(next.Open().empty()) << "24 hours after the last time, in both runs together";

  const WallTime later = kEventsWall + std::chrono::hours(1);
  next.Follow(true, "suspects", "cloud", "3 records", later);
  ASSERT_EQ(next.Open().size(), 1U);
  EXPECT_FALSE(next.Open()[0].degrades());
  EXPECT_EQ(next.Open()[0].since, kEventsWall);
  next.Resolve("suspects", "cloud", later);
  next.Follow(true, "suspects", "cloud", "new ones", later);
  EXPECT_TRUE(next.Open()[0].degrades());
}

TEST_F(EventsTest, AnAcknowledgementFromBeforeTheStartIsForgottenInTheEnd) {
  Events next;
  next.Restore({"suspects", "cloud", "", kEventsWall, 1, kEventsWall, {}}, MonoTime());
  next.Restore({"of_a_newer_release", "", "", kEventsWall, 1, kEventsWall, {}}, MonoTime());
  EXPECT_EQ(next.ToKeep(MonoTime()).size(), 1U) << "another restart soon";
  next.ForgetAcknowledgements();
  next.Follow(true, "suspects", "cloud", "3 records", kEventsWall);
  EXPECT_TRUE(next.Open()[0].degrades());
}

}  // namespace
}  // namespace packhorse::health
