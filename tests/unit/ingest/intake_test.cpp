#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fake_queue.h"
#include "ingest/ingest.h"
#include "support/manual_clock.h"

namespace packhorse::ingest {
namespace {

using namespace std::chrono_literals;
using test::FakeQueue;
using test::ManualClock;
using testing::HasSubstr;

std::vector<TopicPattern> Patterns(const std::vector<std::string>& texts) {
  std::vector<TopicPattern> patterns;
  for (const std::string& text : texts) {
    patterns.push_back(*TopicPattern::Parse(text));
  }
  return patterns;
}

Route RouteTo(StreamId stream, const std::vector<std::string>& patterns,
              RetainedPolicy retained = RetainedPolicy::kState) {
  return Route{stream, retained, Patterns(patterns)};
}

Arrival Message(std::string_view topic, std::string_view payload) {
  Arrival arrival;
  arrival.topic = topic;
  arrival.payload = payload;
  arrival.qos = 1;
  return arrival;
}

Arrival Retained(std::string_view topic, std::string_view payload) {
  Arrival arrival = Message(topic, payload);
  arrival.retained = true;
  return arrival;
}

class IntakeTest : public testing::Test {
 protected:
  void Receive(const Arrival& arrival) {
    const Status status = intake_.OnMessage(arrival);
    EXPECT_TRUE(status) << (status ? "" : status.error().message);
  }
  void SetRoutes(std::vector<Route> routes) { intake_.SetRoutes(std::move(routes), limits_); }

