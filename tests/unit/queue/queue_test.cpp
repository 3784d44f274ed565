#include "queue/queue.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

TEST_P(QueueTest, AppendedMessageIsPendingWithEveryField) {
  RawMessage message = Message("{\"t\":1}");
  message.retained = true;
  message.redelivered = true;
  message.clock = ClockState::kSynchronized;
  message.content_type = "application/json";
  message.user_properties = {{"a", "1"}, {"a", "2"}};
  message.payload.push_back('\0');
  ASSERT_TRUE(queue_->Append(message));
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1000);
  ASSERT_TRUE(pending);
  ASSERT_EQ(pending->messages.size(), 1U);
  const RawMessage& stored = pending->messages[0].message;
  EXPECT_EQ(stored.payload, message.payload);
  EXPECT_EQ(stored.topic, message.topic);
  EXPECT_EQ(stored.received_at, message.received_at);
  EXPECT_EQ(stored.boot_time, message.boot_time);
  EXPECT_EQ(stored.clock, message.clock);
  EXPECT_EQ(stored.qos, 1);
  EXPECT_TRUE(stored.retained);
  EXPECT_TRUE(stored.redelivered);
  EXPECT_EQ(stored.content_type, message.content_type);
  EXPECT_EQ(stored.user_properties, message.user_properties);
}

TEST_P(QueueTest, SequencesRiseWithinALaneAndLanesAreApart) {
  EXPECT_EQ(Append("1"), 1U);
  EXPECT_EQ(Append("2"), 2U);
  EXPECT_EQ(Append("a", "alarms"), 1U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 10, 1000)->messages.size(), 2U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kUrgent, 10, 1000)->messages.size(), 1U);
  EXPECT_TRUE(queue_->Peek("cloud", Lane::kBulk, 10, 1000)->messages.empty());
}

TEST_P(QueueTest, CleanReopenContinuesNumbersUncleanReopenNeverRepeatsOne) {
  EXPECT_EQ(Append("1"), 1U);
  Reopen();
  EXPECT_EQ(Append("2"), 2U);
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1000);
  ASSERT_EQ(pending->messages.size(), 2U);
  EXPECT_EQ(pending->messages[1].message.payload, "2");
  ExpectVerified();
}

TEST_P(QueueTest, KilledProcessKeepsEveryAppendedMessageUnderItsNumber) {
  queue_.reset();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    Reopen();
    for (int i = 0;; ++i) {
      const Sequence sequence = *queue_->Append(Message("m" + std::to_string(i)));
      if (write(ends[1], &sequence, sizeof sequence) != sizeof sequence) {
        _exit(1);
      }
    }
  }
  close(ends[1]);
  std::vector<Sequence> acknowledged;
  Sequence sequence = 0;
  while (acknowledged.size() < 200 && read(ends[0], &sequence, sizeof sequence) == sizeof sequence) {
    acknowledged.push_back(sequence);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  while (read(ends[0], &sequence, sizeof sequence) == sizeof sequence) {
    acknowledged.push_back(sequence);
  }
  close(ends[0]);
  Reopen();
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 100'000, 1ULL << 30U);
  ASSERT_TRUE(pending);
  ASSERT_GE(pending->messages.size(), acknowledged.size());
  for (std::size_t i = 0; i < acknowledged.size(); ++i) {
    EXPECT_EQ(pending->messages[i].sequence, acknowledged[i]);
    EXPECT_EQ(pending->messages[i].message.payload, "m" + std::to_string(i));
  }
  EXPECT_GT(Append("after"), pending->messages.back().sequence);
  EXPECT_EQ(Row().received, pending->messages.size() + 1);
  ExpectVerified();
}

TEST_P(QueueTest, PrepareMovesTheRangeAndSurvivesReopenWithTheSameBytesAndKey) {
  for (int i = 0; i < 5; ++i) {
    Append("p" + std::to_string(i));
  }
  PrepareNext(3);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 2U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).prepared_messages, 3U);
  Reopen();
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 2U);
  const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches("cloud");
  ASSERT_TRUE(batches);
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->front().body, "p0p1p2");
  EXPECT_EQ(batches->front().idempotency_key, "key-1");
  EXPECT_TRUE(batches->front().maybe_sent);
  EXPECT_EQ(batches->front().members.size(), 3U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 10, 1000)->messages.front().message.payload, "p3");
  ExpectVerified();
}

