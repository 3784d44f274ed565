// What is kept although it was delivered, and how it goes again.

#include <gmock/gmock.h>

#include <filesystem>
#include <random>

#include "queue/inspect/file_view.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class RetentionTest : public QueueTest {
 protected:
  static constexpr auto kKeep = 24h * 7;

  RetentionTest() {
    streams_.front().retain_delivered = kKeep;
    Reopen();
  }

  // A crash of the process: a copy of what would be left is opened.
  void Crash() {
    const std::string left = dir_ / ("left-" + std::to_string(++crashes_));
    std::filesystem::create_directory(left);
    for (const char* name : {"queue.db", "queue.db-wal"}) {
      std::filesystem::copy(dir_ / name, left);
    }
    std::filesystem::copy(dir_ / "run", left + "/run", std::filesystem::copy_options::recursive);
    queue_.reset();
    Options options = MakeOptions();
    options.path = left + "/queue.db";
    options.runtime_dir = left + "/run";
    Result<std::unique_ptr<Queue>> opened = Open(options, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
  }

  void AppendMany(int count, const std::string& stream = "telemetry") {
    for (int i = 0; i < count; ++i) {
      Append("p" + std::to_string(i), stream);
    }
  }

  void Deliver(std::size_t count) { ASSERT_TRUE(Settle(Delivered(PrepareNext(count)))); }

  Result<Replay> Start(WallTime from, WallTime to, const std::string& stream = "telemetry",
                       const std::string& destination = "cloud") {
    std::optional<Result<Replay>> started;
    queue_->StartReplay({stream, destination, from, to, 100}, [&](Result<Replay> replay) { started = replay; });
    return Await(started);
  }
  Result<Replay> StartAll() { return Start(WallTime{}, clock_.Wall() + 1h); }

  // The next batch of a replay, with at most so many messages; 0 when it only moved on.
  Result<BatchId> PrepareReplay(ReplayId id, std::size_t most) {
    Result<ReplayPart> part = queue_->PeekReplay(id, most, 1U << 20U);
    EXPECT_TRUE(part) << part.error().message;
    PrepareRequest request{"cloud", part->lane, part->pending.from,  part->pending.through, {},
                           {},      id,         part->skipped.size()};
    if (!part->pending.messages.empty()) {
      request.batches.push_back(MakeBatch(part->pending.messages));
      request.batches.back()->lane = part->lane;
      request.batches.back()->replay = id;
    }
    std::optional<Result<std::vector<BatchId>>> prepared;
    queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
    const Result<std::vector<BatchId>> ids = Await(prepared);
    EXPECT_TRUE(ids) << ids.error().message;
    return ids && !ids->empty() ? ids->front() : 0;
  }

  std::string BodyOf(BatchId id) {
    const Result<std::vector<PreparedBatch>> batches = queue_->PreparedBatches("cloud");
    for (const PreparedBatch& batch : *batches) {
      if (batch.id == id) {
        return batch.body;
      }
    }
    return "";
  }

  // Sends all that is left; the bodies.
  std::vector<std::string> RunReplay(std::size_t most) {
    std::vector<std::string> bodies;
    while (const std::optional<Queue::DueReplay> turn = queue_->NextReplay("cloud")) {
      const Result<BatchId> batch = PrepareReplay(turn->id, most);
      if (*batch != 0) {
        bodies.push_back(BodyOf(*batch));
        EXPECT_TRUE(Settle(Delivered(*batch)));
      }
    }
    return bodies;
  }

  Replay Last() { return queue_->Replays().back(); }

  int crashes_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, RetentionTest, ::testing::Values(Mode::kWindow), NameOf);

