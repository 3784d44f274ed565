#include <gtest/gtest.h>

#include <map>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class LanesTest : public DeliveryTest {
 protected:
  LanesTest() {
    queue_streams_ = {{"telemetry", Lane::kNormal, {"cloud"}},
                      {"alarms", Lane::kUrgent, {"cloud"}},
                      {"logs", Lane::kBulk, {"cloud"}}};
    max_records_ = 1;
  }

  static std::string LaneOf(const FakeUploader::Sent& sent) {
    for (const char* lane : {"urgent", "normal", "bulk"}) {
      if (sent.body.find("\"lane\":\"" + std::string(lane) + "\"") != std::string::npos) {
        return lane;
      }
    }
    return "";
  }

  void Fill(const std::string& stream, int messages) {
    for (int i = 0; i < messages; ++i) {
      Append(R"({"a":1})", stream);
    }
  }

  // Batches sent per lane with one request per second, each accepted at once.
  std::map<std::string, int> SendFor(int seconds) {
    std::map<std::string, int> counts;
    for (int i = 0; i < seconds; ++i) {
      const FakeUploader::Sent sent = Next();
      ++counts[LaneOf(sent)];
      order_ += LaneOf(sent).substr(0, 1);
      Accept(sent);
      LetAllLinesGetReady();
      clock_.Advance(1'001ms);
    }
    return counts;
  }

  // Batches are prepared in the store's thread.
  void LetAllLinesGetReady() {
    Turn([&] {
      for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
        const queue::PendingStats waiting = queue_->Waiting("cloud", lane);
        if (waiting.messages > 0 && waiting.prepared_messages < 2) {
          return false;
        }
      }
      return true;
    });
  }

  std::string order_;
};

TEST_F(LanesTest, SharesHoldWhileTheRateLimitIsShort) {
  limits_ = {{limit::Window::Unit::kRequests, 1, 1s}};
  Restart();
  Fill("alarms", 60);
  Fill("telemetry", 60);
  Fill("logs", 60);
  LetAllLinesGetReady();
  const std::map<std::string, int> counts = SendFor(50);
  EXPECT_EQ(counts.at("urgent"), 40) << order_;
  EXPECT_EQ(counts.at("normal"), 8) << order_;
  EXPECT_EQ(counts.at("bulk"), 2) << order_;
  EXPECT_EQ(order_.substr(0, 10), "uuuunuuuun");
}

TEST_F(LanesTest, UrgentMessageWaitsForAtMostOneBatchOfABacklog) {
  limits_ = {{limit::Window::Unit::kRequests, 1, 1s}};
  Restart();
  Fill("telemetry", 40);
  Fill("logs", 40);
  LetAllLinesGetReady();
  SendFor(7);
  for (int i = 0; i < 5; ++i) {
    Append(R"({"alarm":1})", "alarms");
    LetAllLinesGetReady();
    order_.clear();
    SendFor(3);
    EXPECT_LE(order_.find('u'), 1U) << order_;
  }
}

TEST_F(LanesTest, BulkProgressesBesideSaturatedNormalLane) {
  limits_ = {{limit::Window::Unit::kRequests, 1, 1s}};
  Restart();
  Fill("telemetry", 60);
  Fill("logs", 60);
  LetAllLinesGetReady();
  const std::map<std::string, int> counts = SendFor(25);
  EXPECT_EQ(counts.at("normal"), 20) << order_;
  EXPECT_EQ(counts.at("bulk"), 5) << order_;
}

TEST_F(LanesTest, WithoutALimitLanesDoNotWaitForEachOther) {
  Restart();
  Hear();
  Fill("alarms", 1);
  Fill("telemetry", 1);
  Fill("logs", 1);
  EXPECT_TRUE(Turn([&] { return uploader_.sent.size() == 3; }));
}

}  // namespace
}  // namespace packhorse::delivery