TEST_P(QueueTest, AfterARestartBatchesComeInTheOrderOfTheirMessages) {
  Append("old");
  ASSERT_TRUE(queue_->Split("cloud", Lane::kNormal, std::chrono::milliseconds(0)));
  Append("new");
  PrepareNext(1, 1, Part::kLive);
  PrepareNext(1, 1, Part::kBacklog);
  Reopen();
  const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches("cloud");
  ASSERT_TRUE(batches);
  ASSERT_EQ(batches->size(), 2U);
  EXPECT_EQ(batches->front().body, "old");
  EXPECT_EQ(batches->back().body, "new");
}

TEST_P(QueueTest, SettledBatchIsDeliveredAndItsSegmentsAreTrimmed) {
  for (int i = 0; i < 4; ++i) {
    Append("p");
  }
  ASSERT_TRUE(Settle(Delivered(PrepareNext(4))));
  const LedgerRow row = Row();
  EXPECT_EQ(row.received, 4U);
  EXPECT_EQ(row.delivered, 4U);
  EXPECT_EQ(row.records_delivered, 4U);
  EXPECT_EQ(row.pending, 0U);
  clock_.Advance(std::chrono::seconds(61));
  EXPECT_TRUE(test::WaitFor([&] { return queue_->Snapshot().messages == 0; }));
  Reopen();
  EXPECT_EQ(queue_->Snapshot().segments, 0U);
  EXPECT_EQ(Row().delivered, 4U);
  ExpectVerified();
}

TEST_P(QueueTest, SettlingAnUnknownBatchIsRefusedAndChangesNothing) {
  Append("p");
  EXPECT_FALSE(Settle(Delivered(4711)));
  EXPECT_EQ(Row().pending, 1U);
  ExpectVerified();
}

TEST_P(QueueTest, MessageEndsWithTheWorstOfItsRecords) {
  Append("p");
  const BatchId id = PrepareNext(1, 3);
  Settlement settlement = Delivered(id);
  settlement.dead.push_back(DeadRecord{1, 1, "rejected", "no such tag", "req-1", 207});
  ASSERT_TRUE(Settle(std::move(settlement)));
  const LedgerRow row = Row();
  EXPECT_EQ(row.rejected, 1U);
  EXPECT_EQ(row.delivered, 0U);
  EXPECT_EQ(row.records_delivered, 2U);
  EXPECT_EQ(row.records_rejected, 1U);
  const Result<std::vector<DeadLetter>> dead = queue_->DeadLetters(10, 0);
  ASSERT_EQ(dead->size(), 1U);
  EXPECT_EQ(dead->front().record_id, queue_->id() + ".n.1.1");
  EXPECT_EQ(dead->front().detail, "no such tag");
  EXPECT_EQ(dead->front().message.payload, "p");
  ExpectVerified();
}

TEST_P(QueueTest, SkippedRecordsEndWithoutBeingDelivered) {
  Append("p");
  Append("q");
  const BatchId id = PrepareNext(2, 2);
  Settlement settlement = Delivered(id);
  settlement.skipped = {{1, 0, "too_old"}, {1, 1, "too_old"}, {2, 1, "kind"}};
  ASSERT_TRUE(Settle(std::move(settlement)));
  LedgerRow row = Row();
  EXPECT_EQ(row.skipped, 1U) << "of the second one a record was sent";
  EXPECT_EQ(row.delivered, 1U);
  EXPECT_EQ(row.records_delivered, 1U);
  EXPECT_EQ(row.pending, 0U);
  ExpectVerified();
  Reopen();
  EXPECT_EQ(Row().skip_reasons.at(0), std::pair(std::string("too_old"), std::uint64_t{1}));
}

