// While a batch is coded and sent, the messages of the next one are being made. What changes until it is its turn
// counts for it all the same.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class LookAhead : public DeliveryTest {
 protected:
  static constexpr int kBatch = 100;

  LookAhead() {
    max_records_ = kBatch;
    Rebuild();
  }

  void AppendSome(int count, const std::string& stream = "telemetry") {
    for (int i = 0; i < count; ++i) {
      Append("{\"n\":" + std::to_string(next_++) + "}", stream);
    }
  }

  // The values of the records of a request, in order.
  static std::vector<int> Values(const FakeUploader::Sent& sent) {
    const std::string key = "\"n\":{\"value\":";
    std::vector<int> values;
    for (std::size_t at = sent.body.find(key); at != std::string::npos; at = sent.body.find(key, at + 1)) {
      values.push_back(std::stoi(sent.body.substr(at + key.size())));
    }
    return values;
  }
  static std::vector<int> From(int first, int count = kBatch) {
    std::vector<int> values;
    for (int i = 0; i < count; ++i) {
      values.push_back(first + i);
    }
    return values;
  }

  // Turns the loop until one batch is on its way and one is ready; the messages of the third are being made.
  void Prepare() {
    EXPECT_TRUE(Turn([&] { return queue_->Waiting("cloud", Lane::kNormal).prepared_messages == 2 * kBatch; }));
    EXPECT_TRUE(SendsNow());
  }

  int next_ = 0;
};

TEST_F(LookAhead, BatchesFollowEachOtherInOrder) {
  AppendSome(8 * kBatch + 7);
  for (int batch = 0; batch < 8; ++batch) {
    const FakeUploader::Sent sent = Next();
    EXPECT_EQ(Values(sent), From(batch * kBatch));
    Accept(sent);
  }
  const FakeUploader::Sent rest = Next();
  EXPECT_EQ(Values(rest), From(8 * kBatch, 7));
  Accept(rest);
  EXPECT_TRUE(Settled(8 * kBatch + 7));
}

TEST_F(LookAhead, StreamsThatChangeAreInForceForTheNextBatch) {
  AppendSome(5 * kBatch);
  Prepare();
  const StreamId stream = *queue_->Stream("telemetry");
  StreamBinding unknown = *streams_.Find(stream);
  unknown.definitions.front().contract = nullptr;
  streams_.Set(stream, unknown);
  for (int batch = 0; batch < 2; ++batch) {  // they were prepared before
    Accept(Next());
  }
  EXPECT_TRUE(Turn([&] { return Row().quarantined == 3 * kBatch; }));
  EXPECT_EQ(Row().delivered, 2U * kBatch);
}

TEST_F(LookAhead, WhatTheLimitsDropMeanwhileIsNotSent) {
  AppendSome(5 * kBatch);
  Prepare();
  queue::Limits limits;
  limits.max_messages = 2 * kBatch + kBatch / 2;
  limits.overflow.fill(Overflow::kDropOldest);
  queue_->SetLimits(limits);
  EXPECT_TRUE(Turn([&] {
    queue_->EnforceLimits(clock_.Mono());
    return Row().dropped > 0;
  }));
  const auto dropped = static_cast<int>(Row().dropped);
  Accept(Next());
  Accept(Next());
  EXPECT_EQ(Values(Next()), From(2 * kBatch + dropped));  // the two batches were prepared before
}

TEST_F(LookAhead, RecordsThatWaitedForLongAreFlaggedAlsoWhereTheyWereMadeBefore) {
  AppendSome(4 * kBatch);
  Prepare();
  const FakeUploader::Sent first = Next();
  EXPECT_THAT(first.body, Not(HasSubstr("backfilled")));
  clock_.Advance(2h);
  Accept(first);
  const FakeUploader::Sent second = Next();
  EXPECT_THAT(second.body, Not(HasSubstr("backfilled"))) << "it was prepared before";
  Accept(second);
  const FakeUploader::Sent third = Next();
  EXPECT_EQ(Values(third), From(2 * kBatch));
  EXPECT_THAT(third.body, HasSubstr("backfilled"));
}

TEST_F(LookAhead, LanesTakeTurnsAndEachKeepsItsOrder) {
  queue_streams_ = {{"telemetry", Lane::kNormal, {"cloud"}}, {"history", Lane::kBulk, {"cloud"}}};
  Restart();
  for (int i = 0; i < 6 * kBatch; ++i) {
    next_ = i;
    AppendSome(1, "telemetry");
    next_ = 10'000 + i;
    AppendSome(1, "history");
  }
  int normal = 0;
  int bulk = 10'000;
  for (int batch = 0; batch < 12; ++batch) {
    const FakeUploader::Sent sent = Next();
    const std::vector<int> values = Values(sent);
    ASSERT_EQ(values.size(), static_cast<std::size_t>(kBatch));
    int& expected = values.front() >= 10'000 ? bulk : normal;
    EXPECT_EQ(values, From(expected));
    expected += kBatch;
    Accept(sent);
  }
  EXPECT_TRUE(Settled(12U * kBatch));
}

TEST_F(LookAhead, RecordsThatFitNoMoreGoIntoTheNextBatchOnce) {
  // So large that a batch is full by bytes long before it has its messages.
  const std::string filler(20'000, 'x');
  for (int i = 0; i < 400; ++i) {
    Append("{\"n\":" + std::to_string(i) + ",\"text\":\"" + filler + "\"}");
  }
  std::vector<int> all;
  while (all.size() < 400 && !HasFailure()) {
    const FakeUploader::Sent sent = Next();
    for (const int value : Values(sent)) {
      all.push_back(value);
    }
    Accept(sent);
  }
  EXPECT_EQ(all, From(0, 400));
}

TEST_F(LookAhead, SmallMessagesBehindLargeOnesFillTheirBatches) {
  max_records_ = 1'000;
  Rebuild();
  const std::string filler(8'000, 'x');
  for (int i = 0; i < 300; ++i) {
    Append("{\"n\":" + std::to_string(i) + ",\"text\":\"" + filler + "\"}");
  }
  next_ = 300;
  AppendSome(3'000);
  std::size_t records = 0;
  int requests = 0;
  while (records < 3'300 && !HasFailure()) {
    const FakeUploader::Sent sent = Next();
    records += Values(sent).size();
    ++requests;
    Accept(sent);
  }
  EXPECT_LE(requests, 8);
}

// Their stamps may be corrected before they go out.
TEST_F(LookAhead, MessagesOfAClockThatIsNotRightGoOutAsTheyAreStampedAtLast) {
  clock_.Reboot("boot-2", clock_.Wall());
  Restart();
  AppendSome(4 * kBatch);
  clock_.Advance(1h);  // longer than queue.clock_wait: they go out as they were stamped
  Prepare();
  clock_.StepWall(3s);
  clock_.SetSynchronized(true);
  ASSERT_TRUE(queue_->LearnClock());
  ASSERT_TRUE(Turn([&] { return !queue_->ClockOfBoot().withholds; }));
  for (int batch = 0; batch < 4; ++batch) {
    const FakeUploader::Sent sent = Next();
    EXPECT_EQ(Values(sent), From(batch * kBatch));
    EXPECT_EQ(sent.body.find("\"recovered\"") != std::string::npos, batch >= 2) << batch;
    Accept(sent);
  }
}

}  // namespace
}  // namespace packhorse::delivery
