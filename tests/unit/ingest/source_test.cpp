#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bridge.h"
#include "support/mosquitto.h"
#include "support/mqtt_client.h"

// What a source does with the messages of a real broker.

namespace packhorse::ingest {
namespace {

using test::Bridge;
using test::FakeQueue;
using test::Mosquitto;
using test::MosquittoOptions;
using test::MqttClient;
using test::MqttMessage;
using test::Publish;
using test::SourceOptionsFor;
using test::WaitFor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Source, MessagesArriveWithTopicPayloadAndQos) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.status().protocol, "5");
  EXPECT_EQ(bridge.status().url, broker.url());
  EXPECT_EQ(bridge.status().reason, "");
  MqttMessage message{"a/b", std::string("\0\x01\xFF bytes", 9)};
  message.user_properties = {{"trace", "1"}, {"trace", "2"}};
  message.content_type = "application/octet-stream";
  ASSERT_TRUE(Publish(broker, message));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  const RawMessage stored = bridge.queue().Messages().at(0);
  EXPECT_EQ(stored.topic, "a/b");
  EXPECT_EQ(stored.payload, message.payload);
  EXPECT_EQ(stored.qos, 1);
  EXPECT_FALSE(stored.retained);
  EXPECT_FALSE(stored.redelivered);
  EXPECT_EQ(stored.content_type, message.content_type);
  EXPECT_EQ(stored.user_properties, message.user_properties);
  EXPECT_LT(std::chrono::abs(SystemClock().Wall() - stored.received_at), std::chrono::seconds(10));
}

TEST(Source, EmptyAndQosZeroMessagesArrive) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_TRUE(Publish(broker, {"a/empty", ""}));
  ASSERT_TRUE(Publish(broker, {"a/zero", "x", 0}));
  ASSERT_TRUE(bridge.queue().WaitForCount(2));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("", "x"));
  EXPECT_EQ(bridge.intake().Stats().qos0, 1U);
}

TEST(Source, ThousandsOfMessagesArriveOnceAndInOrder) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  std::vector<MqttMessage> messages;
  std::vector<std::string> payloads;
  for (int i = 0; i < 20'000; ++i) {
    payloads.push_back(std::to_string(i));
    messages.push_back({"a/" + std::to_string(i % 100), payloads.back()});
  }
  MqttClient client(broker.port());
  constexpr std::chrono::minutes kOnABusyMachine{3};
  ASSERT_EQ(client.Publish(messages, kOnABusyMachine), messages.size());
  ASSERT_TRUE(bridge.queue().WaitForCount(messages.size(), kOnABusyMachine));
  EXPECT_EQ(bridge.Payloads(), payloads);
}

TEST(Source, NothingIsAcknowledgedBeforeItIsStored) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  bridge.queue().Hold(true);
  ASSERT_TRUE(Publish(broker, {"a/x", "1"}));
  ASSERT_TRUE(bridge.queue().WaitForBlocked());
  EXPECT_TRUE(WaitFor([&] { return broker.Log().find("Sending PUBLISH to packhorse-test") != std::string::npos; }));
  ASSERT_TRUE(Publish(broker, {"other", "so that the broker has turned round since"}));
  EXPECT_THAT(broker.Log(), Not(HasSubstr("Received PUBACK from packhorse-test")));
  bridge.queue().Hold(false);
  EXPECT_TRUE(WaitFor([&] { return broker.Log().find("Received PUBACK from packhorse-test") != std::string::npos; }));
  EXPECT_EQ(bridge.queue().Count(), 1U);
}

TEST(Source, WhatWasNotAcknowledgedComesAgainAndIsMarked) {
  MosquittoOptions options;
  options.persistence = true;
  Mosquitto broker(options);
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  bridge.queue().Hold(true);
  ASSERT_TRUE(Publish(broker, {"a/x", "1"}));
  ASSERT_TRUE(bridge.queue().WaitForBlocked());
  broker.Restart();
  bridge.queue().Hold(false);
  ASSERT_TRUE(bridge.WaitConnected(2));
  ASSERT_TRUE(bridge.queue().WaitForCount(2));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("1", "1"));
  EXPECT_FALSE(bridge.queue().Messages().at(0).redelivered);
  EXPECT_TRUE(bridge.queue().Messages().at(1).redelivered);
  EXPECT_TRUE(bridge.status().session_present);
  EXPECT_EQ(bridge.intake().Stats().redelivered, 1U);
}

