#include "monitor/noisy_devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app_fixture.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NoisyDevicesTest : public AppTest {
 protected:
  void MayEachSend(std::uint64_t messages, config::DeviceRate::Over over) {
    app_->config.streams[0].device_rate = config::DeviceRate{messages, 60s, over};
    app_->sources->units()[0]->intake->SetRoutes(*app_->sources->RoutesOf(app_->config, "plant"),
                                                 {.max_payload_bytes = 1'000, .max_topic_bytes = 100});
  }
  void Arrive(const std::string& device, int count) {
    const std::string topic = "site/a/dev/" + device + "/telemetry";
    for (int i = 0; i < count; ++i) {
      ingest::Arrival arrival;
      arrival.topic = topic;
      arrival.payload = "{}";
      arrival.qos = 1;
      ASSERT_TRUE(app_->sources->units()[0]->intake->OnMessage(arrival));
    }
  }
  void LookAfter(std::chrono::seconds time) {
    clock_.Advance(time);
    for (const ingest::NoisyDevice& noisy : app_->sources->units()[0]->intake->TakeNoisy()) {
      noisy_.Note(app_->queue->StreamName(noisy.stream), noisy, clock_.Mono());
    }
    noisy_.EndQuiet(clock_.Mono());
    gaps_.Store(clock_.Mono(), false);
  }
  std::vector<std::string> Open() {
    std::vector<std::string> open;
    for (const health::Event& event : app_->events.Open()) {
      open.push_back(event.name + ":" + event.subject);
    }
    return open;
  }

  monitor::Gaps gaps_ = MakeGaps();
  monitor::NoisyDevices noisy_{app_->events, clock_, app_->config, gaps_};
};

TEST_F(NoisyDevicesTest, ADeviceOverItsRateIsOneEventThatCountsAndEndsAfterAQuietMinute) {
  MayEachSend(3, config::DeviceRate::Over::kBulk);
  Arrive("17", 5);
  Arrive("18", 3);
  LookAfter(1s);
  Arrive("17", 1);
  LookAfter(1s);
  ASSERT_THAT(Open(), ElementsAre("device_noisy:telemetry/17"));
  EXPECT_EQ(app_->events.Open().front().message,
            "device '17' of stream 'telemetry': 3 messages over its rate of 3 in 1m so far, sent in lane bulk");
  LookAfter(59s);
  EXPECT_THAT(Open(), ElementsAre("device_noisy:telemetry/17"));
  LookAfter(1s);
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_EQ(app_->queue->ReadLedger()->Total().pending, 9U);
}

TEST_F(NoisyDevicesTest, WhatIsDroppedIsCountedAndTheCloudIsTold) {
  MayEachSend(3, config::DeviceRate::Over::kDrop);
  Arrive("17", 5);
  LookAfter(1s);
  EXPECT_THAT(app_->events.Open().front().message, HasSubstr("2 of them dropped"));
  LookAfter(10s);
  const Result<queue::Pending> pending = app_->queue->Peek("cloud", Lane::kUrgent, 10, 1U << 20U);
  ASSERT_TRUE(pending);
  ASSERT_EQ(pending->messages.size(), 1U);
  EXPECT_EQ(pending->messages[0].message.payload,
            R"({"messages":2,"outcome":"dropped","reason":"device_rate","lane":"normal"})");
  const Result<queue::Ledger> ledger = app_->queue->ReadLedger();
  EXPECT_EQ(ledger->Total().dropped, 2U);
  EXPECT_TRUE(ledger->Balanced());
}

TEST_F(NoisyDevicesTest, MoreDevicesThanHaveAnEventOfTheirOwnShareOne) {
  MayEachSend(1, config::DeviceRate::Over::kBulk);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 75; ++i) {
      Arrive(std::to_string(round * 75 + i), 2);
    }
    LookAfter(1s);
  }
  const std::vector<std::string> open = Open();
  EXPECT_EQ(open.size(), monitor::NoisyDevices::kMaxDevices + 1);
  EXPECT_THAT(open, testing::Contains("device_noisy:telemetry"));
}

}  // namespace
}  // namespace packhorse::daemon
