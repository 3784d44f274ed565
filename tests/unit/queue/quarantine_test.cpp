// Messages that leave the quarantine again.

#include <gmock/gmock.h>

#include <filesystem>

#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class QuarantineTest : public QueueTest {
 protected:
  QuarantineTest() {
    streams_.front().destinations = {"cloud", "archive"};
    destinations_ = {"cloud", "archive"};
    Reopen();
  }

  // The next `count` messages cannot be decoded for this destination.
  void HoldBack(const std::string& destination, std::size_t count, const std::string& reason = "unknown_stream") {
    const Result<Pending> pending = queue_->Peek(destination, Lane::kNormal, count, 1ULL << 30U);
    ASSERT_TRUE(pending);
    PrepareRequest request{destination, Lane::kNormal, pending->from, pending->through, {}, {}};
    for (const StoredMessage& stored : pending->messages) {
      request.resolutions.push_back({stored.sequence, Outcome::kQuarantined, reason, "why", stored.message});
    }
    std::optional<Result<std::vector<BatchId>>> prepared;
    queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
    ASSERT_TRUE(Await(prepared));
    Checkpoint();
  }

  void Checkpoint() {
    std::optional<Status> checkpointed;
    queue_->Checkpoint([&](const Status& status) { checkpointed = status; });
    ASSERT_TRUE(Await(checkpointed));
  }

  // Those that are not on their way again.
  std::vector<QuarantinedMessage> SegmentTotals(const std::string& destination, bool waiting = false) {
    Result<std::vector<QuarantinedMessage>> page =
        queue_->QuarantinedFor(destination, waiting, {Lane::kUrgent, 0}, 100);
    EXPECT_TRUE(page) << page.error().message;
    std::erase_if(*page, [](const QuarantinedMessage& each) { return each.retrying; });
    return *std::move(page);
  }

  std::vector<std::string> Payloads(const std::string& destination, bool waiting = false) {
    std::vector<std::string> payloads;
    for (const QuarantinedMessage& each : SegmentTotals(destination, waiting)) {
      payloads.push_back(each.message.payload);
    }
    return payloads;
  }

  Result<std::vector<BatchId>> Retry(const std::string& destination, const std::vector<QuarantinedMessage>& messages,
                                     std::uint32_t records_each = 1) {
    std::vector<StoredMessage> stored;
    for (const QuarantinedMessage& each : messages) {
      stored.push_back({each.sequence, each.message});
    }
    PrepareRequest request{destination, Lane::kNormal, 0, 0, {}, {}};
    request.batches.push_back(MakeBatch(stored, records_each));
    request.batches.back()->destination = destination;
    std::optional<Result<std::vector<BatchId>>> retried;
    queue_->RetryQuarantined(std::move(request), [&](Result<std::vector<BatchId>> ids) { retried = std::move(ids); });
    return Await(retried);
  }

  PlaceState StateFor(const std::string& destination, Sequence sequence) {
    const Result<MessageTrace> where = queue_->Trace(Lane::kNormal, sequence, std::nullopt);
    EXPECT_TRUE(where);
    for (const Place& place : where->places) {
      if (place.destination == destination) {
        return place.state;
      }
    }
    return PlaceState::kEnded;
  }
};

TEST_P(QuarantineTest, OneComesBackUnderItsNumberAndTheLedgerMovesWithIt) {
  Append("one");
  Append("two");
  HoldBack("cloud", 2);
  EXPECT_THAT(Payloads("cloud"), ElementsAre("one", "two"));
  EXPECT_EQ(Row().quarantined, 2U);
  const Result<std::vector<BatchId>> ids = Retry("cloud", SegmentTotals("cloud"));
  ASSERT_TRUE(ids) << ids.error().message;
  EXPECT_EQ(Row().quarantined, 0U);
  EXPECT_EQ(Row().pending, 2U);
  EXPECT_THAT(Payloads("cloud"), IsEmpty()) << "they are on their way";
  ExpectVerified();
  Reopen();
  EXPECT_THAT(Payloads("cloud"), IsEmpty());
  const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches("cloud");
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->front().members.front().sequence, 1U);
  EXPECT_EQ(queue_->Read(Lane::kNormal, 2)->message.payload, "two") << "for a batch that has to be split";
  ASSERT_TRUE(Settle(Delivered(batches->front().id)));
  EXPECT_EQ(Row().delivered, 2U);
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().quarantined, 0U);
  Reopen();
  EXPECT_EQ(queue_->Snapshot().quarantined, 0U);
  EXPECT_EQ(StateFor("cloud", 1), PlaceState::kDelivered);
}

TEST_P(QuarantineTest, OneThatIsThereForTwoDestinationsStaysForTheOther) {
  Append("one");
  HoldBack("cloud", 1);
  HoldBack("archive", 1);
  const Result<std::vector<BatchId>> ids = Retry("cloud", SegmentTotals("cloud"));
  ASSERT_TRUE(ids);
  ASSERT_TRUE(Settle(Delivered(ids->front())));
  Checkpoint();
  EXPECT_THAT(Payloads("cloud"), IsEmpty());
  EXPECT_THAT(Payloads("archive"), ElementsAre("one"));
  EXPECT_EQ(StateFor("cloud", 1), PlaceState::kDelivered);
  EXPECT_EQ(StateFor("archive", 1), PlaceState::kQuarantined);
  EXPECT_EQ(queue_->Snapshot().quarantined, 1U);
  EXPECT_EQ(Row("telemetry", "archive").quarantined, 1U);
  ASSERT_TRUE(Retry("archive", SegmentTotals("archive")));
  ExpectVerified();
}

