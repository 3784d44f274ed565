#include "monitor/source_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app_fixture.h"
#include "bridge/old_sessions.h"
#include "bridge/session_access.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SourceEventsTest : public AppTest {
 protected:
  void Arrive(const std::string& topic, int count, std::uint8_t qos = 1) {
    for (int i = 0; i < count; ++i) {
      ingest::Arrival arrival;
      arrival.topic = topic;
      arrival.payload = "{}";
      arrival.qos = qos;
      ASSERT_TRUE(app_->sources->units()[0]->intake->OnMessage(arrival));
    }
  }
  void LookAfter(std::chrono::seconds time) {
    clock_.Advance(time);
    Look(events_);
    app_->events.EndQuiet(clock_.Mono(), clock_.Wall());
  }
  std::vector<std::string> Open() {
    std::vector<std::string> open;
    for (const health::Event& event : app_->events.Open()) {
      open.push_back(event.name + ":" + event.subject);
    }
    return open;
  }
  void LoseTheSession(std::chrono::seconds each_after = 60s) {
    ingest::BrokerSession session;
    session.client_id = "packhorse-test";
    session.url = "mqtt://127.0.0.1:1";
    session.source = "plant";
    for (int i = 0; i < 2; ++i) {
      app_->sessions->Connected(session, false);
      app_->sessions->Subscribed(session.client_id, session.url, {{"a/#", 1}});
      clock_.Advance(each_after);
    }
  }
  std::vector<std::string> GapRecords() {
    std::vector<std::string> payloads;
    const Result<queue::Pending> pending = app_->queue->Peek("cloud", Lane::kUrgent, 100, 1U << 20U);
    for (const queue::StoredMessage& stored : pending->messages) {
      payloads.push_back(stored.message.payload);
    }
    return payloads;
  }

  monitor::SourceEvents MakeEvents(monitor::Gaps& gaps) {
    return {*app_->queue, *app_->sessions, app_->events, clock_, app_->config, gaps};
  }
  void Look(monitor::SourceEvents& events) {
    for (const auto& unit : app_->sources->units()) {
      events.Look(StatusOf(*unit), unit->intake->TakeOddities(), clock_.Mono());
    }
    events.TellClouds(clock_.Mono());
  }

  monitor::Gaps gaps_ = MakeGaps();
  monitor::SourceEvents events_ = MakeEvents(gaps_);
};