TEST_P(QueueTest, RecordIsNotSkippedAndDeadAtOnce) {
  Append("p");
  Settlement settlement = Delivered(PrepareNext(1, 2));
  settlement.skipped = {{1, 0}};
  settlement.dead.push_back(DeadRecord{1, 0, "unfit", "", "", 0});
  EXPECT_FALSE(Settle(std::move(settlement)));
  EXPECT_EQ(Row().pending, 1U);
}

TEST_P(QueueTest, MessagesThatAreSkippedOrIgnoredAreCounted) {
  Append("p");
  Append("q");
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1'000);
  PrepareRequest request{"cloud", Lane::kNormal, 1, 2, {}, {}};
  request.resolutions.push_back({1, Outcome::kSkipped, "kind", "", pending->messages[0].message});
  request.resolutions.push_back({2, Outcome::kIgnored, "clears_retained", "", pending->messages[1].message});
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  ASSERT_TRUE(Await(prepared));
  Reopen();
  EXPECT_EQ(Row().skipped, 1U);
  EXPECT_EQ(Row().ignored, 1U);
  EXPECT_EQ(Row().pending, 0U);
  ExpectVerified();
}

TEST_P(QueueTest, RecordsLeftForASuccessorKeepTheMessagePendingUntilTheLast) {
  Append("p");
  const BatchId id = PrepareNext(1, 4);
  Settlement settlement = Delivered(id);
  auto rest = std::make_unique<PreparedBatch>(queue_->PreparedBatches("cloud")->front());
  rest->members = {Member{1, rest->members[0].stream, 2, 2, 4, rest->members[0].received_hour}};
  rest->records = 2;
  rest->idempotency_key = "key-rest";
  settlement.successors.push_back(std::move(rest));
  const Result<std::vector<BatchId>> successors = Settle(std::move(settlement));
  ASSERT_TRUE(successors) << successors.error().message;
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Row().records_delivered, 2U);
  ExpectVerified();
  Reopen();
  ASSERT_EQ(queue_->PreparedBatches("cloud")->size(), 1U);
  ASSERT_TRUE(Settle(Delivered(successors->front())));
  EXPECT_EQ(Row().delivered, 1U);
  EXPECT_EQ(Row().pending, 0U);
  ExpectVerified();
}

TEST_P(QueueTest, QuarantineResolutionKeepsTheRawBytesAndCounts) {
  Append("\xff\xfe");
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1000);
  PrepareRequest request{"cloud",
                         Lane::kNormal,
                         pending->from,
                         pending->through,
                         {Resolution{1, Outcome::kQuarantined, "invalid_utf8", "at byte 0", std::nullopt}},
                         {}};
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  ASSERT_TRUE(Await(prepared));
  EXPECT_EQ(Row().quarantined, 1U);
  const auto quarantined = queue_->Quarantined(10, 0);
  ASSERT_EQ(quarantined->size(), 1U);
  EXPECT_EQ(quarantined->front().message.payload, "\xff\xfe");
  EXPECT_EQ(quarantined->front().reason, "invalid_utf8");
  ExpectVerified();
}

TEST_P(QueueTest, ReplayedDeadLetterIsPendingThenDeliveredUnderTheSameRecord) {
  Append("p");
  Settlement refused = Delivered(PrepareNext(1));
  refused.dead.push_back(DeadRecord{1, 0, "rejected", "why", "", 422});
  ASSERT_TRUE(Settle(std::move(refused)));
  clock_.Advance(std::chrono::seconds(61));
  EXPECT_TRUE(test::WaitFor([&] { return queue_->Snapshot().segments == 0; }));
  const DeadLetter letter = queue_->DeadLetters(10, 0)->front();
  std::unique_ptr<PreparedBatch> batch = MakeBatch({StoredMessage{letter.sequence, letter.message}});
  batch->replayed = true;
  std::optional<Result<BatchId>> replayed;
  queue_->RedriveDead({letter.id}, std::move(batch), [&](Result<BatchId> id) { replayed = std::move(id); });
  const Result<BatchId> id = Await(replayed);
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Row().rejected, 0U);
  EXPECT_TRUE(queue_->DeadLetters(10, 0)->empty());
  EXPECT_TRUE(queue_->Read(Lane::kNormal, 1)) << "the raw message of a replayed letter must stay readable";
  ExpectVerified();
  ASSERT_TRUE(Settle(Delivered(*id)));
  EXPECT_EQ(Row().delivered, 1U);
  EXPECT_EQ(Row().records_rejected, 0U);
  EXPECT_EQ(queue_->Snapshot().dead_letters, 0U);
  ExpectVerified();
}

