// What brokers promised, over restarts of either side: sessions, subscriptions, keep-alive.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "bridge.h"
#include "support/mosquitto.h"
#include "support/scripted_broker.h"
#include "support/temp_dir.h"

namespace packhorse::ingest {
namespace {

using namespace std::chrono_literals;
using test::Bridge;
using test::Mosquitto;
using test::MosquittoOptions;
using test::Publish;
using test::ScriptedBroker;
using test::SourceOptionsFor;
using test::WaitFor;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Remembered : public testing::Test {
 protected:
  // As after a restart of the process: only the file is left.
  SourceOptions Options(const std::string& url, std::vector<std::string> filters = {"a/#"}) {
    sessions_ = std::make_shared<Sessions>(dir_ / "sessions", "", SystemClock());
    SourceOptions options = SourceOptionsFor({url});
    options.filters = std::move(filters);
    options.sessions = sessions_;
    return options;
  }

  test::TempDir dir_;
  std::shared_ptr<Sessions> sessions_;
};

TEST_F(Remembered, ASessionThatTheBrokerForgotWhileWeWereAwayIsLost) {
  Mosquitto broker;
  {
    Bridge bridge(Options(broker.url()));
    ASSERT_TRUE(bridge.WaitConnected());
    EXPECT_EQ(bridge.status().session_lost, 0U);
  }
  ASSERT_TRUE(Publish(broker, {"a/x", "kept by the broker in memory alone"}));
  broker.Restart();
  Bridge bridge(Options(broker.url()));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.status().session_lost, 1U);
  ASSERT_EQ(sessions_->Untold().size(), 1U);
  EXPECT_EQ(sessions_->Untold()[0].source, "plant");
  EXPECT_LE(sessions_->Untold()[0].from, sessions_->Untold()[0].to);
}

TEST_F(Remembered, ASessionThatTheBrokerKeptIsNotLost) {
  const Mosquitto broker;
  for (int i = 0; i < 2; ++i) {
    Bridge bridge(Options(broker.url()));
    ASSERT_TRUE(bridge.WaitConnected());
    EXPECT_EQ(bridge.status().session_present, i > 0);
    EXPECT_EQ(bridge.status().session_lost, 0U);
  }
  EXPECT_THAT(sessions_->Untold(), IsEmpty());
}

TEST_F(Remembered, TopicsOfAnEarlierConfigurationAreUnsubscribed) {
  const Mosquitto broker;
  {
    Bridge bridge(Options(broker.url(), {"a/#", "b/#"}));
    ASSERT_TRUE(bridge.WaitConnected());
  }
  Bridge bridge(Options(broker.url()));
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_TRUE(
      WaitFor([&] { return broker.Log().find("Received UNSUBSCRIBE from packhorse-test") != std::string::npos; }));
  ASSERT_TRUE(WaitFor([&] { return sessions_->List().at(0).filters.size() == 1; }));
  ASSERT_TRUE(Publish(broker, {"b/x", "1"}));
  ASSERT_TRUE(Publish(broker, {"a/x", "2"}));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  EXPECT_EQ(bridge.queue().Unrouted(), 0);
}

TEST_F(Remembered, WhatAnOldSessionHoldsIsTakenAndTheSessionIsEnded) {
  const Mosquitto broker;
  {
    Bridge bridge(Options(broker.url()));
    ASSERT_TRUE(bridge.WaitConnected());
  }
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(Publish(broker, {"a/x", std::to_string(i)}));
  }
  SourceOptions options = Options(broker.url(), {});
  options.drain = true;
  options.drain_quiet = 500ms;
  {
    Bridge bridge(options);
    ASSERT_TRUE(WaitFor([&] { return bridge.source().Stopped(); }));
    EXPECT_TRUE(bridge.status().ended);
    EXPECT_EQ(bridge.queue().Count(), 50U);
  }
  EXPECT_THAT(sessions_->List(), IsEmpty());
  Bridge bridge(Options(broker.url()));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_FALSE(bridge.status().session_present);
  EXPECT_EQ(bridge.status().session_lost, 0U);  // we ended it ourselves
}

TEST_F(Remembered, AnOldSessionWhoseBrokerIsGoneIsGivenUpInTheEnd) {
  SourceOptions options = Options("mqtt://127.0.0.1:" + std::to_string(test::FreePort()), {});
  options.drain = true;
  options.drain_for = 300ms;
  Bridge bridge(options);
  ASSERT_TRUE(WaitFor([&] { return bridge.source().Stopped(); }));
  EXPECT_TRUE(bridge.status().gave_up);
  EXPECT_FALSE(bridge.status().ended);
  EXPECT_THAT(bridge.status().reason, HasSubstr("Connection refused"));
}