TEST(Source, PayloadOverTheLimitIsQuarantinedAndAcknowledged) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}), Limits{.max_payload_bytes = 100'000, .max_topic_bytes = 1024});
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_TRUE(Publish(broker, {"a/big", std::string(100'001, 'x')}));
  ASSERT_TRUE(bridge.queue().WaitFor([](const FakeQueue& queue) { return queue.quarantined_count() == 1; }));
  EXPECT_EQ(bridge.queue().QuarantinedMessages().at(0).message.payload.size(), 4'096U);
  EXPECT_TRUE(WaitFor([&] { return broker.Log().find("Received PUBACK from packhorse-test") != std::string::npos; }));
}

TEST(Source, LargePayloadsArriveWhole) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}), Limits{.max_payload_bytes = 10'000'000, .max_topic_bytes = 1024});
  ASSERT_TRUE(bridge.WaitConnected());
  const std::string payload(5'000'000, 'x');
  ASSERT_TRUE(Publish(broker, {"a/big", payload}));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  EXPECT_EQ(bridge.Payloads().at(0).size(), payload.size());
}

TEST(Source, PacketOverTheAnnouncedMaximumIsKeptBackByTheBroker) {
  const Mosquitto broker;
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.max_packet_bytes = 1'000;
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_TRUE(Publish(broker, {"a/big", std::string(1'000, 'x')}));
  ASSERT_TRUE(Publish(broker, {"a/small", "x"}));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("x"));
}

TEST(Source, BrokerKeepsWithinTheReceiveMaximum) {
  const Mosquitto broker;
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.receive_maximum = 3;
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitConnected());
  bridge.queue().Hold(true);
  MqttClient client(broker.port());
  ASSERT_EQ(client.Publish(std::vector<MqttMessage>(10, MqttMessage{"a/x", "1"})), 10U);
  ASSERT_TRUE(bridge.queue().WaitForBlocked());
  const std::string log = broker.Log();
  int sent = 0;
  for (std::size_t at = 0; (at = log.find("Sending PUBLISH to packhorse-test", at)) != std::string::npos; ++at) {
    ++sent;
  }
  EXPECT_EQ(sent, 3);
  bridge.queue().Hold(false);
  EXPECT_TRUE(bridge.queue().WaitForCount(10));
}

TEST(Source, RetainedMessageComesOnceWithMqtt5EvenAfterAReconnect) {
  MosquittoOptions broker_options;
  broker_options.persistence = true;
  Mosquitto broker(broker_options);
  ASSERT_TRUE(Publish(broker, {"a/state", "on", 1, true}));
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  EXPECT_TRUE(bridge.queue().Messages().at(0).retained);
  ASSERT_TRUE(broker.WaitForAcknowledgements(1));
  broker.Restart();
  ASSERT_TRUE(bridge.WaitConnected(2));
  ASSERT_TRUE(Publish(broker, {"a/x", "live"}));
  ASSERT_TRUE(bridge.queue().WaitForCount(2));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("on", "live"));
  EXPECT_TRUE(bridge.queue().Dropped().empty());
}

TEST(Source, RetainedMessagesCanBeLeftAtTheBroker) {
  const Mosquitto broker;
  ASSERT_TRUE(Publish(broker, {"a/state", "on", 1, true}));
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.retained_on_subscribe = false;
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_TRUE(Publish(broker, {"a/x", "live"}));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("live"));
}

TEST(Source, RetainedRepeatsOf311AreDropped) {
  MosquittoOptions broker_options;
  broker_options.persistence = true;
  Mosquitto broker(broker_options);
  ASSERT_TRUE(Publish(broker, {"a/state", "on", 1, true}));
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.protocol = "3.1.1";
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.status().protocol, "3.1.1");
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  ASSERT_TRUE(broker.WaitForAcknowledgements(1));
  broker.Restart();
  ASSERT_TRUE(bridge.WaitConnected(2));
  EXPECT_TRUE(bridge.status().session_present);
  MqttMessage live{"a/x", "live"};
  live.user_properties = {{"lost", "with 3.1.1"}};
  ASSERT_TRUE(Publish(broker, live));
  ASSERT_TRUE(bridge.queue().WaitForCount(2));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("on", "live"));
  EXPECT_EQ(bridge.queue().Dropped(), (std::map<std::string, int>{{"1 retained_repeat", 1}}));
  EXPECT_TRUE(bridge.queue().Messages().at(1).user_properties.empty());
}