TEST_P(QueueTest, ReplayingTheSameLetterTwiceIsRefused) {
  Append("p");
  Settlement refused = Delivered(PrepareNext(1));
  refused.dead.push_back(DeadRecord{1, 0, "rejected", "why", "", 422});
  ASSERT_TRUE(Settle(std::move(refused)));
  const DeadLetter letter = queue_->DeadLetters(10, 0)->front();
  for (const bool expected : {true, false}) {
    std::optional<Result<BatchId>> replayed;
    queue_->RedriveDead({letter.id}, MakeBatch({StoredMessage{letter.sequence, letter.message}}),
                        [&](Result<BatchId> id) { replayed = std::move(id); });
    EXPECT_EQ(Await(replayed).has_value(), expected);
  }
  EXPECT_EQ(Row().pending, 1U);
  ExpectVerified();
}

TEST_P(QueueTest, DeadLetterThatIsDroppedIsGoneForGoodAndStaysRejectedInTheLedger) {
  for (const char* payload : {"one", "two"}) {
    Append(payload);
    Settlement refused = Delivered(PrepareNext(1));
    refused.dead.push_back(DeadRecord{payload == std::string("one") ? 1U : 2U, 0, "rejected", "why", "", 422});
    ASSERT_TRUE(Settle(std::move(refused)));
  }
  const std::vector<DeadLetter> letters = *queue_->DeadLetters(10, 0);
  ASSERT_EQ(letters.size(), 2U);
  const auto drop = [&](std::int64_t id) {
    std::optional<Status> dropped;
    queue_->DropDead(id, [&](const Status& status) { dropped = status; });
    return Await(dropped);
  };
  EXPECT_TRUE(drop(letters[0].id));
  EXPECT_EQ(drop(letters[0].id).error().code, ErrorCode::kNotFound) << "before it is in the database";
  std::optional<Result<BatchId>> replayed;
  queue_->RedriveDead({letters[0].id}, MakeBatch({StoredMessage{letters[0].sequence, letters[0].message}}),
                      [&](Result<BatchId> id) { replayed = std::move(id); });
  EXPECT_EQ(Await(replayed).error().code, ErrorCode::kNotFound);
  for (const bool reopened : {false, true}) {
    if (reopened) {
      Reopen();
    }
    ASSERT_EQ(queue_->DeadLetters(10, 0)->size(), 1U);
    EXPECT_EQ(queue_->DeadLetters(10, 0)->front().id, letters[1].id);
    EXPECT_EQ(queue_->Snapshot().dead_letters, 1U);
    EXPECT_EQ(Row().rejected, 2U);
    EXPECT_EQ(Row().pending, 0U);
    ExpectVerified();
  }
  EXPECT_EQ(drop(letters[0].id).error().code, ErrorCode::kNotFound);
}

TEST_P(QueueTest, DeadLetterThatIsOnItsWayAgainCannotBeDropped) {
  Append("p");
  Settlement refused = Delivered(PrepareNext(1));
  refused.dead.push_back(DeadRecord{1, 0, "rejected", "why", "", 422});
  ASSERT_TRUE(Settle(std::move(refused)));
  const DeadLetter letter = queue_->DeadLetters(10, 0)->front();
  std::optional<Result<BatchId>> replayed;
  queue_->RedriveDead({letter.id}, MakeBatch({StoredMessage{letter.sequence, letter.message}}),
                      [&](Result<BatchId> id) { replayed = std::move(id); });
  ASSERT_TRUE(Await(replayed));
  std::optional<Status> dropped;
  queue_->DropDead(letter.id, [&](const Status& status) { dropped = status; });
  EXPECT_EQ(Await(dropped).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Row().pending, 1U);
  ExpectVerified();
}

