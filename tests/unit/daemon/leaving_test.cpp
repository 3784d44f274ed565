
#include "bridge/leaving.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "app_fixture.h"
#include "bridge/old_sessions.h"
#include "packhorsed/loop.h"
#include "support/mosquitto.h"
#include "support/mqtt_client.h"

// Sources that are replaced or removed while they are storing a message.

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

class LeavingTest : public AppTest {
 protected:
  LeavingTest() {
    configuration_ = json::parse(test::ReadAll(file_));
    configuration_["sources"][0]["urls"] = {broker_.url()};
    Stop();
    Write();
    Start();
    auto wait = [this](Lane, Sequence, const RawMessage&) {
      ++storing_;
      while (held_) {
        std::this_thread::sleep_for(1ms);
      }
    };
    app_->sources->SetTap(std::make_shared<const ingest::Intake::Tap>(wait));
  }
  ~LeavingTest() override {
    held_ = false;
    for (const auto& unit : app_->sources->units()) {
      Leave(*unit, clock_);
    }
    EXPECT_TRUE(
        Becomes([this] { return !app_->sources->units()[0]->source && app_->sources->leaving().empty(); }, true));
  }

  void Write() const { test::WriteAll(file_, configuration_.dump()); }
  // Turns the loop would make, until then.
  template <typename Holds>
  bool Becomes(Holds holds, bool off = false) {
    return test::WaitFor([&] {
      bridge::FollowSources(*app_->sources, off, clock_.Mono());
      return holds();
    });
  }
  bool Connected() const {
    return bridge::StatusOf(*app_->sources->units()[0]).state == ingest::SourceState::kConnected;
  }
  bool Publish() {
    return test::MqttClient(broker_.port()).Publish(test::MqttMessage{"site/a/dev/17/telemetry", "{}"});
  }
  // The receive thread has a message that the intake does not get done with.
  void HoldAMessage() {
    ASSERT_TRUE(Becomes([this] { return Connected(); }));
    held_ = true;
    ASSERT_TRUE(Publish());
    ASSERT_TRUE(test::WaitFor([this] { return storing_ > 0; }));
  }
  // The configuration as it is now; in no time, whatever the sources are doing.
  std::vector<std::string> Reload() {
    Write();
    bridge::ReloadReport report;
    const auto begin = std::chrono::steady_clock::now();
    bridge::Reloader(BridgeOf(*app_), file_, LoadConfiguration)
        .Begin([&report](const bridge::ReloadReport& done) { report = done; }, clock_.Mono());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
    EXPECT_TRUE(report.applied);
    return report.changes;
  }

  test::Mosquitto broker_;
  json configuration_;
  std::atomic<bool> held_{false};
  std::atomic<int> storing_{0};
};