TEST_P(QuarantineTest, OneThatIsRefusedThenBecomesADeadLetter) {
  Append("one");
  HoldBack("cloud", 1);
  const Result<std::vector<BatchId>> ids = Retry("cloud", SegmentTotals("cloud"), 2);
  ASSERT_TRUE(ids);
  Settlement settlement = Delivered(ids->front());
  settlement.dead.push_back(DeadRecord{1, 1, "rejected", "", "", 400});
  ASSERT_TRUE(Settle(std::move(settlement)));
  Checkpoint();
  EXPECT_EQ(Row().rejected, 1U);
  EXPECT_EQ(queue_->DeadLetters(10, 0)->front().message.payload, "one");
  EXPECT_EQ(queue_->Snapshot().quarantined, 0U);
  ExpectVerified();
}

// The journal takes it over the end of the process; without the journal it is in quarantine as it was.
TEST_P(QuarantineTest, AKillAfterwardsKeepsItAndAPowerCutLeavesItInQuarantine) {
  if (GetParam() != Mode::kWindow) {
    return;
  }
  const auto copy = [&](const std::string& from, const std::string& to) {
    for (const char* file : {"queue.db", "queue.db-wal", "run"}) {
      std::filesystem::remove_all(dir_ / (to + file));
      std::filesystem::copy(dir_ / (from + file), dir_ / (to + file), std::filesystem::copy_options::recursive);
    }
  };
  Append("one");
  HoldBack("cloud", 1);
  ASSERT_TRUE(Retry("cloud", SegmentTotals("cloud")));
  copy("", "then-");
  queue_.reset();
  copy("then-", "");
  Reopen();
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_THAT(Payloads("cloud"), IsEmpty());
  EXPECT_EQ(queue_->PreparedBatches("cloud")->size(), 1U);
  ExpectVerified();
  queue_.reset();
  copy("then-", "");
  std::filesystem::remove_all(dir_ / "run");
  Reopen();
  EXPECT_THAT(Payloads("cloud"), ElementsAre("one"));
  EXPECT_EQ(Row().quarantined, 1U);
  ExpectVerified();
}

TEST_P(QuarantineTest, WhatIsNotThereOrOnItsWayIsRefusedAndNothingMoves) {
  Append("one");
  Append("two");
  HoldBack("cloud", 1);
  std::vector<QuarantinedMessage> held = SegmentTotals("cloud");
  ASSERT_TRUE(Retry("cloud", held));
  EXPECT_FALSE(Retry("cloud", held)) << "it is on its way";
  held.front().sequence = 2;
  EXPECT_FALSE(Retry("cloud", held)) << "it waits";
  EXPECT_FALSE(Retry("archive", held));
  EXPECT_FALSE(Retry("nobody", held));
  EXPECT_EQ(Row().pending, 2U);
  ExpectVerified();
}

TEST_P(QuarantineTest, OneThatHasNothingToUploadAfterAllEndsAsDropped) {
  Append("one");
  HoldBack("cloud", 1);
  PrepareRequest request{"cloud", Lane::kNormal, 0, 0, {}, {}};
  request.resolutions.push_back({1, Outcome::kDropped, "clears_retained", "", SegmentTotals("cloud").front().message});
  std::optional<Result<std::vector<BatchId>>> retried;
  queue_->RetryQuarantined(std::move(request), [&](Result<std::vector<BatchId>> ids) { retried = std::move(ids); });
  ASSERT_TRUE(Await(retried));
  Checkpoint();
  EXPECT_EQ(Row().dropped, 1U);
  EXPECT_EQ(Row().quarantined, 0U);
  EXPECT_EQ(queue_->Snapshot().quarantined, 0U);
  ExpectVerified();
}

TEST_P(QuarantineTest, WhatWaitsForADefinitionIsNotBoundedByCountAndCounted) {
  for (const char* payload : {"one", "two", "three", "four"}) {
    Append(payload);
  }
  HoldBack("cloud", 2, "unknown_contract");
  HoldBack("cloud", 2, "invalid_json");
  queue_.reset();
  Options options = MakeOptions();
  options.max_quarantined = 1;
  queue_ = *Open(options, clock_);
  Checkpoint();
  queue_.reset();
  Reopen();
  EXPECT_THAT(Payloads("cloud"), ElementsAre("one", "two", "four"));
  EXPECT_THAT(Payloads("cloud", true), ElementsAre("one", "two"));
  EXPECT_THAT(queue_->Snapshot().undecodable, ElementsAre(testing::Pair("telemetry", 2U)));
}

INSTANTIATE_TEST_SUITE_P(Modes, QuarantineTest, ::testing::Values(Mode::kWindow, Mode::kStrict), NameOf);

}  // namespace
}  // namespace packhorse::queue