  ManualClock clock_;
  FakeQueue queue_;
  Limits limits_{.max_payload_bytes = 10'000, .max_topic_bytes = 64};
  Intake intake_{{RouteTo(1, {"a/#"}), RouteTo(2, {"b/+", "a/late"})}, limits_, queue_, clock_};
};

TEST_F(IntakeTest, StoresWhatArrivedWithItsTime) {
  Arrival arrival = Message("a/x", std::string_view("\0\xFF{", 3));
  arrival.redelivered = true;
  arrival.content_type = "application/json";
  arrival.user_properties = {{"k", "1"}, {"k", "2"}};
  Receive(arrival);
  const std::vector<RawMessage> messages = queue_.Messages();
  ASSERT_EQ(messages.size(), 1U);
  const RawMessage& message = messages[0];
  EXPECT_EQ(message.stream, 1U);
  EXPECT_EQ(message.topic, "a/x");
  EXPECT_EQ(message.payload, std::string("\0\xFF{", 3));
  EXPECT_EQ(message.received_at, clock_.Wall());
  EXPECT_EQ(message.boot_time, clock_.Boot());
  EXPECT_EQ(message.clock, ClockState::kSynchronized);
  EXPECT_EQ(message.qos, 1);
  EXPECT_FALSE(message.retained);
  EXPECT_TRUE(message.redelivered);
  EXPECT_EQ(message.content_type, "application/json");
  EXPECT_EQ(message.user_properties, arrival.user_properties);
}

TEST_F(IntakeTest, UnsynchronizedClockIsNoted) {
  clock_.SetSynchronized(false);
  Receive(Message("a/x", ""));
  EXPECT_EQ(queue_.Messages().at(0).clock, ClockState::kUnsynchronized);
}

TEST_F(IntakeTest, FirstRouteThatMatchesWins) {
  Receive(Message("a/late", "1"));
  Receive(Message("b/1", "2"));
  EXPECT_EQ(queue_.Messages().at(0).stream, 1U);
  EXPECT_EQ(queue_.Messages().at(1).stream, 2U);
}

TEST_F(IntakeTest, NewRoutesApplyToTheNextMessage) {
  SetRoutes({RouteTo(7, {"c"})});
  Receive(Message("a/x", "1"));
  Receive(Message("c", "2"));
  EXPECT_EQ(queue_.Unrouted(), 1);
  ASSERT_EQ(queue_.Count(), 1U);
  EXPECT_EQ(queue_.Messages()[0].stream, 7U);
}

TEST_F(IntakeTest, TopicThatNoStreamWantsIsCountedAndNotStored) {
  Receive(Message("c/x", "1"));
  EXPECT_EQ(queue_.Unrouted(), 1);
  EXPECT_EQ(queue_.Count(), 0U);
  EXPECT_EQ(intake_.Stats().unrouted, 1U);
  EXPECT_EQ(intake_.Stats().received, 1U);
}

TEST_F(IntakeTest, UnroutedTopicsAreShownAFewOfThemAndOnce) {
  for (int i = 0; i < 20; ++i) {
    Receive(Message("c/" + std::to_string(i % 7), "x"));
  }
  const Oddities oddities = intake_.TakeOddities();
  EXPECT_EQ(oddities.unrouted.messages, 20U);
  EXPECT_THAT(oddities.unrouted.topics, testing::ElementsAre("c/0", "c/1", "c/2", "c/3", "c/4"));
  EXPECT_EQ(oddities.unrouted_but_for_dots, 0U);
  EXPECT_EQ(intake_.TakeOddities().unrouted.messages, 0U);
}

// RabbitMQ does that to topics that pass through it.
TEST_F(IntakeTest, UnroutedTopicsThatDifferInDotsAndSlashesAloneAreCounted) {
  SetRoutes({RouteTo(1, {"plant.7/{device}/t"})});
  Receive(Message("plant/7/17/t", "x"));
  Receive(Message("plant.7.17.t", "x"));
  Receive(Message("plant/8/17/t", "x"));
  Receive(Message("plant.7/17/t", "x"));
  const Oddities oddities = intake_.TakeOddities();
  EXPECT_EQ(oddities.unrouted.messages, 3U);
  EXPECT_EQ(oddities.unrouted_but_for_dots, 2U);
}

TEST_F(IntakeTest, WhatIsPublishedWithoutAcknowledgementIsCountedByStream) {
  Arrival arrival = Message("b/1", "x");
  arrival.qos = 0;
  Receive(arrival);
  Receive(Message("a/1", "x"));
  const Oddities oddities = intake_.TakeOddities();
  ASSERT_EQ(oddities.qos0.size(), 1U);
  EXPECT_EQ(oddities.qos0.begin()->first, 2U);
  EXPECT_EQ(oddities.qos0.begin()->second.messages, 1U);
  EXPECT_THAT(oddities.qos0.begin()->second.topics, testing::ElementsAre("b/1"));
}

TEST_F(IntakeTest, TopicAtTheLimitIsStoredAndOneByteMoreIsDropped) {
  const std::string topic = "a/" + std::string(62, 't');
  Receive(Message(topic, "1"));
  Receive(Message(topic + "t", "2"));
  EXPECT_EQ(queue_.Count(), 1U);
  EXPECT_EQ(queue_.Dropped(), (std::map<std::string, int>{{"1 topic_too_long", 1}}));
}

TEST_F(IntakeTest, TopicsThatMqttForbidsAreDropped) {
  Receive(Message(std::string_view("a/\0", 3), "1"));
  Receive(Message("a/\xC3", "2"));
  Receive(Message("\xC3", "3"));
  Receive(Message("", "4"));
  EXPECT_EQ(queue_.Count(), 0U);
  EXPECT_EQ(queue_.Dropped(), (std::map<std::string, int>{{"1 topic_invalid", 2}}));
  EXPECT_EQ(queue_.Unrouted(), 2);
}

TEST_F(IntakeTest, PayloadAtTheLimitIsStored) {
  Receive(Message("a/x", std::string(10'000, 'p')));
  EXPECT_EQ(queue_.Count(), 1U);
  EXPECT_TRUE(queue_.QuarantinedMessages().empty());
}

TEST_F(IntakeTest, PayloadOverTheLimitGoesToQuarantineWithItsBeginning) {
  const std::string payload = std::string(4'096, 'p') + std::string(5'905, 'q');
  Receive(Message("a/x", payload));
  EXPECT_EQ(queue_.Count(), 0U);
  const auto kept = queue_.QuarantinedMessages();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].message.payload, std::string(4'096, 'p'));
  EXPECT_EQ(kept[0].message.stream, 1U);
  EXPECT_EQ(kept[0].message.received_at, clock_.Wall());
  EXPECT_EQ(kept[0].reason, "too_large");
  EXPECT_THAT(kept[0].detail, HasSubstr("\"a/x\""));
  EXPECT_THAT(kept[0].detail, HasSubstr("10001 bytes"));
  EXPECT_THAT(kept[0].detail, HasSubstr("10000"));
  EXPECT_EQ(intake_.Stats().too_large, 1U);
}

TEST_F(IntakeTest, QuarantineKeepsNoMoreThanTheLimitItself) {
  limits_.max_payload_bytes = 3;
  SetRoutes({RouteTo(1, {"a/#"})});
  Receive(Message("a/x", "1234"));
  EXPECT_EQ(queue_.QuarantinedMessages().at(0).message.payload, "1234");
}

TEST_F(IntakeTest, RetainedRepeatIsDroppedUntilThePayloadChanges) {
  Receive(Retained("a/x", "on"));
  Receive(Retained("a/x", "on"));
  Receive(Retained("a/y", "on"));
  Receive(Retained("a/x", "off"));
  Receive(Retained("a/x", "on"));
  EXPECT_EQ(queue_.Count(), 4U);
  EXPECT_EQ(queue_.Dropped(), (std::map<std::string, int>{{"1 retained_repeat", 1}}));
  EXPECT_TRUE(queue_.Messages().at(0).retained);
}

TEST_F(IntakeTest, LiveRepeatsAreAllStored) {
  Receive(Retained("a/x", "on"));
  Receive(Message("a/x", "on"));
  Receive(Message("a/x", "on"));
  EXPECT_EQ(queue_.Count(), 3U);
}

TEST_F(IntakeTest, RetainedMessageThatWasNotStoredIsNoRepeat) {
  queue_.Stop();
  EXPECT_FALSE(intake_.OnMessage(Retained("a/x", "on")));
  queue_.Resume();
  Receive(Retained("a/x", "on"));
  EXPECT_EQ(queue_.Count(), 1U);
  EXPECT_TRUE(queue_.Dropped().empty());
}

TEST_F(IntakeTest, RetainedMessageThatAFullQueueDroppedIsNoRepeat) {
  queue_.DropArrivals(true);
  Receive(Retained("a/x", "on"));
  queue_.DropArrivals(false);
  Receive(Retained("a/x", "on"));
  EXPECT_EQ(queue_.Count(), 1U);
  EXPECT_TRUE(queue_.Dropped().empty());
}

TEST_F(IntakeTest, RetainedPolicyIgnoreDropsThemAll) {
  SetRoutes({RouteTo(1, {"a/#"}, RetainedPolicy::kIgnore)});
  Receive(Retained("a/x", "on"));
  Receive(Retained("a/x", ""));
  Receive(Message("a/x", "on"));
  EXPECT_EQ(queue_.Count(), 1U);
  EXPECT_EQ(queue_.Dropped(), (std::map<std::string, int>{{"1 retained_ignored", 2}}));
}

TEST_F(IntakeTest, EmptyRetainedMessageIsAClearAndForgetsTheTopic) {
  Receive(Retained("a/x", "on"));
  Receive(Retained("a/x", ""));
  Receive(Retained("a/x", "on"));
  Receive(Message("a/x", ""));
  EXPECT_EQ(queue_.Count(), 3U);
  EXPECT_EQ(queue_.Dropped(), (std::map<std::string, int>{{"1 retained_cleared", 1}}));
}

TEST_F(IntakeTest, OnlyTheLastTenThousandRetainedTopicsAreRemembered) {
  for (int i = 0; i < 10'001; ++i) {
    Receive(Retained("a/" + std::to_string(i), "on"));
  }
  Receive(Retained("a/10000", "on"));  // the newest: known
  Receive(Retained("a/1", "on"));      // the oldest that is still known
  Receive(Retained("a/0", "on"));      // forgotten
  EXPECT_EQ(queue_.Count(), 10'002U);
  EXPECT_EQ(queue_.Dropped(), (std::map<std::string, int>{{"1 retained_repeat", 2}}));
}

TEST_F(IntakeTest, PropertiesAreBoundedInNumber) {
  Arrival arrival = Message("a/x", "1");
  for (int i = 0; i < 32; ++i) {
    arrival.user_properties.emplace_back("n" + std::to_string(i), "v");
  }
  Receive(arrival);
  EXPECT_EQ(queue_.Messages().at(0).user_properties.size(), 32U);
  EXPECT_EQ(intake_.Stats().properties_truncated, 0U);
  arrival.user_properties.emplace_back("one", "more");
  Receive(arrival);
  EXPECT_EQ(queue_.Messages().at(1).user_properties.size(), 32U);
  EXPECT_EQ(intake_.Stats().properties_truncated, 1U);
}

TEST_F(IntakeTest, PropertiesAreBoundedInSizeTogetherWithTheContentType) {
  const std::string type(96, 't');
  Arrival arrival = Message("a/x", "1");
  arrival.content_type = type;
  arrival.user_properties = {{std::string(1'000, 'n'), std::string(3'000, 'v')}};
  Receive(arrival);
  EXPECT_EQ(queue_.Messages().at(0).user_properties.size(), 1U);
  EXPECT_EQ(intake_.Stats().properties_truncated, 0U);
  arrival.user_properties.emplace_back("x", "");
  Receive(arrival);
  EXPECT_EQ(queue_.Messages().at(1).user_properties.size(), 1U);
  EXPECT_EQ(queue_.Messages().at(1).content_type, type);
  const std::string long_type(4'097, 't');
  arrival.content_type = long_type;
  arrival.user_properties.clear();
  Receive(arrival);
  EXPECT_EQ(queue_.Messages().at(2).content_type, "");
  EXPECT_EQ(intake_.Stats().properties_truncated, 2U);
}

TEST_F(IntakeTest, FailureOfTheQueueIsReturned) {
  queue_.Stop();
  const Status stored = intake_.OnMessage(Message("a/x", "1"));
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(stored.error().message, HasSubstr("message not stored: queue stopped"));
  EXPECT_FALSE(intake_.OnMessage(Message("a/x", std::string(10'001, 'p'))));
}

TEST_F(IntakeTest, ReturnsOnlyWhenTheMessageIsSafe) {
  queue_.Hold(true);
  std::optional<Status> result;
  std::thread thread([&] { result = intake_.OnMessage(Message("a/x", "1")); });
  EXPECT_TRUE(queue_.WaitForBlocked());
  EXPECT_EQ(queue_.Count(), 0U);
  queue_.Hold(false);
  thread.join();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(*result);
  EXPECT_EQ(queue_.Count(), 1U);
}

TEST_F(IntakeTest, TapSeesStoredMessagesWhileItIsSet) {
  std::vector<std::string> seen;
  Receive(Message("a/x", "before"));
  intake_.SetTap(std::make_shared<const Intake::Tap>([&](Lane lane, Sequence sequence, const RawMessage& message) {
    seen.push_back(std::string(Name(lane)) + " " + std::to_string(sequence) + " " + message.payload);
  }));
  Receive(Message("a/x", "during"));
  Receive(Message("nobody", "wants this"));
  intake_.SetTap(nullptr);
  Receive(Message("a/x", "after"));
  EXPECT_EQ(seen, (std::vector<std::string>{"normal 2 during"}));
}

TEST_F(IntakeTest, DeviceOverItsRateGoesIntoLaneBulkUntilItKeptItAWhile) {
  Route route = RouteTo(1, {"site/{device}/+"});
  route.device_rate = {2, 60s, false};
  SetRoutes({route});
  for (int i = 0; i < 3; ++i) {
    Receive(Message("site/17/t", "noisy"));
  }
  Receive(Message("site/18/t", "quiet"));
  clock_.Advance(59s);
  Receive(Message("site/17/other", "still"));
  clock_.Advance(1s);
  Receive(Message("site/17/t", "again"));
  EXPECT_THAT(queue_.Lanes(),
              testing::ElementsAre(std::nullopt, std::nullopt, Lane::kBulk, std::nullopt, Lane::kBulk, std::nullopt));
  const std::vector<NoisyDevice> noisy = intake_.TakeNoisy();
  ASSERT_EQ(noisy.size(), 1U);
  EXPECT_EQ(noisy[0].device, "17");
  EXPECT_EQ(noisy[0].messages, 1U);
}

TEST_F(IntakeTest, DeviceOverARateThatDropsIsCountedAndNotStored) {
  Route route = RouteTo(1, {"state/pump"});  // no device in it: the topic is one
  route.device_rate = {2, 60s, true};
  SetRoutes({route});
  for (int i = 0; i < 5; ++i) {
    Receive(Message("state/pump", std::to_string(i)));
  }
  EXPECT_EQ(queue_.Count(), 2U);
  EXPECT_EQ(queue_.Dropped(), (std::map<std::string, int>{{"1 device_rate", 3}}));
  const std::vector<NoisyDevice> noisy = intake_.TakeNoisy();
  ASSERT_EQ(noisy.size(), 1U);
  EXPECT_EQ(noisy[0].device, "state/pump");
  EXPECT_EQ(noisy[0].dropped, 3U);
}

TEST_F(IntakeTest, StatsCountByKind) {
  Arrival qos0 = Message("a/x", "1");
  qos0.qos = 0;
  Receive(qos0);
  Arrival again = Message("a/x", "2");
  again.redelivered = true;
  clock_.Advance(std::chrono::seconds(5));
  Receive(again);
  const IntakeStats stats = intake_.Stats();
  EXPECT_EQ(stats.received, 2U);
  EXPECT_EQ(stats.qos0, 1U);
  EXPECT_EQ(stats.redelivered, 1U);
  EXPECT_EQ(stats.last_at, clock_.Wall());
}

TEST_F(IntakeTest, RoutesAndTapMayChangeWhileMessagesArrive) {
  queue_.CountOnly();
  std::thread receiver([this] {
    for (int i = 0; i < 5'000; ++i) {
      Receive(Message("a/x", "1"));
    }
  });
  for (int i = 0; i < 200; ++i) {
    SetRoutes({RouteTo(1, {i % 2 == 0 ? "a/#" : "#"})});
    intake_.SetTap(i % 2 == 0 ? std::make_shared<const Intake::Tap>([](Lane, Sequence, const RawMessage&) {})
                              : nullptr);
    static_cast<void>(intake_.Stats());
  }
  receiver.join();
  EXPECT_EQ(queue_.Count(), 5'000U);
}

}  // namespace
}  // namespace packhorse::ingest
