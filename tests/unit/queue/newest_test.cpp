#include <gmock/gmock.h>

#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NewestTest : public QueueTest {
 protected:
  std::vector<std::string> Newest(std::size_t count) {
    last_ = *queue_->PeekNewest("cloud", Lane::kNormal, count, 1ULL << 30U);
    return Payloads(last_);
  }
  static std::vector<std::string> Payloads(const Pending& pending) {
    std::vector<std::string> payloads;
    for (const StoredMessage& stored : pending.messages) {
      payloads.push_back(stored.message.payload);
    }
    return payloads;
  }
  std::vector<std::string> Waiting() { return Payloads(*queue_->Peek("cloud", Lane::kNormal, 100, 1ULL << 30U)); }
  // What was looked at last.
  Result<std::vector<BatchId>> Prepare() {
    PrepareRequest request{"cloud", Lane::kNormal, last_.from, last_.through, {}, {}};
    request.batches.push_back(MakeBatch(last_.messages));
    std::optional<Result<std::vector<BatchId>>> prepared;
    queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
    return Await(prepared);
  }
  void AppendAll(std::initializer_list<const char*> payloads) {
    for (const char* payload : payloads) {
      Append(payload);
    }
  }

  Pending last_;
};

TEST_P(NewestTest, NewestAreTheLastThatWait) {
  EXPECT_THAT(Newest(2), IsEmpty());
  AppendAll({"one", "two", "three", "four"});
  EXPECT_THAT(Newest(1), ElementsAre("four"));
  if (GetParam() == Mode::kWindow) {  // else each is a segment of its own
    EXPECT_THAT(Newest(2), ElementsAre("three", "four"));
    EXPECT_THAT(Newest(9), ElementsAre("one", "two", "three", "four"));
  }
  ExpectVerified();
  Reopen();
  EXPECT_THAT(Newest(1), ElementsAre("four"));
}

TEST_P(NewestTest, NewestIsFoundBehindMessagesOfOthers) {
  streams_.push_back({"other", Lane::kNormal, {"lake"}});
  destinations_.push_back({"lake"});
  Reopen();
  AppendAll({"one", "two"});
  ExpectVerified();
  for (int i = 0; i < 50; ++i) {
    Append("not for it", "other");
    if (i % 10 == 0) {
      ExpectVerified();
    }
  }
  EXPECT_THAT(Newest(1), ElementsAre("two"));
}

TEST_P(NewestTest, WhatIsTakenFromTheEndLeavesTheOthersInTheirOrder) {
  AppendAll({"one", "two", "three", "four"});
  ASSERT_THAT(Newest(1), ElementsAre("four"));
  AppendAll({"five", "six"});
  const auto batch = Prepare();
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_THAT(Waiting(), ElementsAre("one", "two", "three"));
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 5U);
  EXPECT_THAT(Newest(1), ElementsAre("six"));
  ExpectVerified();
  ASSERT_TRUE(Settle(Delivered(batch->front())));
  ASSERT_TRUE(Settle(Delivered(PrepareNext(9))));
  Reopen();
  EXPECT_THAT(Waiting(), ElementsAre("five", "six"));
  ASSERT_TRUE(Settle(Delivered(PrepareNext(9))));
  EXPECT_EQ(Row().pending, 0U);
  EXPECT_EQ(Row().delivered, 6U);
  ExpectVerified();
}

TEST_P(NewestTest, RangesStayBounded) {
  AppendAll({"oldest"});
  std::size_t probes = 0;
  for (; probes < 200; ++probes) {
    AppendAll({"between", "newest"});
    if (Newest(1).empty()) {
      break;
    }
    const auto batch = Prepare();
    ASSERT_TRUE(batch) << batch.error().message;
    ASSERT_TRUE(Settle(Delivered(batch->front())));
  }
  EXPECT_LE(probes, Queue::kMaxRanges);
  EXPECT_GE(probes, Queue::kMaxRanges / 2);
  ExpectVerified();
}

TEST_P(NewestTest, OnlyNumbersUpToTheHighestThatWasTakenAreBehind) {
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 0U);
  AppendAll({"one", "two", "three", "four", "five"});
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 0U);
  PrepareNext(1);
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 1U);
  ASSERT_THAT(Newest(1), ElementsAre("five"));
  ASSERT_TRUE(Prepare());
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 5U);
  Reopen();
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 5U);
}

TEST_P(NewestTest, BacklogIsBehindOnceSomethingLiveWasTaken) {
  AppendAll({"one", "two", "three"});
  clock_.Advance(std::chrono::hours(1));
  ASSERT_TRUE(queue_->Split("cloud", Lane::kNormal, std::chrono::minutes(1)));
  AppendAll({"four", "five"});
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 0U);
  PrepareNext(1, 1, Part::kBacklog);
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 1U);
  PrepareNext(1, 1, Part::kLive);
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 4U);
  Reopen();
  EXPECT_EQ(queue_->HighestTaken("cloud", Lane::kNormal), 4U);
}

INSTANTIATE_TEST_SUITE_P(Modes, NewestTest, testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

}  // namespace
}  // namespace packhorse::queue
