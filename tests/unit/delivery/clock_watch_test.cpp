#include "delivery/clock_watch.h"

#include <gmock/gmock.h>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const WallTime kStart{90s};
const WallTime kTrue{std::chrono::microseconds(1'795'172'531'500'000)};  // 2026-11-20T11:02:11.500000Z

class ClockWatchTest : public DeliveryTest {
 protected:
  ClockWatchTest() {
    queue_.reset();
    clock_.Reboot("boot-2", kStart);
    Restart();
    watch_ = std::make_unique<ClockWatch>(*queue_, events_, clock_);
  }
  void Synchronize() {
    clock_.SetWall(kTrue);
    clock_.SetSynchronized(true);
    watch_->Look();
  }
  // Newest first, with those that were a moment only.
  std::vector<health::Event> Told(const std::string& name) const {
    std::vector<health::Event> told;
    for (const health::Event& event : events_.Recent()) {
      if (event.name == name) {
        told.push_back(event);
      }
    }
    return told;
  }

  std::unique_ptr<ClockWatch> watch_;
};

TEST_F(ClockWatchTest, NothingIsSentBeforeTheFirstSyncAndThenWithCorrectedStampsInEveryRetry) {
  Append(R"({"a":1})");
  clock_.Advance(30s);
  watch_->Look();
  EXPECT_FALSE(SendsNow());
  destination_->Flush();
  EXPECT_FALSE(SendsNow());
  Synchronize();
  const FakeUploader::Sent first = Next();
  EXPECT_THAT(first.body, HasSubstr(R"("server_received_at":"2026-11-20T11:01:41.500000Z",)"
                                    R"("server_received_at_raw":"1970-01-01T00:01:30.000000Z",)"
                                    R"("gateway_clock":"recovered")"));
  first.done(Reply(503));
  clock_.StepWall(-1h);
  clock_.Advance(10s);
  watch_->Look();
  const FakeUploader::Sent second = Next();
  EXPECT_EQ(second.body, first.body);
  Accept(second);
  EXPECT_TRUE(Settled(1));
}

TEST_F(ClockWatchTest, HalvedBatchCarriesTheSameStamps) {
  Append(R"({"a":1})");
  Append(R"({"a":2})");
  clock_.Advance(30s);
  Synchronize();
  Next().done(Reply(413));
  clock_.StepWall(48h);
  clock_.Advance(5s);
  watch_->Look();
  const FakeUploader::Sent half = Next();
  EXPECT_THAT(half.body, HasSubstr(R"("server_received_at":"2026-11-20T11:01:41.500000Z")"));
  EXPECT_THAT(half.body, HasSubstr(R"("gateway_clock":"recovered")"));
}

TEST_F(ClockWatchTest, WithoutASyncTheyGoOutMarkedOnceTheMachineHasRunForTheLimit) {
  Append(R"({"a":1})");
  watch_->Look();
  EXPECT_FALSE(SendsNow());
  EXPECT_TRUE(Told("clock_unsynchronized").empty());
  clock_.Advance(120s);
  watch_->Look();
  const FakeUploader::Sent sent = Next();
  EXPECT_THAT(sent.body, HasSubstr(R"("server_received_at":"1970-01-01T00:01:30.000000Z","gateway_clock":"unsync)"));
  ASSERT_EQ(Told("clock_unsynchronized").size(), 1U);
  EXPECT_FALSE(Told("clock_unsynchronized")[0].resolved_at);
  watch_->Look();
  EXPECT_EQ(Told("clock_unsynchronized")[0].count, 1U);
  Synchronize();
  EXPECT_TRUE(Told("clock_unsynchronized")[0].resolved_at);
}

TEST_F(ClockWatchTest, FirstSyncIsToldOnceWithByHowMuchTheClockWasWrong) {
  clock_.Advance(30s);
  watch_->Look();
  Synchronize();
  clock_.Advance(1s);
  watch_->Look();
  ASSERT_EQ(Told("clock_learnt").size(), 1U);
  EXPECT_THAT(Told("clock_learnt")[0].message, HasSubstr("forward by 20777 d"));
  EXPECT_TRUE(Told("clock_stepped").empty());
  EXPECT_EQ(queue_->ClockOfBoot().state, queue::BootClock::State::kLearnt);
}

TEST_F(ClockWatchTest, ClockThatIsSetIsToldAndOneThatIsSteeredIsNot) {
  Synchronize();
  clock_.StepWall(900ms);
  watch_->Look();
  EXPECT_TRUE(Told("clock_stepped").empty());
  clock_.StepWall(-90s);
  watch_->Look();
  ASSERT_EQ(Told("clock_stepped").size(), 1U);
  EXPECT_THAT(Told("clock_stepped")[0].message, HasSubstr("back by 90.0 s"));
  clock_.Advance(1h);
  watch_->Look();
  clock_.StepWall(2h);
  watch_->Look();
  ASSERT_EQ(Told("clock_stepped").size(), 1U) << "open for a day";
  EXPECT_EQ(Told("clock_stepped")[0].count, 2U);
  EXPECT_THAT(Told("clock_stepped")[0].message, HasSubstr("forward by 7200 s"));
}

TEST_F(ClockWatchTest, WallClockThatStepsNeitherDelaysNorHurriesARetry) {
  for (const auto step : {-24h * 365, 24h * 365}) {
    Synchronize();
    Append(R"({"a":1})");
    const FakeUploader::Sent sent = Next();
    sent.done(Reply(503));
    clock_.StepWall(step);
    EXPECT_FALSE(SendsNow());
    clock_.Advance(10s);
    const FakeUploader::Sent again = Next();
    EXPECT_EQ(again.body, sent.body);
    Accept(again);
    clock_.Advance(60s);
  }
  EXPECT_TRUE(Settled(2));
}

}  // namespace
}  // namespace packhorse::delivery