TEST_F(SourceEventsTest, ManyMessagesThatNoStreamTakesAreAnEventWithSamplesUntilTheyEnd) {
  Arrive("other/1", 9);
  LookAfter(1s);
  EXPECT_THAT(Open(), IsEmpty());
  Arrive("other/2", 3);
  LookAfter(1s);
  ASSERT_THAT(Open(), ElementsAre("messages_unrouted:plant"));
  EXPECT_EQ(app_->events.Open().front().message,
            "12 messages came that no stream takes, and were discarded; topics: 'other/1', 'other/2'");
  LookAfter(599s);
  EXPECT_THAT(Open(), ElementsAre("messages_unrouted:plant"));
  LookAfter(1s);
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(SourceEventsTest, ABrokerThatExchangesDotsAndSlashesIsTheLikelyCause) {
  Arrive("site.a.dev.17.telemetry", 10);
  LookAfter(1s);
  ASSERT_THAT(Open(), ElementsAre("messages_unrouted:plant"));
  EXPECT_THAT(app_->events.Open().front().message, HasSubstr("does the broker exchange the two (RabbitMQ does)?"));
}

TEST_F(SourceEventsTest, DevicesThatPublishWithoutAcknowledgementAreAWarningThatNamesTheStream) {
  Arrive("site/a/dev/17/telemetry", 10, 0);
  LookAfter(1s);
  ASSERT_THAT(Open(), ElementsAre("published_at_qos0:telemetry"));
  EXPECT_EQ(app_->events.Open().front().severity, health::Severity::kP3);
  EXPECT_THAT(app_->events.Open().front().message, HasSubstr("'site/a/dev/17/telemetry'"));
}

TEST_F(SourceEventsTest, BlindTimeIsToldToEachDestinationOfTheSourceOnce) {
  LoseTheSession();
  LookAfter(1s);
  LookAfter(1s);
  EXPECT_THAT(GapRecords(), ElementsAre(R"({"outcome":"not_received","reason":"session_lost","source":"plant",)"
                                        R"("from":"2026-11-20T08:15:31.500000Z","to":"2026-11-20T08:16:31.500000Z"})"));
  EXPECT_THAT(app_->sessions->Untold(), IsEmpty());
}

TEST_F(SourceEventsTest, ADestinationWhoseContractDoesNotKnowBlindTimeIsNotTold) {
  app_->destinations->units()[0].config.contract = "packhorse-ingest@1.0";
  LoseTheSession();
  LookAfter(1s);
  EXPECT_THAT(GapRecords(), IsEmpty());
  EXPECT_THAT(app_->sessions->Untold(), IsEmpty());
}

TEST_F(SourceEventsTest, BlindTimeThatEndsBeforeTheClockIsRightIsToldWithItsEndCorrected) {
  Stop();
  clock_.Reboot("boot-2", WallTime{});
  Start();
  monitor::Gaps gaps = MakeGaps();
  monitor::SourceEvents events = MakeEvents(gaps);
  LoseTheSession(1s);
  Look(events);
  EXPECT_THAT(GapRecords(), IsEmpty());
  clock_.Advance(10s);
  clock_.SetWall(WallTime(std::chrono::seconds(1'795'170'000)));  // 2026-11-20T10:20:00Z
  clock_.SetSynchronized(true);
  ASSERT_TRUE(app_->queue->LearnClock());
  EXPECT_TRUE(test::WaitFor([&] {
    Look(events);
    return app_->sessions->Untold().empty();
  }));
  ASSERT_TRUE(test::WaitFor([&] { return !GapRecords().empty(); }));
  EXPECT_THAT(GapRecords().front(), HasSubstr(R"("to":"2026-11-20T10:19:50.000000Z")"));
}

TEST_F(SourceEventsTest, ASessionIsOldWhenNoSourceHasItsClientIdAtItsBroker) {
  EXPECT_TRUE(bridge::IsConfigured(app_->config, "packhorse-test", "mqtt://127.0.0.1:1"));
  EXPECT_FALSE(bridge::IsConfigured(app_->config, "packhorse-old", "mqtt://127.0.0.1:1"));
  EXPECT_FALSE(bridge::IsConfigured(app_->config, "packhorse-test", "mqtt://127.0.0.1:2"));
}

TEST(SessionAccess, SaysHowTheBrokerIsReachedAndNoSecret) {
  config::Source source;
  source.username = "bridge";
  source.password.kind = config::SecretRef::Kind::kFile;
  source.password.name = "/etc/packhorse/mqtt.password";
  source.password.next = std::make_shared<config::SecretRef>();
  source.password.next->kind = config::SecretRef::Kind::kCredential;
  source.password.next->name = "next";
  source.tls.ca = "/etc/ca.pem";
  source.tls.pins = {"sha256//x"};
  source.protocol = "3.1.1";
  source.keep_alive = 7s;
  const Result<config::Source> read = bridge::SourceOf(bridge::AccessOf(source));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->username, "bridge");
  EXPECT_EQ(read->password.name, "/etc/packhorse/mqtt.password");
  ASSERT_TRUE(read->password.next);
  EXPECT_EQ(read->password.next->name, "next");
  EXPECT_EQ(read->tls.ca, "/etc/ca.pem");
  EXPECT_THAT(read->tls.pins, ElementsAre("sha256//x"));
  EXPECT_EQ(read->protocol, "3.1.1");
  EXPECT_EQ(read->keep_alive, 7s);
  for (const std::string bad : {"", "{}", "[1]", R"({"username":1})"}) {
    EXPECT_FALSE(bridge::SourceOf(bad)) << bad;
  }
}

}  // namespace
}  // namespace packhorse::daemon