TEST_P(QueueTest, BacklogOlderThanTheCacheIsReadFromTheDiskInOrder) {
  cache_bytes_ = 2000;
  Reopen();
  for (int i = 0; i < 200; ++i) {
    Append("payload-" + std::to_string(i));
  }
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 1000, 1ULL << 30U);
  ASSERT_EQ(pending->messages.size(), 200U);
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(pending->messages[i].message.payload, "payload-" + std::to_string(i));
  }
}

TEST_P(QueueTest, BacklogPartlyInMemoryAndPartlyInTheSameRowOnTheDiskIsReadWithoutAGap) {
  cache_bytes_ = 600;
  Reopen();
  for (int i = 0; i < 30; ++i) {
    Append("payload-" + std::to_string(i));
    clock_.Advance(std::chrono::milliseconds(40));  // a new segment in memory every few messages
  }
  ExpectVerified();  // one checkpoint for all of them; then only the newest stay in memory
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 1000, 1ULL << 30U);
  ASSERT_EQ(pending->messages.size(), 30U);
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(pending->messages[i].message.payload, "payload-" + std::to_string(i));
  }
}

TEST_P(QueueTest, PeekIsBoundedByMessagesAndBytesButGivesAtLeastOne) {
  for (int i = 0; i < 10; ++i) {
    Append(std::string(100, 'x'));
  }
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 4, 1ULL << 30U)->messages.size(), 4U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 100, 250)->messages.size(), 2U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 100, 1)->messages.size(), 1U);
}

TEST_P(QueueTest, SecondQueueOnTheSamePathIsRefusedWithThePid) {
  const Result<std::unique_ptr<Queue>> second = Open(MakeOptions(), clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos) << second.error().message;
}

TEST_P(QueueTest, StreamAddedToASecondDestinationCountsFromThenOnOnly) {
  Append("before");
  ASSERT_TRUE(queue_->Reconfigure({{"telemetry", Lane::kNormal, {"cloud", "archive"}}}, {"cloud", "archive"}));
  Append("after");
  EXPECT_EQ(Row("telemetry", "cloud").received, 2U);
  EXPECT_EQ(Row("telemetry", "archive").received, 1U);
  const Result<Pending> pending = queue_->Peek("archive", Lane::kNormal, 10, 1000);
  ASSERT_EQ(pending->messages.size(), 1U);
  EXPECT_EQ(pending->messages[0].message.payload, "after");
  ExpectVerified();
}

TEST_P(QueueTest, RemovedDestinationKeepsItsBacklogUntilItComesBack) {
  Append("kept");
  ASSERT_TRUE(queue_->Reconfigure({{"telemetry", Lane::kNormal, {"archive"}}}, {"archive"}));
  Append("not for cloud");
  clock_.Advance(std::chrono::seconds(1));
  Append("again");
  EXPECT_EQ(Row("telemetry", "cloud").pending, 1U);
  EXPECT_EQ(queue_->Snapshot().pending.at("cloud"), 1U);
  ASSERT_TRUE(queue_->Reconfigure({{"telemetry", Lane::kNormal, {"cloud"}}}, {"cloud"}));
  Append("for cloud");
  Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1000);
  ASSERT_EQ(pending->messages.size(), 1U);
  EXPECT_EQ(pending->messages[0].message.payload, "kept");
  PrepareNext(10);
  pending = queue_->Peek("cloud", Lane::kNormal, 10, 1000);
  ASSERT_EQ(pending->messages.size(), 1U);
  EXPECT_EQ(pending->messages[0].message.payload, "for cloud");
  ExpectVerified();
}

