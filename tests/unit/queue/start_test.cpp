#include <filesystem>

#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

// A destination "archive" comes later and starts at the oldest that is stored.
class StartTest : public QueueTest {
 protected:
  bool AddArchive(StartAt start = StartAt::kOldest) {
    streams_.front().destinations = {"cloud", "archive"};
    destinations_ = {"cloud", {"archive", start}};
    return queue_->Reconfigure(streams_, destinations_).has_value();
  }
  std::vector<std::string> Waiting(const std::string& destination, LanePart of = Lane::kNormal) {
    const Result<Pending> pending = queue_->Peek(destination, of, 100, 1ULL << 30U);
    EXPECT_TRUE(pending) << pending.error().message;
    std::vector<std::string> payloads;
    for (const StoredMessage& stored : pending->messages) {
      payloads.push_back(stored.message.payload);
    }
    return payloads;
  }
  void DeliverToArchive(std::size_t count) {
    const Result<Pending> pending = queue_->Peek("archive", Lane::kNormal, count, 1U << 20U);
    PrepareRequest request{"archive", Lane::kNormal, pending->from, pending->through, {}, {}};
    request.batches.push_back(MakeBatch(pending->messages));
    request.batches.back()->destination = "archive";
    std::optional<Result<std::vector<BatchId>>> prepared;
    queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
    ASSERT_TRUE(Await(prepared));
    ASSERT_TRUE(Settle(Delivered((*prepared)->front())));
  }
  using Payloads = std::vector<std::string>;
};

INSTANTIATE_TEST_SUITE_P(Modes, StartTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

// Elsewhere everything is on the disk before it can be delivered.
class StartCacheTest : public StartTest {};
INSTANTIATE_TEST_SUITE_P(Modes, StartCacheTest, ::testing::Values(Mode::kWindow), NameOf);

TEST_P(StartTest, EverythingStoredOfItsStreamsWaitsForItAndCountsAsReceived) {
  Append("one");
  Append("not its stream", "alarms");
  Append("two");
  ASSERT_TRUE(AddArchive());
  Append("new");
  EXPECT_EQ(Waiting("archive"), (Payloads{"one", "two"}));
  EXPECT_EQ(Waiting("archive", {Lane::kNormal, Part::kLive}), Payloads{"new"});
  EXPECT_TRUE(Waiting("archive", Lane::kUrgent).empty());
  EXPECT_EQ(Row("telemetry", "archive").received, 3U);
  EXPECT_EQ(Row("telemetry", "archive").pending, 3U);
  EXPECT_EQ(Row("alarms", "archive").received, 0U);
  EXPECT_EQ(Row("telemetry", "cloud").received, 3U);
  ExpectVerified();
}

// The second message is delivered before the checkpoint: the database never has it, only the cache does.
TEST_P(StartCacheTest, WhatIsNotKeptIsNeitherCountedNorShown) {
  Append("one");
  Append("two");
  Append("three");
  PrepareNext(1);
  const BatchId second = PrepareNext(1);
  ASSERT_TRUE(Settle(Delivered(second)));
  ASSERT_TRUE(AddArchive());
  EXPECT_EQ(Waiting("archive"), (Payloads{"one", "three"}));
  EXPECT_EQ(Row("telemetry", "archive").received, 2U);
  std::filesystem::remove_all(dir_ / "run");  // a power cut
  Reopen();
  EXPECT_EQ(Waiting("archive"), (Payloads{"one", "three"}));
  ExpectVerified();
}

TEST_P(StartTest, WhatIsOnlyRetainedIsStoredTooAndStaysForItBeyondItsTime) {
  streams_.front().retain_delivered = 1h;
  Reopen();
  Append("one");
  Append("two");
  ASSERT_TRUE(Settle(Delivered(PrepareNext(2))));
  ExpectVerified();
  ASSERT_EQ(queue_->Snapshot().retained_messages, 2U);
  ASSERT_TRUE(AddArchive());
  EXPECT_EQ(Row("telemetry", "archive").pending, 2U);
  clock_.Advance(2h);
  Append("later");
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().retained_messages, 0U) << "it is kept because it is needed";
  EXPECT_EQ(Waiting("archive"), (Payloads{"one", "two"}));
  DeliverToArchive(2);
  Append("last");
  ExpectVerified();
  EXPECT_FALSE(queue_->Read(Lane::kNormal, 1)) << "its time was over before";
}

TEST_P(StartTest, ItIsDecidedOnceAlsoAcrossARestart) {
  Append("one");
  ASSERT_TRUE(AddArchive());
  Reopen();
  EXPECT_EQ(Waiting("archive"), Payloads{"one"});
  EXPECT_EQ(Row("telemetry", "archive").received, 1U);
  ASSERT_TRUE(queue_->Reconfigure({{"telemetry", Lane::kNormal, {"cloud"}}}, {"cloud"}));
  Append("while it is gone");
  ASSERT_TRUE(AddArchive());
  EXPECT_EQ(Waiting("archive"), Payloads{"one"});
  EXPECT_EQ(Row("telemetry", "archive").received, 1U);
  ExpectVerified();
}

TEST_P(StartTest, ConfiguredWhileTheDaemonIsDownItCatchesUpAtTheStart) {
  Append("one");
  streams_[0].destinations = {"cloud", "archive"};
  destinations_ = {"cloud", {"archive", StartAt::kOldest}};
  Reopen();
  EXPECT_EQ(Waiting("archive"), Payloads{"one"});
  ExpectVerified();
}

TEST_P(StartTest, OneThatHadNoStreamSoFarGetsEachMessageOnce) {
  ASSERT_TRUE(queue_->Reconfigure(streams_, {"cloud", {"archive", StartAt::kOldest}}));
  Append("one");
  ASSERT_TRUE(AddArchive());
  Append("two");
  EXPECT_EQ(Waiting("archive", {Lane::kNormal, Part::kBacklog}), Payloads{"one"});
  EXPECT_EQ(Waiting("archive", {Lane::kNormal, Part::kLive}), Payloads{"two"});
  ExpectVerified();
}

TEST_P(StartTest, ThatStartedAtNowItDoesNotCatchUpLater) {
  Append("one");
  ASSERT_TRUE(AddArchive(StartAt::kNow));
  ASSERT_TRUE(AddArchive(StartAt::kOldest));
  EXPECT_TRUE(Waiting("archive").empty());
  ExpectVerified();
}

}  // namespace
}  // namespace packhorse::queue