TEST_F(Remembered, AShorterKeepAliveOfTheBrokerIsObeyedAndRemembered) {
  ScriptedBroker broker;
  broker.SetServerKeepAlive(10);
  SourceOptions options = Options(broker.url());
  options.keep_alive = 60s;
  {
    Bridge bridge(options);
    ASSERT_TRUE(bridge.WaitConnected());
    ASSERT_EQ(broker.Hellos().size(), 2U);
    EXPECT_EQ(broker.Hellos()[0].keep_alive, 30);
    EXPECT_EQ(broker.Hellos()[1].keep_alive, 5);
  }
  options.sessions = std::make_shared<Sessions>(dir_ / "sessions", "", SystemClock());
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_EQ(broker.Hellos().size(), 3U);
  EXPECT_EQ(broker.Hellos()[2].keep_alive, 5);
}

TEST_F(Remembered, AFilterAtWhichTheBrokerClosesIsFoundAndTheOthersGoOn) {
  for (const std::string protocol : {"5", "3.1.1"}) {
    ScriptedBroker broker;
    broker.SetForbidden("secret");
    SourceOptions options = Options(broker.url(), {"a/#", "secret/#", "b/#"});
    options.protocol = protocol;
    Bridge bridge(options);
    ASSERT_TRUE(WaitFor([&] { return bridge.status().state == SourceState::kConnected; })) << protocol;
    EXPECT_THAT(bridge.status().refused_filters, ElementsAre("secret/#"));
    EXPECT_THAT(bridge.status().reason,
                HasSubstr("subscription \"secret/#\" refused: the broker closes the connection when it is asked for"));
    EXPECT_THAT(broker.Subscribed(), Contains("b/#"));
    broker.Send({1, "one"});
    EXPECT_TRUE(bridge.queue().WaitForCount(1));
  }
}

TEST_F(Remembered, AnExpiryBelowWhatWasGrantedBeforeIsAReason) {
  ScriptedBroker broker;
  broker.SetSessionExpiry(86'400);
  {
    Bridge bridge(Options(broker.url()));
    ASSERT_TRUE(bridge.WaitConnected());
    EXPECT_EQ(bridge.status().short_expiry, 86'400s);
    EXPECT_THAT(bridge.status().reasons, IsEmpty());
  }
  broker.SetSessionExpiry(3'600);
  broker.SetSessionPresent(true);
  Bridge bridge(Options(broker.url()));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_THAT(bridge.status().reasons, ElementsAre(HasSubstr("keeps our session only for 1h")));
}

TEST_F(Remembered, QosZeroAloneIsAReasonAndNamesTheTopic) {
  ScriptedBroker broker;
  broker.SetGranted(0);
  Bridge bridge(Options(broker.url()));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_THAT(bridge.status().qos0_filters, ElementsAre("a/#"));
  EXPECT_THAT(bridge.status().reasons,
              ElementsAre(HasSubstr("grants only QoS 0, so that messages can be lost, for a/#")));
}

TEST_F(Remembered, ConnectionsThatDoNotLastAreAReasonUntilOneDoes) {
  ScriptedBroker broker;
  broker.SetSessionPresent(true);
  SourceOptions options = Options(broker.url());
  options.settled_after = 1'500ms;
  Bridge bridge(options);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(bridge.WaitConnected(static_cast<std::uint64_t>(i)));
    ASSERT_TRUE(broker.WaitForSubscriptions(i));
    EXPECT_THAT(bridge.status().reasons, IsEmpty());
    broker.Cut();
    ASSERT_TRUE(WaitFor([&] { return bridge.status().state != SourceState::kConnected; }));
  }
  ASSERT_TRUE(bridge.WaitConnected(4));
  EXPECT_THAT(bridge.status().reasons, ElementsAre(HasSubstr("does another client use the client id")));
  EXPECT_TRUE(WaitFor([&] { return bridge.status().reasons.empty(); }));
  EXPECT_EQ(bridge.status().connects, 4U);
}

TEST_F(Remembered, TheReasonFollowsACauseThatChangesWhileTheSourceIsDown) {
  MosquittoOptions options;
  options.users = {{"bridge", "right"}};
  Mosquitto broker(options);
  SourceOptions source = Options(broker.url());
  source.username = "bridge";
  source.password = [] { return Result<std::string>(std::string("wrong")); };
  Bridge bridge(source);
  ASSERT_TRUE(bridge.WaitDown("not authorized"));
  EXPECT_THAT(std::string(AdviceFor(bridge.status())), HasSubstr("username and password"));
  broker.Stop();
  ASSERT_TRUE(WaitFor([&] { return bridge.status().reason.find("Connection refused") != std::string::npos; }));
  EXPECT_THAT(std::string(AdviceFor(bridge.status())), HasSubstr("is the broker up"));
}

}  // namespace
}  // namespace packhorse::ingest