TEST_P(QueueTest, DroppedAndUnroutedAreCountedAndBalanced) {
  queue_->CountDropped(*queue_->Stream("telemetry"), "retained_repeat");
  queue_->CountUnrouted();
  queue_->CountUnrouted();
  EXPECT_TRUE(test::WaitFor([&] { return queue_->ReadLedger()->unrouted == 2; }));
  const LedgerRow row = Row();
  EXPECT_EQ(row.received, 1U);
  EXPECT_EQ(row.dropped, 1U);
  ASSERT_EQ(row.drop_reasons.size(), 1U);
  EXPECT_EQ(row.drop_reasons[0].first, "retained_repeat");
}

TEST_P(QueueTest, QuarantinedOnArrivalIsCountedWithoutBeingPending) {
  ASSERT_TRUE(queue_->Quarantine(Message("huge"), "too_large", "11 MB"));
  EXPECT_EQ(Row().received, 1U);
  EXPECT_EQ(Row().quarantined, 1U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 0U);
  ExpectVerified();
}

TEST_P(QueueTest, PrepareThatDoesNotStartAtThePendingRangeIsRefused) {
  Append("p");
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(PrepareRequest{"cloud", Lane::kNormal, 7, 9, {}, {}},
                  [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  EXPECT_FALSE(Await(prepared));
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 1U);
}

TEST_P(QueueTest, StopLetsAppendFailInsteadOfAcknowledging) {
  queue_->Stop();
  EXPECT_FALSE(queue_->Append(Message("late")));
}

TEST_P(QueueTest, NewerFormatMajorIsRefusedWithAClearMessage) {
  queue_.reset();
  const test::RunResult changed =
      test::Run({"sqlite3", dir_ / "queue.db", "UPDATE meta SET value = '3.0' WHERE key = 'format'"});
  ASSERT_EQ(changed.exit_code, 0) << changed.err;
  const Result<std::unique_ptr<Queue>> opened = Open(MakeOptions(), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(opened.error().message.find("3.0"), std::string::npos);
}

TEST_P(QueueTest, NewQueueIsNoAccident) { EXPECT_EQ(queue_->start().how, StartReport::How::kClean); }

TEST_P(QueueTest, ConcurrentAppendsAllGetTheirOwnNumber) {
  std::vector<std::thread> threads;
  std::vector<std::vector<Sequence>> given(4);
  for (auto& numbers : given) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        numbers.push_back(*queue_->Append(Message("x")));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::set<Sequence> all;
  for (const auto& numbers : given) {
    all.insert(numbers.begin(), numbers.end());
  }
  EXPECT_EQ(all.size(), 400U);
  EXPECT_EQ(Row().received, 400U);
  ExpectVerified();
}

TEST_P(QueueTest, WhatIsCutOffIsBacklogAndWhatComesIsLive) {
  const LanePart backlog{Lane::kNormal, Part::kBacklog};
  const LanePart live{Lane::kNormal, Part::kLive};
  Append("a");
  Append("b");
  clock_.Advance(std::chrono::minutes(10));
  EXPECT_FALSE(queue_->Split("cloud", Lane::kNormal, std::chrono::minutes(11)));
  EXPECT_TRUE(queue_->Split("cloud", Lane::kNormal, std::chrono::minutes(10)));
  Append("c");
  Append("d");
  Reopen();
  EXPECT_EQ(queue_->Waiting("cloud", backlog).messages, 2U);
  EXPECT_EQ(queue_->Waiting("cloud", live).messages, 2U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 4U);
  const BatchId first = PrepareNext(1, 1, Part::kLive);
  EXPECT_EQ(queue_->PreparedBatches("cloud")->front().body, "c");
  EXPECT_TRUE(Settle(Delivered(first)));
  EXPECT_EQ(queue_->Peek("cloud", live, 10, 1'000)->messages.front().message.payload, "d");
  EXPECT_EQ(queue_->Peek("cloud", backlog, 10, 1'000)->messages.size(), 2U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 10, 1'000)->messages.front().message.payload, "a");
  EXPECT_TRUE(Settle(Delivered(PrepareNext(10))));
  EXPECT_EQ(queue_->Waiting("cloud", backlog).messages, 0U);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 10, 1'000)->messages.front().message.payload, "d");
  EXPECT_TRUE(queue_->VerifyLedger()->empty());
}

TEST_P(QueueTest, CutsStayBoundedWhileNothingOfTheBacklogGoes) {
  const auto outage = [&] {
    Append("m");
    clock_.Advance(std::chrono::hours(1));
    return queue_->Split("cloud", Lane::kNormal, std::chrono::hours(1));
  };
  for (std::size_t i = 0; i < Queue::kMaxBacklogs; ++i) {
    EXPECT_TRUE(outage());
  }
  EXPECT_FALSE(outage());
  EXPECT_TRUE(Settle(Delivered(PrepareNext(1))));
  EXPECT_TRUE(outage());
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, Queue::kMaxBacklogs + 1);
  EXPECT_EQ(queue_->Peek("cloud", Lane::kNormal, 1, 1)->messages.front().sequence, 2U);
}

TEST_P(QueueTest, SettledThroughLooksAtWhatWaitedThenAndNotAtWhatCameLater) {
  EXPECT_TRUE(queue_->SettledThrough("cloud", queue_->Last()));
  Append("a");
  const Queue::LastNumbers last = queue_->Last();
  EXPECT_EQ(last, (Queue::LastNumbers{0, 1, 0}));
  EXPECT_FALSE(queue_->SettledThrough("cloud", last));
  const BatchId batch = PrepareNext(1);
  EXPECT_FALSE(queue_->SettledThrough("cloud", last));
  Append("later");
  ASSERT_TRUE(Settle(Delivered(batch)));
  EXPECT_TRUE(queue_->SettledThrough("cloud", last));
  EXPECT_FALSE(queue_->SettledThrough("cloud", queue_->Last()));
}

TEST_P(QueueTest, CheckpointBringsEverythingIntoTheDatabaseAndSaysWhen) {
  for (int i = 0; i < 3; ++i) {
    Append("a");
    std::optional<Status> checkpointed;
    queue_->Checkpoint([&](const Status& status) { checkpointed = status; });
    EXPECT_TRUE(Await(checkpointed));
    EXPECT_EQ(queue_->Snapshot().at_risk, 0U);
  }
  EXPECT_EQ(queue_->Snapshot().messages, 3U);
}

TEST_P(QueueTest, MessagesMovedToBulkAreInThatLaneAlsoAfterARestartAndWhenNothingMovesAnyMore) {
  const auto append_to_bulk = [this](const std::string& payload) {
    const Result<Slot> slot = queue_->AppendTo(Lane::kBulk, Message(payload));
    return slot ? slot->lane : Lane::kUrgent;
  };
  EXPECT_EQ(append_to_bulk("nobody gets this stream in bulk"), Lane::kNormal);
  streams_[0].moves_to_bulk = true;
  ASSERT_TRUE(queue_->Reconfigure(streams_, destinations_));
  EXPECT_EQ(append_to_bulk("moved"), Lane::kBulk);
  Append("not moved");
  Reopen();
  streams_[0].moves_to_bulk = false;
  ASSERT_TRUE(queue_->Reconfigure(streams_, destinations_));
  EXPECT_EQ(append_to_bulk("later"), Lane::kNormal);
  const auto payloads = [this](Lane lane) {
    std::vector<std::string> found;
    const Result<Pending> pending = queue_->Peek("cloud", lane, 10, 1000);
    for (const StoredMessage& stored : pending->messages) {
      found.push_back(stored.message.payload);
    }
    return found;
  };
  EXPECT_EQ(payloads(Lane::kBulk), (std::vector<std::string>{"moved"}));
  EXPECT_EQ(payloads(Lane::kNormal),
            (std::vector<std::string>{"nobody gets this stream in bulk", "not moved", "later"}));
  EXPECT_EQ(Row().pending, 4U);
  ExpectVerified();
}

INSTANTIATE_TEST_SUITE_P(Modes, QueueTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

}  // namespace
}  // namespace packhorse::queue
