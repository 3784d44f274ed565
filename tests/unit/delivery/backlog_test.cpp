#include <gtest/gtest.h>

#include "delivery/drain_rate.h"
#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

bool Contains(const FakeUploader::Sent& sent, const std::string& part) {
  return sent.body.find(part) != std::string::npos;
}

class BacklogTest : public DeliveryTest {
 protected:
  void Fill(const std::string& name, int messages) {
    for (int i = 0; i < messages; ++i) {
      Append("{\"" + name + "\":1}");
    }
  }

  // The cloud is away for ten minutes; the first batch after them is accepted.
  void Outage() {
    Next().done(Broken(upload::Transport::kConnect));
    clock_.Advance(10min);
    Accept(Next());
    SendsNow();  // the cut comes before what is new
  }
};

TEST_F(BacklogTest, FreshMessageIsSentBesideTheBacklogAfterAnOutage) {
  max_records_ = 1;
  live_first_ = true;
  Restart();
  Fill("old", 30);
  Outage();
  Fill("fresh", 10);
  std::string order;
  int flagged = 0;
  for (int i = 0; i < 39; ++i) {
    const FakeUploader::Sent sent = Next();
    const bool fresh = Contains(sent, "\"fresh\"");
    order += fresh ? 'f' : 'o';
    flagged += Contains(sent, "\"backfilled\"") ? 1 : 0;
    EXPECT_FALSE(fresh && Contains(sent, "\"backfilled\""));
    if (i == 20) {
      const DestinationStatus status = destination_->Snapshot(clock_.Mono());
      EXPECT_GT(status.backlog, 0U);
      EXPECT_TRUE(status.backlog_eta);
    }
    Accept(sent);
    clock_.Advance(1s);
  }
  EXPECT_LT(order.find('f'), 6U) << order;
  EXPECT_NE(order.substr(0, order.rfind('f')).find("of"), std::string::npos) << order;
  EXPECT_LT(order.rfind('f'), 30U) << order;
  EXPECT_GE(flagged, 27) << order;  // the others were prepared before the outage
  EXPECT_TRUE(Settled(40));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).backlog, 0U);
}

TEST_F(BacklogTest, OrderOfArrivalStaysWhereLiveFirstIsNotAskedFor) {
  max_records_ = 1;
  Restart();
  Fill("old", 10);
  Outage();
  Fill("fresh", 3);
  EXPECT_GE(destination_->Snapshot(clock_.Mono()).backlog, 9U);
  std::string order;
  for (int i = 0; i < 12; ++i) {
    const FakeUploader::Sent sent = Next();
    order += Contains(sent, "\"fresh\"") ? 'f' : Contains(sent, "\"backfilled\"") ? 'o' : '-';
    Accept(sent);
    clock_.Advance(1s);
  }
  EXPECT_EQ(order.substr(2), "ooooooofff") << order;
}

TEST_F(BacklogTest, PartsOfABatchCarryTheFlagThatItHad) {
  for (const bool late : {false, true}) {
    Rebuild();  // forgets what a 413 taught it
    Fill("a", 2);
    if (late) {
      clock_.Advance(10min);
    }
    const FakeUploader::Sent whole = Next();
    EXPECT_EQ(Contains(whole, "\"backfilled\""), late);
    clock_.Advance(10min);
    whole.done(Reply(413));
    for (int part = 0; part < 2; ++part) {
      const FakeUploader::Sent sent = Next();
      EXPECT_EQ(Contains(sent, "\"backfilled\""), late);
      Accept(sent);
    }
    EXPECT_TRUE(Settled(late ? 4 : 2));
  }
}

TEST(DrainRateTest, TimeLeftFollowsTheLastMinuteAndIsUnknownWithoutIt) {
  DrainRate rate;
  const MonoTime start{1'000s};
  EXPECT_FALSE(rate.Eta(100, start));
  for (int i = 0; i <= 20; ++i) {
    rate.Record(10, start + i * 1s);
  }
  EXPECT_EQ(rate.Eta(2'100, start + 20s), 200s);
  EXPECT_EQ(rate.Eta(0, start + 20s), 0s);
  EXPECT_FALSE(rate.Eta(100, start + 81s));
}

}  // namespace
}  // namespace packhorse::delivery