TEST(Source, FilterOfAnEarlierConfigurationIsCountedAsUnrouted) {
  const Mosquitto broker;
  {
    SourceOptions options = SourceOptionsFor({broker.url()});
    options.filters = {"a/#", "b/#"};
    Bridge bridge(options);
    ASSERT_TRUE(bridge.WaitConnected());
  }
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_TRUE(bridge.status().session_present);
  EXPECT_EQ(bridge.status().session_lost, 0U);
  ASSERT_TRUE(Publish(broker, {"b/x", "1"}));
  ASSERT_TRUE(bridge.queue().WaitFor([](const FakeQueue& queue) { return queue.unrouted_count() == 1; }));
  EXPECT_TRUE(WaitFor([&] { return broker.Log().find("Received PUBACK from packhorse-test") != std::string::npos; }));
  EXPECT_EQ(bridge.queue().Count(), 0U);
}

TEST(Source, WhatWasPublishedWhileStoppedArrivesAtTheNextStart) {
  const Mosquitto broker;
  {
    Bridge bridge(SourceOptionsFor({broker.url()}));
    ASSERT_TRUE(bridge.WaitConnected());
    bridge.source().Stop(std::chrono::seconds(5));
    EXPECT_EQ(bridge.status().state, SourceState::kDown);
    EXPECT_EQ(bridge.status().reason, "stopped");
    EXPECT_TRUE(
        WaitFor([&] { return broker.Log().find("Received DISCONNECT from packhorse-test") != std::string::npos; }));
  }
  ASSERT_TRUE(Publish(broker, {"a/x", "meanwhile"}));
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("meanwhile"));
}

TEST(Source, StopReturnsInTimeWhileTheQueueBlocksAndTheMessageIsStoredAfterAll) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  bridge.queue().Hold(true);
  ASSERT_TRUE(Publish(broker, {"a/x", "1"}));
  ASSERT_TRUE(bridge.queue().WaitForBlocked());
  const auto start = std::chrono::steady_clock::now();
  bridge.source().Stop(std::chrono::milliseconds(300));
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took, std::chrono::seconds(2));
  const int changes = bridge.changes();
  bridge.queue().Hold(false);
  EXPECT_TRUE(bridge.queue().WaitForCount(1));
  EXPECT_TRUE(
      WaitFor([&] { return broker.Log().find("Received DISCONNECT from packhorse-test") != std::string::npos; }));
  EXPECT_EQ(bridge.changes(), changes);  // the owner is not called any more
}

TEST(Source, StopThatNobodyWaitsForIsDoneOnceTheWaitingMessageIsStoredAndAcknowledged) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_FALSE(bridge.source().Stopped());
  bridge.queue().Hold(true);
  ASSERT_TRUE(Publish(broker, {"a/x", "1"}));
  ASSERT_TRUE(bridge.queue().WaitForBlocked());
  bridge.source().BeginStop();
  EXPECT_FALSE(bridge.source().Stopped());
  bridge.queue().Hold(false);
  EXPECT_TRUE(WaitFor([&] { return bridge.source().Stopped(); }));
  EXPECT_EQ(bridge.queue().Count(), 1U);
  EXPECT_TRUE(
      WaitFor([&] { return broker.Log().find("Received DISCONNECT from packhorse-test") != std::string::npos; }));
  EXPECT_NE(broker.Log().find("Received PUBACK from packhorse-test"), std::string::npos);
}

// The process may not go on receiving after this, so it happens in one of its own.
TEST(SourceDeathTest, MessageThatCouldNotBeStoredIsNeverAcknowledged) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const Mosquitto broker;
        auto* bridge = new Bridge(SourceOptionsFor({broker.url()}));
        const bool connected = bridge->WaitConnected();
        bridge->queue().Stop();
        const bool published = Publish(broker, {"a/x", "1"});
        const bool down = bridge->WaitDown("queue stopped");
        const auto start = std::chrono::steady_clock::now();
        bridge->source().Stop(std::chrono::milliseconds(300));
        const bool in_time = std::chrono::steady_clock::now() - start < std::chrono::seconds(2);
        static_cast<void>(Publish(broker, {"other", "so that the broker has turned round since"}));
        const bool silent = broker.Log().find("Received PUBACK from packhorse-test") == std::string::npos &&
                            broker.Log().find("Received DISCONNECT from packhorse-test") == std::string::npos;
        _exit(connected && published && down && in_time && silent ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace packhorse::ingest