TEST_P(RetentionTest, WhatIsDeliveredFromMemoryIsStoredAndStaysUntilItsTimeIsOver) {
  AppendMany(3);
  Append("not kept", "alarms");
  Deliver(3);
  const Stats before = queue_->Snapshot();
  EXPECT_EQ(before.at_risk, 1U) << "what is delivered is not at risk";
  ExpectVerified();  // checkpoints
  clock_.Advance(kKeep - 1s);
  Append("later");
  ExpectVerified();
  Reopen();
  const Stats kept = queue_->Snapshot();
  EXPECT_EQ(kept.retained_messages, 3U);
  EXPECT_GT(kept.retained_bytes, 0U);
  EXPECT_EQ(kept.messages, 2U) << "what nobody needs is not counted with what somebody does";
  const Stats stopped = *FileView::Open(dir_ / "queue.db", dir_ / "run")->Snapshot();
  EXPECT_EQ(stopped.retained_messages, 3U);
  EXPECT_EQ(stopped.retained_bytes, kept.retained_bytes);
  EXPECT_EQ(stopped.messages, 2U);
  EXPECT_EQ(queue_->Read(Lane::kNormal, 2)->message.payload, "p1");
  clock_.Advance(2s);
  Append("one more");
  ExpectVerified();
  EXPECT_EQ(queue_->Read(Lane::kNormal, 2).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(queue_->Snapshot().retained_messages, 0U);
  EXPECT_EQ(queue_->Snapshot().messages, 3U);
}

TEST_P(RetentionTest, WhatIsDeliveredAndOnlyInTheJournalSurvivesACrash) {
  AppendMany(3);
  Deliver(3);
  Crash();
  EXPECT_EQ(queue_->start().how, StartReport::How::kRecovered);
  EXPECT_EQ(queue_->Read(Lane::kNormal, 3)->message.payload, "p2");
  EXPECT_EQ(Row().delivered, 3U);
}

TEST_P(RetentionTest, EndsByMeasuredTimeWhateverTheClockDoes) {
  clock_.SetSynchronized(false);
  AppendMany(2);
  Deliver(2);
  ExpectVerified();
  clock_.SetSynchronized(true);
  clock_.StepWall(24h * 3'650);
  clock_.Advance(kKeep - 1s);
  Append("later");
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().retained_messages, 2U);
  clock_.SetSynchronized(false);
  clock_.StepWall(-24h * 3'650);
  clock_.Advance(2s);
  Append("last");
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().retained_messages, 0U);
  EXPECT_EQ(queue_->Snapshot().segments, 2U);
}

TEST_P(RetentionTest, OverARestartOfTheMachineSwitchedOffTimeCountsOnceTheClockIsProven) {
  AppendMany(2);
  Deliver(2);
  ExpectVerified();
  const auto restart = [&](const std::string& id, std::chrono::microseconds off) {
    queue_.reset();
    clock_.Reboot(id, clock_.Wall() + off);
    clock_.SetSynchronized(true);
    Reopen();
    Append("in " + id);
    ExpectVerified();
  };
  restart("b", kKeep / 4);
  EXPECT_EQ(queue_->Snapshot().retained_messages, 2U);
  restart("c", kKeep);
  EXPECT_EQ(queue_->Snapshot().retained_messages, 2U) << "the clock may be wrong by all that";
  for (int i = 0; i < 61; ++i) {
    clock_.Advance(1min);
    queue_->EnforceLimits(clock_.Mono());
  }
  Append("an hour later");
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().retained_messages, 0U);
}

TEST_P(RetentionTest, ASegmentOfWhichSomethingIsNeededAgainStaysBeyondItsTime) {
  AppendMany(2);
  Settlement refused = Delivered(PrepareNext(2));
  refused.dead.push_back(DeadRecord{1, 0, "rejected", "why", "", 422});
  ASSERT_TRUE(Settle(std::move(refused)));
  const DeadLetter letter = queue_->DeadLetters(10, 0)->front();
  std::unique_ptr<PreparedBatch> batch = MakeBatch({StoredMessage{letter.sequence, letter.message}});
  batch->replayed = true;
  std::optional<Result<BatchId>> again;
  queue_->RedriveDead({letter.id}, std::move(batch), [&](Result<BatchId> id) { again = std::move(id); });
  ASSERT_TRUE(Await(again));
  ExpectVerified();
  clock_.Advance(kKeep + 1s);
  Append("later");
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().retained_messages, 0U);
  EXPECT_EQ(queue_->Snapshot().segments, 2U);
  ASSERT_TRUE(Settle(Delivered(**again)));
  Append("and later");
  ExpectVerified();
  EXPECT_FALSE(queue_->Read(Lane::kNormal, 1)) << "its time was over before";
}

