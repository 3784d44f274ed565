// What a source makes of a broker's session, end to end from the packet to the queue's file: every message that is
// acknowledged is in the queue, and nothing gets stuck.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bridge.h"
#include "queue/queue.h"
#include "support/scripted_broker.h"
#include "support/temp_dir.h"

namespace packhorse::ingest {
namespace {

using test::ScriptedBroker;
using test::SourceOptionsFor;
using test::WaitFor;
using testing::ElementsAre;
using Reply = ScriptedBroker::Reply;

constexpr int kPuback = ScriptedBroker::kPuback;

// A source that stores in a real queue.
class Gateway {
 public:
  explicit Gateway(const ScriptedBroker& broker, const std::string& protocol, Limits limits = {},
                   std::uint32_t max_packet_bytes = 0) {
    queue::Options options;
    options.path = dir_ / "queue.db";
    options.runtime_dir = dir_ / "run";
    options.streams = {{"telemetry", Lane::kNormal, {"cloud"}}};
    options.destinations = {"cloud"};
    queue_ = *queue::Open(options, SystemClock());
    intake_.emplace(std::vector<Route>{test::RouteOf(*queue_->Stream("telemetry"), {"a/#"})}, limits, *queue_,
                    SystemClock());
    SourceOptions source = SourceOptionsFor({broker.url()});
    source.protocol = protocol;
    source.max_packet_bytes = max_packet_bytes;
    source_ = *MakeSource(std::move(source), *intake_, SystemClock(), nullptr);
    EXPECT_TRUE(source_->Start());
  }
  ~Gateway() {
    source_->Stop(std::chrono::seconds(5));
    queue_->Stop();
  }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  bool Connected(std::uint64_t times) {
    return WaitFor([&] {
      const SourceStatus status = source_->Snapshot();
      return status.state == SourceState::kConnected && status.connects >= times;
    });
  }
  SourceStatus status() const { return source_->Snapshot(); }
  queue::Queue& queue() { return *queue_; }
  // Payloads in the queue, with "+" where the broker said that it sent it before.
  std::vector<std::string> Stored() {
    std::vector<std::string> stored;
    const Result<queue::Pending> pending = queue_->Peek("cloud", Lane::kNormal, 100'000, 1ULL << 30U);
    for (const queue::StoredMessage& each : pending->messages) {
      stored.push_back(each.message.payload + (each.message.redelivered ? "+" : ""));
    }
    return stored;
  }

 private:
  test::TempDir dir_;
  std::unique_ptr<queue::Queue> queue_;
  std::optional<Intake> intake_;
  std::unique_ptr<Source> source_;
};

class Session : public ::testing::TestWithParam<std::string> {
 protected:
  void Reconnect(Gateway& gateway, std::uint64_t connects, bool session_present) {
    broker_.SetSessionPresent(session_present);
    broker_.Cut();
    ASSERT_TRUE(gateway.Connected(connects));
    ASSERT_TRUE(broker_.WaitForSubscriptions(static_cast<int>(connects)));
  }
  ScriptedBroker broker_;
};

TEST_P(Session, ALostOneIsCountedAndWhatTheBrokerSendsAgainIsStoredAgain) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  broker_.Send({1, "one"});
  ASSERT_TRUE(broker_.WaitForReplies(1));
  Reconnect(gateway, 2, false);
  EXPECT_EQ(gateway.status().session_lost, 1U);
  broker_.Send({1, "one"});
  ASSERT_TRUE(broker_.WaitForReplies(2));
  EXPECT_THAT(broker_.Replies(), ElementsAre(Reply{kPuback, 1}, Reply{kPuback, 1}));
  EXPECT_THAT(gateway.Stored(), ElementsAre("one", "one"));
}

TEST_P(Session, RedeliveryIsStoredAndAcknowledgedWithAndWithoutTheFlag) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  broker_.Send({1, "one"});
  broker_.Send({2, "two"});
  ASSERT_TRUE(broker_.WaitForReplies(2));
  Reconnect(gateway, 2, true);
  broker_.Send({1, "one", true});
  broker_.Send({2, "two", false});
  ASSERT_TRUE(broker_.WaitForReplies(4));
  EXPECT_THAT(gateway.Stored(), ElementsAre("one", "two", "one+", "two"));
  EXPECT_EQ(gateway.status().session_lost, 0U);
}

TEST_P(Session, RenumberedPacketsAreAcknowledgedUnderTheirNewNumbers) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  for (std::uint16_t id = 1; id <= 3; ++id) {
    broker_.Send({id, std::to_string(id)});
  }
  Reconnect(gateway, 2, true);  // whatever came in until then
  const std::size_t before = broker_.Replies().size();
  const std::size_t stored = gateway.Stored().size();
  EXPECT_LE(before, stored);
  broker_.Send({60'001, "1", true});
  broker_.Send({7, "2", true});
  broker_.Send({1, "3", true});
  ASSERT_TRUE(broker_.WaitForReplies(before + 3));
  std::vector<Reply> replies = broker_.Replies();
  replies.erase(replies.begin(), replies.begin() + static_cast<std::ptrdiff_t>(before));
  EXPECT_THAT(replies, ElementsAre(Reply{kPuback, 60'001}, Reply{kPuback, 7}, Reply{kPuback, 1}));
  EXPECT_EQ(gateway.Stored().size(), stored + 3);
}

TEST_P(Session, APacketSentAgainOnTheSameConnectionIsAcknowledgedEachTime) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  broker_.Send({5, "late"});
  broker_.Send({5, "late", true});
  broker_.Send({6, "next"});
  ASSERT_TRUE(broker_.WaitForReplies(3));
  EXPECT_THAT(broker_.Replies(), ElementsAre(Reply{kPuback, 5}, Reply{kPuback, 5}, Reply{kPuback, 6}));
  EXPECT_THAT(gateway.Stored(), ElementsAre("late", "late+", "next"));
}

TEST_P(Session, ABrokerThatWaitsForAcknowledgementsIsNeverLeftWaiting) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  constexpr std::size_t kMessages = 500;
  constexpr std::size_t kInFlight = 3;
  std::vector<std::string> sent;
  while (sent.size() < kMessages) {
    ASSERT_TRUE(broker_.WaitForReplies(sent.size() < kInFlight ? 0 : sent.size() - kInFlight + 1));
    const auto id = static_cast<std::uint16_t>(1 + sent.size() % kInFlight);
    sent.push_back(std::to_string(sent.size()));
    broker_.Send({id, sent.back()});
  }
  ASSERT_TRUE(broker_.WaitForReplies(kMessages));
  EXPECT_EQ(gateway.Stored(), sent);
}

TEST_P(Session, OversizePacketsAreAccountedForAndAcknowledgedAndTheNextOneArrives) {
  Gateway gateway(broker_, GetParam(), Limits{.max_payload_bytes = 1'000, .max_topic_bytes = 20}, 5'000);
  ASSERT_TRUE(gateway.Connected(1));
  broker_.Send({1, std::string(2'000, 'x')});                         // within the packet's limit, not the payload's
  broker_.Send({2, std::string(200'000, 'x')});                       // over the announced maximum
  broker_.Send({3, "x", false, 1, "a/" + std::string(30'000, 't')});  // likewise its topic
  broker_.Send({4, "small"});
  ASSERT_TRUE(broker_.WaitFor([](const auto& replies) { return !replies.empty() && replies.back().id == 4; }));
  EXPECT_THAT(broker_.Replies(),
              ElementsAre(Reply{kPuback, 1}, Reply{kPuback, 2}, Reply{kPuback, 3}, Reply{kPuback, 4}));
  EXPECT_THAT(gateway.Stored(), ElementsAre("small"));
  EXPECT_EQ(gateway.queue().Quarantined(10, 0)->size(), 2U);
  const queue::LedgerRow ledger = gateway.queue().ReadLedger()->Total();
  EXPECT_EQ(ledger.received, 4U);
  EXPECT_EQ(ledger.dropped, 1U);
}

TEST_P(Session, WhatNobodyWantsAnyMoreIsAcknowledgedAndCounted) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  broker_.Send({1, "of an earlier subscription", false, 1, "b/x"});
  broker_.Send({2, "wanted"});
  ASSERT_TRUE(broker_.WaitForReplies(2));
  EXPECT_THAT(gateway.Stored(), ElementsAre("wanted"));
  EXPECT_EQ(gateway.queue().ReadLedger()->unrouted, 1U);
}

TEST_P(Session, QosTwoIsStoredOnceAndItsHandshakeEnds) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  broker_.Send({9, "exactly", false, 2});
  broker_.Send({10, "next"});
  ASSERT_TRUE(broker_.WaitForReplies(3));
  EXPECT_TRUE(WaitFor([&] { return gateway.Stored().size() == 2; }));
  EXPECT_THAT(gateway.Stored(), testing::UnorderedElementsAre("exactly", "next"));
  EXPECT_THAT(broker_.Replies(), testing::UnorderedElementsAre(Reply{ScriptedBroker::kPubrec, 9},
                                                               Reply{ScriptedBroker::kPubcomp, 9}, Reply{kPuback, 10}));
}

// We never ask for QoS 2; such a message comes only of a subscription that an earlier client left under our id.
TEST_P(Session, QosTwoWhoseConnectionIsCutBeforeTheReleaseIsStoredOnceAndEndsItsHandshake) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  broker_.SetRelease(false);
  broker_.Send({9, "exactly", false, 2});
  ASSERT_TRUE(broker_.WaitForReplies(1));
  if (GetParam() == "5") {
    EXPECT_TRUE(WaitFor([&] { return gateway.Stored().size() == 1; }));
  }
  Reconnect(gateway, 2, true);
  broker_.SendPubrel(9);
  broker_.Send({10, "next"});
  ASSERT_TRUE(broker_.WaitForReplies(3));
  EXPECT_THAT(broker_.Replies(), testing::UnorderedElementsAre(Reply{ScriptedBroker::kPubrec, 9},
                                                               Reply{ScriptedBroker::kPubcomp, 9}, Reply{kPuback, 10}));
  EXPECT_TRUE(WaitFor([&] { return gateway.Stored().size() == 2; }));
  EXPECT_THAT(gateway.Stored(), testing::UnorderedElementsAre("exactly", "next"));
}

TEST_P(Session, QosTwoOfASessionThatTheBrokerForgotIsNotRemembered) {
  Gateway gateway(broker_, GetParam());
  ASSERT_TRUE(gateway.Connected(1));
  broker_.SetRelease(false);
  broker_.Send({9, "forgotten by the broker", false, 2});
  ASSERT_TRUE(broker_.WaitForReplies(1));
  Reconnect(gateway, 2, false);
  Reconnect(gateway, 3, true);
  broker_.SetRelease(true);
  broker_.Send({9, "another", false, 2});
  ASSERT_TRUE(broker_.WaitForReplies(3));
  EXPECT_TRUE(WaitFor([&] {
    const std::vector<std::string> stored = gateway.Stored();
    return std::count(stored.begin(), stored.end(), "another") == 1;
  }));
}

// The process died twice while it was connected: what it may have died of is looked for without the library.
TEST(PassOver, AMessageThatIsTooLargeIsCountedAndAcknowledgedAndWhatIsBehindItArrives) {
  ScriptedBroker broker;
  broker.SetSessionPresent(true);
  const test::TempDir dir;
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.protocol = "3.1.1";
  BrokerSession session;
  session.client_id = options.client_id;
  session.url = broker.url();
  for (int death = 0; death < 2; ++death) {
    Sessions(dir / "sessions", "", SystemClock()).Connected(session, true);
  }
  options.sessions = std::make_shared<Sessions>(dir / "sessions", "", SystemClock());
  test::Bridge bridge(options, Limits{.max_payload_bytes = 1'000'000, .max_topic_bytes = 100});
  ASSERT_TRUE(WaitFor([&] { return broker.Hellos().size() == 1; }));
  broker.SendTo(0, {1, "small"});
  broker.SendTo(0, {2, std::string(20'000'000, 'x'), true});
  broker.SendTo(0, {3, "behind"});
  ASSERT_TRUE(broker.WaitForReplies(1));
  EXPECT_THAT(broker.Replies(), ElementsAre(Reply{kPuback, 2}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.queue().Count(), 0U);  // left with the broker
  const auto quarantined = bridge.queue().QuarantinedMessages();
  ASSERT_EQ(quarantined.size(), 1U);
  EXPECT_EQ(quarantined[0].reason, "too_large");
  EXPECT_EQ(quarantined[0].message.payload.size(), 4'096U);
  EXPECT_TRUE(quarantined[0].message.redelivered);
  EXPECT_THAT(quarantined[0].detail, testing::HasSubstr("the payload has 20000000 bytes"));
  broker.Send({3, "behind", true});
  EXPECT_TRUE(bridge.queue().WaitForCount(1));
}

INSTANTIATE_TEST_SUITE_P(Mqtt, Session, ::testing::Values("5", "3.1.1"),
                         [](const auto& protocol) { return protocol.param == "5" ? "V5" : "V311"; });

}  // namespace
}  // namespace packhorse::ingest