TEST_F(LeavingTest, ASourceThatIsReplacedWhileItStoresIsFollowedOnceTheMessageIsStored) {
  HoldAMessage();
  configuration_["sources"][0]["keep_alive"] = "7s";
  EXPECT_THAT(Reload(), testing::Contains("source 'plant' changed: connecting anew"));
  for (int turn = 0; turn < 10; ++turn) {
    bridge::FollowSources(*app_->sources, false, clock_.Mono());
    ASSERT_TRUE(app_->sources->units()[0]->leaving);
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(bridge::StatusOf(*app_->sources->units()[0]).state, ingest::SourceState::kConnecting);
  EXPECT_THAT(bridge::StatusOf(*app_->sources->units()[0]).reason, HasSubstr("has to end first"));
  EXPECT_EQ(storing_, 1);
  held_ = false;
  ASSERT_TRUE(Becomes([this] { return Connected() && !app_->sources->units()[0]->leaving; }));
  EXPECT_THAT(broker_.Log(), HasSubstr("Received DISCONNECT from packhorse-test"));
  ASSERT_TRUE(Publish());
  EXPECT_TRUE(test::WaitFor([this] { return storing_ == 2; })) << "ingest goes on";
  EXPECT_EQ(app_->queue->Snapshot().messages, 2U);
}

TEST_F(LeavingTest, ASourceOfAnotherNameWithTheSameClientIdWaitsUntilTheFormerHasLeft) {
  HoldAMessage();
  configuration_["sources"][0]["name"] = "works";
  configuration_["streams"][0]["source"] = "works";
  Reload();
  bridge::FollowSources(*app_->sources, false, clock_.Mono());
  EXPECT_EQ(app_->sources->leaving().size(), 1U);
  EXPECT_TRUE(bridge::IsLeaving(*app_->sources, "packhorse-test"));
  EXPECT_FALSE(app_->sources->units()[0]->source);
  held_ = false;
  ASSERT_TRUE(Becomes([this] { return Connected(); }));
  EXPECT_THAT(app_->sources->leaving(), IsEmpty());
  ASSERT_TRUE(Publish());
  EXPECT_TRUE(test::WaitFor([this] { return storing_ == 2; }));
}

TEST_F(LeavingTest, ASessionThatIsEmptiedAndThenWantedAgainLeavesFirst) {
  HoldAMessage();
  app_->sources->old_sessions().push_back(std::move(app_->sources->units()[0]));
  app_->sources->units().erase(app_->sources->units().begin());
  Reload();
  ASSERT_EQ(app_->sources->leaving().size(), 1U);
  EXPECT_THAT(app_->sources->old_sessions(), IsEmpty());
  bridge::FollowSources(*app_->sources, false, clock_.Mono());
  EXPECT_FALSE(app_->sources->units()[0]->source);
  held_ = false;
  EXPECT_TRUE(Becomes([this] { return Connected(); }));
}

TEST_F(LeavingTest, ASourceThatIsHeldOffItsBrokerIsStartedOnceThatIsOver) {
  ASSERT_TRUE(Becomes([this] { return Connected(); }));
  Leave(*app_->sources->units()[0], clock_);
  ASSERT_TRUE(Becomes([this] { return !app_->sources->units()[0]->source; }, true));
  bridge::FollowSources(*app_->sources, true, clock_.Mono());
  EXPECT_FALSE(app_->sources->units()[0]->source);
  EXPECT_TRUE(Becomes([this] { return Connected(); }));
}

// A process that can receive nothing any more ends, so that it is started again. In a process of its own.
class ReceivesNothingDeathTest : public AppTest {};

TEST_F(ReceivesNothingDeathTest, AMessageThatCannotBeStoredEndsTheDaemonSoThatItIsStartedAgain) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const test::Mosquitto broker;
        Stop();
        running_clock_ = &SystemClock();
        Start();
        app_->config.sources[0].urls = {broker.url()};
        app_->sources->units()[0]->config.urls = {broker.url()};
        auto fail = [](Lane, Sequence, const RawMessage&) { throw std::bad_alloc(); };
        app_->sources->units()[0]->intake->SetTap(std::make_shared<const ingest::Intake::Tap>(fail));
        Notifier notifier("", std::nullopt);
        Loop loop(*app_, notifier, *BlockSignals());
        EXPECT_TRUE(loop.Start());
        std::thread publish([&] {
          EXPECT_TRUE(test::WaitFor(
              [&] { return broker.Log().find("Received SUBSCRIBE from packhorse-test") != std::string::npos; }));
          EXPECT_TRUE(test::MqttClient(broker.port()).Publish(test::MqttMessage{"site/a/dev/17/telemetry", "{}"}));
        });
        const int code = loop.Run();
        publish.join();
        const bool silent = broker.Log().find("Received PUBACK from packhorse-test") == std::string::npos;
        _exit(silent && !HasFailure() ? code : 1);
      },
      testing::ExitedWithCode(70), "");
}

}  // namespace
}  // namespace packhorse::daemon