TEST_P(RetentionTest, OverMaxBytesItGoesFirstAndCountsAsDelivered) {
  std::minstd_rand random(1);
  for (int segment = 0; segment < 20; ++segment) {
    for (int i = 0; i < 50; ++i) {
      std::string payload(1'000, '\0');
      for (char& each : payload) {
        each = static_cast<char>(random());
      }
      Append(payload);
    }
    ExpectVerified();
    if (segment < 10) {
      Deliver(50);
    }
  }
  Limits limits;
  limits.max_bytes = 900'000;
  queue_->SetLimits(limits);
  EXPECT_TRUE(test::WaitFor([&] {
    EXPECT_TRUE(queue_->EnforceLimits(clock_.Mono()).given_up.empty());
    return queue_->Snapshot().bytes <= limits.max_bytes;
  }));
  ExpectVerified();
  const Stats stats = queue_->Snapshot();
  EXPECT_GT(stats.bytes, limits.max_bytes / 10 * 8) << "more than needed went";
  EXPECT_GT(stats.retained_messages, 0U);
  EXPECT_LT(stats.retained_messages, 500U);
  EXPECT_EQ(stats.released_messages + stats.retained_messages, 500U);
  EXPECT_EQ(Row().delivered, 500U);
  EXPECT_EQ(Row().dropped, 0U);
  EXPECT_EQ(Row().pending, 500U);
  EXPECT_FALSE(queue_->Read(Lane::kNormal, 1)) << "the oldest first";
  EXPECT_TRUE(queue_->Read(Lane::kNormal, 500));
}

TEST_P(RetentionTest, AReplaySendsWhatIsOverAndLeavesTheOutcomesAlone) {
  AppendMany(6);
  Settlement settlement = Delivered(PrepareNext(4));
  settlement.dead.push_back(DeadRecord{2, 0, "rejected", "why", "", 422});
  ASSERT_TRUE(Settle(std::move(settlement)));
  PrepareNext(1);  // 5 is in a batch, 6 waits
  const Result<Replay> started = StartAll();
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(started->what.stream, "telemetry");
  EXPECT_EQ(started->stored_from, clock_.Wall());
  EXPECT_THAT(RunReplay(2), ElementsAre("p0", "p2p3"));
  const LedgerRow row = Row();
  EXPECT_EQ(row.delivered, 3U);
  EXPECT_EQ(row.rejected, 1U);
  EXPECT_EQ(row.pending, 2U);
  EXPECT_EQ(row.replayed, 3U);
  EXPECT_EQ(row.records_replayed, 3U);
  EXPECT_EQ(row.records_delivered, 3U);
  EXPECT_EQ(Last().state, Replay::State::kDone);
  EXPECT_EQ(Last().messages, 3U);
  EXPECT_EQ(Last().delivered, 3U);
  EXPECT_EQ(Last().skipped, 3U);
  ExpectVerified();
  Reopen();
  EXPECT_EQ(Last().state, Replay::State::kDone);
  EXPECT_EQ(Row().replayed, 3U);
  EXPECT_EQ(queue_->Trace(Lane::kNormal, 2, std::nullopt)->places.front().state, PlaceState::kRejected);
  const Place place = queue_->Trace(Lane::kNormal, 4, std::nullopt)->places.front();
  EXPECT_EQ(place.state, PlaceState::kDelivered);
  ASSERT_EQ(place.replayed.size(), 1U);
  EXPECT_EQ(place.replayed.front().replay, started->id);
}

TEST_P(RetentionTest, AReplayTakesTheTimeAskedForAndNoMore) {
  for (int i = 0; i < 5; ++i) {
    Append("p" + std::to_string(i));
    clock_.Advance(1min);
  }
  Deliver(5);
  const WallTime end = clock_.Wall();
  ASSERT_TRUE(Start(end - 4min, end - 2min));
  Append("comes later");
  EXPECT_THAT(RunReplay(10), ElementsAre("p1p2"));
  EXPECT_EQ(Last().skipped, 0U);
}

TEST_P(RetentionTest, ARestartResumesAReplayWithTheSameBytes) {
  AppendMany(5);
  Deliver(5);
  const Result<Replay> started = StartAll();
  ASSERT_TRUE(Settle(Delivered(*PrepareReplay(started->id, 2))));
  const Result<BatchId> on_its_way = PrepareReplay(started->id, 2);
  EXPECT_DOUBLE_EQ(Last().progress(), 0.8);
  const std::vector<PreparedBatch> before = *queue_->PreparedBatches("cloud");
  ASSERT_EQ(before.size(), 1U);
  for (const bool clean : {false, true}) {
    if (clean) {
      Options options = MakeOptions();
      options.path = dir_ / "left-1/queue.db";
      options.runtime_dir = dir_ / "left-1/run";
      queue_.reset();
      queue_ = *Open(options, clock_);
    } else {
      Crash();
    }
    const std::vector<PreparedBatch> after = *queue_->PreparedBatches("cloud");
    ASSERT_EQ(after.size(), 1U);
    EXPECT_EQ(after[0].id, *on_its_way);
    EXPECT_EQ(after[0].idempotency_key, before[0].idempotency_key);
    EXPECT_EQ(after[0].body, "p2p3");
    EXPECT_EQ(after[0].replay, started->id);
    EXPECT_TRUE(after[0].maybe_sent);
  }
  EXPECT_EQ(Append("live"), 6U);
  const BatchId live = PrepareNext(1);
  EXPECT_GT(live, 0);
  ASSERT_TRUE(Settle(Delivered(*on_its_way)));
  EXPECT_THAT(RunReplay(2), ElementsAre("p4"));
  EXPECT_EQ(Last().state, Replay::State::kDone);
  EXPECT_EQ(Last().delivered, 5U);
  EXPECT_EQ(Row().replayed, 5U);
  EXPECT_EQ(Row().delivered, 5U);
  ExpectVerified();
}

TEST_P(RetentionTest, ARecordThatIsRefusedThisTimeIsCountedApart) {
  AppendMany(2);
  Deliver(2);
  const Result<Replay> started = StartAll();
  Settlement refused = Delivered(*PrepareReplay(started->id, 2));
  refused.dead.push_back(DeadRecord{1, 0, "rejected", "known already", "", 409});
  ASSERT_TRUE(Settle(std::move(refused)));
  RunReplay(1);
  EXPECT_EQ(Last().refused, 1U);
  EXPECT_EQ(Last().delivered, 1U);
  EXPECT_EQ(Row().replayed, 1U);
  EXPECT_EQ(Row().rejected, 0U);
  EXPECT_TRUE(queue_->DeadLetters(10, 0)->empty());
  ExpectVerified();
}

TEST_P(RetentionTest, ACancelledReplayEndsAndWhatIsPreparedStillGoes) {
  AppendMany(4);
  Deliver(4);
  const Result<Replay> started = StartAll();
  const Result<BatchId> batch = PrepareReplay(started->id, 2);
  for (const bool first : {true, false}) {
    std::optional<Result<Replay>> cancelled;
    queue_->CancelReplay(started->id, [&](Result<Replay> replay) { cancelled = std::move(replay); });
    EXPECT_EQ(Await(cancelled).has_value(), first);
  }
  EXPECT_FALSE(queue_->NextReplay("cloud"));
  ASSERT_TRUE(Settle(Delivered(*batch)));
  EXPECT_EQ(Last().state, Replay::State::kCancelled);
  EXPECT_EQ(Last().delivered, 2U);
  ExpectVerified();
}

TEST_P(RetentionTest, AReplayThatMakesNoSenseIsRefusedWithTheReason) {
  const WallTime now = clock_.Wall();
  const auto why = [&](const Result<Replay>& replay) { return replay ? "" : replay.error().message; };
  EXPECT_THAT(why(Start(now - 1h, now)), HasSubstr("nothing is stored of stream \"telemetry\""));
  AppendMany(1);
  EXPECT_THAT(why(Start(now - 1h, now, "alarms")), HasSubstr("set its retain_delivered"));
  EXPECT_THAT(why(Start(now - 1h, now, "other")), HasSubstr("no stream \"other\""));
  EXPECT_THAT(why(Start(now - 1h, now, "telemetry", "lake")), HasSubstr("no destination \"lake\""));
  EXPECT_THAT(why(Start(now, now)), HasSubstr("from must be before to"));
  EXPECT_THAT(why(Start(now - 2h, now - 1h)), HasSubstr("the oldest message is from 2026-11-20T08:15:31"));
  for (std::size_t i = 0; i < kMaxReplays; ++i) {
    ASSERT_TRUE(StartAll());
  }
  EXPECT_THAT(why(StartAll()), HasSubstr("16 replays are running"));
  RunReplay(10);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(StartAll());
  }
  EXPECT_EQ(queue_->Replays().size(), kMaxReplays) << "the oldest that have ended are forgotten";
  Reopen();
  EXPECT_EQ(queue_->Replays().size(), kMaxReplays);
}

}  // namespace
}  // namespace packhorse::queue
