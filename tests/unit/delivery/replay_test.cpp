#include <gmock/gmock.h>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class ReplayTest : public DeliveryTest {
 protected:
  ReplayTest() {
    queue_streams_.front().retain_delivered = 24h;
    Restart();
  }

  // Messages that were delivered an hour ago.
  void Deliver(int count) {
    for (int i = 0; i < count; ++i) {
      Append("{\"old\":" + std::to_string(i) + "}");
    }
    while (Row().delivered < static_cast<std::uint64_t>(count)) {
      const FakeUploader::Sent sent = Next();
      first_ += sent.body;
      Accept(sent);
      queue_->Poll();
    }
    clock_.Advance(1h);
  }

  void Start(std::uint32_t rate) {
    bool started = false;
    queue_->StartReplay({"telemetry", "cloud", clock_.Wall() - 2h, clock_.Wall(), rate},
                        [&](const Result<queue::Replay>& replay) { started = replay.has_value(); });
    ASSERT_TRUE(Turn([&] { return started; }));
  }

  queue::Replay Last() { return queue_->Replays().back(); }

  std::string first_;  // the bodies in which they were delivered
};

TEST_F(ReplayTest, RecordsGoAgainAsTheyWereWithTheFlagAndNoFasterThanTheRate) {
  Deliver(5);
  Start(2);
  int records = 0;
  for (int second = 0; records < 5; ++second) {
    ASSERT_LT(second, 3) << "two a second";
    const FakeUploader::Sent sent = Next();
    EXPECT_THAT(sent.body, HasSubstr("\"replayed\""));
    EXPECT_THAT(sent.body, Not(HasSubstr("\"backfilled\"")));
    for (std::size_t at = sent.body.find("\"record_id\""); at != std::string::npos;
         at = sent.body.find("\"record_id\"", at + 1)) {
      EXPECT_THAT(first_, HasSubstr(sent.body.substr(at, 30)));
      const std::size_t stamp = sent.body.find("\"server_received_at\"", at);
      EXPECT_THAT(first_, HasSubstr(sent.body.substr(stamp, 50)));
      ++records;
    }
    Accept(sent);
    EXPECT_FALSE(SendsNow()) << "before its time";
    clock_.Advance(1s);
  }
  EXPECT_TRUE(Turn([&] { return Last().state == queue::Replay::State::kDone; }));
  EXPECT_EQ(Row().delivered, 5U);
  EXPECT_EQ(Row().replayed, 5U);
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).records_delivered, 5U) << "once each";
}

TEST_F(ReplayTest, LiveDataGoesBeforeAReplay) {
  max_records_ = 1;
  Restart();
  Deliver(3);
  limits_ = {{limit::Window::Unit::kRequests, 1, 1s}};
  Rebuild();
  Start(1'000);
  for (int i = 0; i < 6; ++i) {
    Append("{\"live\":1}");
  }
  std::string order;
  for (int i = 0; i < 9; ++i) {
    const FakeUploader::Sent sent = Next();
    order += sent.body.find("\"replayed\"") == std::string::npos ? 'l' : 'r';
    Accept(sent);
    clock_.Advance(1100ms);
  }
  EXPECT_EQ(order.find("lllll"), order.find('r') == 0 ? 1U : 0U) << order;
  EXPECT_EQ(std::count(order.begin(), order.end(), 'r'), 3) << order;
}

TEST_F(ReplayTest, ARefusedRecordHoldsNobodyAndIsCountedApart) {
  Deliver(3);
  Start(100);
  for (int i = 0; i < 5; ++i) {  // halved until each is alone
    Next().done(Reply(422, "{\"title\":\"known already\"}", "application/problem+json"));
  }
  EXPECT_TRUE(Turn([&] { return Last().state == queue::Replay::State::kDone; }));
  EXPECT_EQ(Last().refused, 3U);
  EXPECT_EQ(Row().delivered, 3U);
  EXPECT_EQ(Row().rejected, 0U);
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kOk);
  EXPECT_EQ(events_.Open().front().name, "replay_refused");
}

TEST_F(ReplayTest, ARestartSendsTheSameBytesAndGoesOn) {
  max_records_ = 2;
  Restart();
  Deliver(5);
  Start(2);
  const FakeUploader::Sent before = Next();
  Restart();
  const FakeUploader::Sent again = Next();
  EXPECT_EQ(again.body, before.body);
  EXPECT_EQ(again.Header("Idempotency-Key"), before.Header("Idempotency-Key"));
  Accept(again);
  for (int i = 0; i < 2; ++i) {
    Accept(Next());
    clock_.Advance(1s);
  }
  EXPECT_TRUE(Turn([&] { return Last().state == queue::Replay::State::kDone; }));
  EXPECT_EQ(Last().delivered, 5U);
}

}  // namespace
}  // namespace packhorse::delivery
