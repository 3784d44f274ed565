#include "queue/values/suspect.h"

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>

#include "queue/clock/expiry.h"
#include "queue/inspect/check.h"
#include "queue/inspect/file_view.h"
#include "queue/sqlite/database.h"
#include "queue_fixture.h"
#include "record/canonical_record.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SuspectTest : public QueueTest {
 protected:
  Suspicion Fails(std::uint32_t refusals) const {
    return {"fails", "Internal Server Error", "req-7", 500, refusals, clock_.Wall(), clock_.Wall() + 30s};
  }
  Settlement SetAside(BatchId batch, Sequence sequence, bool keep = false, std::uint32_t record = 0) {
    Settlement settlement;
    settlement.batch = batch;
    settlement.http_status = 500;
    settlement.attempts = 3;
    settlement.set_aside.push_back(SetAsideRecord{sequence, record, Fails(2), keep});
    return settlement;
  }
  std::vector<Suspect> All() {
    Result<std::vector<Suspect>> suspects = queue_->Suspects("cloud", 100, 0);
    EXPECT_TRUE(suspects) << (suspects ? "" : suspects.error().message);
    return suspects ? *std::move(suspects) : std::vector<Suspect>();
  }
  Result<BatchId> Retry(std::int64_t id, std::unique_ptr<PreparedBatch> batch) {
    std::optional<Result<BatchId>> retried;
    queue_->RetrySuspect(id, std::move(batch), [&](Result<BatchId> made) { retried = std::move(made); });
    return Await(retried);
  }
  std::unique_ptr<PreparedBatch> BatchOf(const Suspect& suspect) {
    auto batch = MakeBatch({StoredMessage{suspect.sequence, suspect.message}});
    batch->members.front().first_record = suspect.record;
    batch->members.front().total_records = suspect.total_records;
    batch->members.front().received_hour = suspect.received_hour;
    return batch;
  }
  Status Drop(std::int64_t id) {
    std::optional<Status> dropped;
    queue_->DropSuspect(id, [&](const Status& status) { dropped = status; });
    return Await(dropped);
  }
  // Three messages, of which the second is set aside and the others are delivered.
  Suspect MakeOne(bool keep = false) {
    for (const char* payload : {"one", "two", "three"}) {
      Append(payload);
    }
    EXPECT_TRUE(Settle(Delivered(PrepareNext(1))));
    EXPECT_TRUE(Settle(SetAside(PrepareNext(1), 2, keep)));
    EXPECT_TRUE(Settle(Delivered(PrepareNext(1))));
    const std::vector<Suspect> suspects = All();
    EXPECT_THAT(suspects, SizeIs(1));
    return suspects.empty() ? Suspect() : suspects.front();
  }
  // The process is killed, or the power is cut: what would be left is opened, with the runtime directory or without.
  void Crash(bool power_cut) {
    const std::string left = dir_ / ("left-" + std::to_string(++crashes_));
    std::filesystem::create_directory(left);
    for (const char* name : {"queue.db", "queue.db-wal"}) {
      std::filesystem::copy(dir_ / name, left);
    }
    if (!power_cut && std::filesystem::exists(dir_ / "run")) {
      std::filesystem::copy(dir_ / "run", left + "/run", std::filesystem::copy_options::recursive);
    }
    queue_.reset();
    Options options = MakeOptions();
    options.path = left + "/queue.db";
    options.runtime_dir = left + "/run";
    Result<std::unique_ptr<Queue>> opened = Open(options, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
  }
  void Change(const std::string& sql) {
    Result<Database> db = Database::Open(dir_ / "queue.db", Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db) << db.error().message;
    Status changed = db->Execute(sql);
    ASSERT_TRUE(changed) << changed.error().message;
  }
  std::string FirstProblem() {
    const Result<CheckReport> report = CheckAll(dir_ / "queue.db");
    return report && !report->problems.empty() ? report->problems.front() : "";
  }

  int crashes_ = 0;

  void EndOfMaxAge() {
    Limits limits;
    limits.max_age = 24h;
    queue_->SetLimits(limits);
    clock_.Advance(25h);
    EXPECT_FALSE(queue_->EnforceLimits(clock_.Mono()).expire_soon.empty());
    clock_.Advance(Expiry::Wait(limits.max_age));  // nothing ends before it has been told for so long
    const LimitReport report = queue_->EnforceLimits(clock_.Mono());
    EXPECT_FALSE(report.problem);
  }
};

TEST_P(SuspectTest, RecordThatIsSetAsideIsPendingAndHoldsNothingUp) {
  const Suspect suspect = MakeOne();
  EXPECT_EQ(suspect.sequence, 2U);
  EXPECT_EQ(suspect.message.payload, "two");
  EXPECT_EQ(suspect.message.topic, "site/a/dev/17/telemetry");
  EXPECT_EQ(suspect.stream_name, "telemetry");
  EXPECT_EQ(suspect.record_id, RecordId(queue_->id(), Lane::kNormal, 2, std::nullopt));
  EXPECT_EQ(suspect.suspicion.refusals, 2U);
  EXPECT_EQ(suspect.suspicion.detail, "Internal Server Error");
  EXPECT_EQ(suspect.suspicion.http_status, 500);
  EXPECT_FALSE(suspect.retrying);
  EXPECT_EQ(suspect.kept, nullptr);
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Row().delivered, 2U);
  EXPECT_EQ(queue_->SuspectCount("cloud"), 1U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 0U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).prepared_messages, 0U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).set_aside, 1U);
  ExpectVerified();
}

TEST_P(SuspectTest, RecordThatIsSetAsidePinsNoSegment) {
  MakeOne();
  ExpectVerified();  // checkpoints
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().segments, 0U);
  EXPECT_EQ(All().front().message.payload, "two");
  EXPECT_EQ(queue_->Read(Lane::kNormal, 2)->message.payload, "two");
  ASSERT_TRUE(Retry(All().front().id, BatchOf(All().front())));
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().segments, 0U);
}

TEST_P(SuspectTest, WhatIsKnownAgainstItSurvivesAnOrderlyEnd) {
  const Suspect before = MakeOne();
  Reopen();
  const std::vector<Suspect> after = All();
  ASSERT_THAT(after, SizeIs(1));
  EXPECT_EQ(after[0].id, before.id);
  EXPECT_EQ(after[0].suspicion.refusals, 2U);
  EXPECT_EQ(after[0].suspicion.first_refused_at, before.suspicion.first_refused_at);
  EXPECT_EQ(after[0].suspicion.last_refused_at, before.suspicion.last_refused_at);
  EXPECT_EQ(after[0].message.payload, "two");
  EXPECT_EQ(queue_->SuspectCount("cloud"), 1U);
  ExpectVerified();
}

TEST_P(SuspectTest, BatchWithAnUnknownOutcomeStaysAndGoesAgainByteForByte) {
  const Suspect suspect = MakeOne(true);
  ASSERT_NE(suspect.kept, nullptr);
  const std::string key = suspect.kept->idempotency_key;
  const std::string body = suspect.kept->body;
  Reopen();
  ASSERT_NE(All().front().kept, nullptr);
  const Result<BatchId> batch = Retry(suspect.id, nullptr);
  ASSERT_TRUE(batch) << batch.error().message;
  const std::vector<PreparedBatch> prepared = *queue_->PreparedBatches("cloud");
  ASSERT_THAT(prepared, SizeIs(1));
  EXPECT_EQ(prepared[0].idempotency_key, key);
  EXPECT_EQ(prepared[0].body, body);
  EXPECT_TRUE(prepared[0].suspect);
  ASSERT_TRUE(Settle(Delivered(*batch)));
  EXPECT_EQ(Row().pending, 0U);
}

TEST_P(SuspectTest, BatchIsNoLongerKeptOnceItsOutcomeIsKnown) {
  const Suspect suspect = MakeOne(true);
  const Result<BatchId> batch = Retry(suspect.id, nullptr);
  ASSERT_TRUE(batch);
  ASSERT_TRUE(Settle(SetAside(*batch, 2, false)));
  EXPECT_EQ(All().front().kept, nullptr);
  Reopen();
  EXPECT_EQ(All().front().kept, nullptr);
}

TEST_P(SuspectTest, RetryThatIsDeliveredEndsItAsDelivered) {
  const Suspect suspect = MakeOne();
  const Result<BatchId> batch = Retry(suspect.id, BatchOf(suspect));
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_TRUE(All().front().retrying);
  EXPECT_EQ(Row().pending, 1U);
  ExpectVerified();
  EXPECT_FALSE(Retry(suspect.id, BatchOf(suspect)));  // it is on its way
  ASSERT_TRUE(Settle(Delivered(*batch)));
  EXPECT_THAT(All(), IsEmpty());
  EXPECT_EQ(queue_->SuspectCount("cloud"), 0U);
  EXPECT_EQ(Row().delivered, 3U);
  EXPECT_EQ(Row().pending, 0U);
  EXPECT_EQ(Row().records_delivered, 3U);
  ExpectVerified();
  EXPECT_EQ(queue_->Trace(Lane::kNormal, 2, std::nullopt)->places.front().state, PlaceState::kDelivered);
}

TEST_P(SuspectTest, RetryIsTakenUpAgainAfterARestart) {
  const Suspect suspect = MakeOne();
  const Result<BatchId> batch = Retry(suspect.id, BatchOf(suspect));
  ASSERT_TRUE(batch);
  Reopen();
  EXPECT_TRUE(All().front().retrying);
  const std::vector<PreparedBatch> prepared = *queue_->PreparedBatches("cloud");
  ASSERT_THAT(prepared, SizeIs(1));
  EXPECT_TRUE(prepared[0].suspect);
  EXPECT_TRUE(prepared[0].maybe_sent);
  ASSERT_TRUE(Settle(SetAside(prepared[0].id, 2)));
  EXPECT_FALSE(All().front().retrying);
  EXPECT_EQ(All().front().id, suspect.id);
  ExpectVerified();
}

TEST_P(SuspectTest, RetryThatIsRefusedForGoodBecomesADeadLetterWithItsId) {
  const Suspect suspect = MakeOne();
  const Result<BatchId> batch = Retry(suspect.id, BatchOf(suspect));
  ASSERT_TRUE(batch);
  Settlement refused = Delivered(*batch);
  refused.dead.push_back(DeadRecord{2, 0, "rejected", "no", "req-9", 422});
  ASSERT_TRUE(Settle(std::move(refused)));
  EXPECT_THAT(All(), IsEmpty());
  const std::vector<DeadLetter> letters = *queue_->DeadLetters(10, 0);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].id, suspect.id);
  EXPECT_EQ(letters[0].message.payload, "two");
  EXPECT_EQ(Row().rejected, 1U);
  EXPECT_EQ(Row().pending, 0U);
  ExpectVerified();
}

TEST_P(SuspectTest, IdsOfSuspectsAndLettersNeverMeet) {
  MakeOne();
  Append("four");
  Settlement refused = Delivered(PrepareNext(1));
  refused.dead.push_back(DeadRecord{4, 0, "rejected", "no", "req-9", 422});
  ASSERT_TRUE(Settle(std::move(refused)));
  EXPECT_NE(queue_->DeadLetters(10, 0)->front().id, All().front().id);
  Reopen();
  Append("five");
  ASSERT_TRUE(Settle(SetAside(PrepareNext(1), 5)));
  EXPECT_GT(All().back().id, queue_->DeadLetters(10, 0)->front().id);
}

TEST_P(SuspectTest, AtTheEndOfMaxAgeItIsRejectedWithTheLastReply) {
  const Suspect suspect = MakeOne();
  EndOfMaxAge();
  EXPECT_THAT(All(), IsEmpty());
  EXPECT_EQ(Row().rejected, 1U);
  EXPECT_EQ(Row().expired, 0U);
  EXPECT_EQ(Row().pending, 0U);
  const std::vector<DeadLetter> letters = *queue_->DeadLetters(10, 0);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].id, suspect.id);
  EXPECT_EQ(letters[0].reason, "fails");
  EXPECT_EQ(letters[0].detail, "Internal Server Error");
  EXPECT_EQ(letters[0].provider_request_id, "req-7");
  EXPECT_EQ(letters[0].http_status, 500);
  ExpectVerified();
}

TEST_P(SuspectTest, OneThatIsOnItsWayDoesNotEndByAge) {
  const Suspect suspect = MakeOne();
  ASSERT_TRUE(Retry(suspect.id, BatchOf(suspect)));
  EndOfMaxAge();
  EXPECT_THAT(All(), SizeIs(1));
  EXPECT_EQ(Row().pending, 1U);
}

TEST_P(SuspectTest, DropEndsItAsRejectedWithoutALetter) {
  const Suspect suspect = MakeOne();
  ASSERT_TRUE(Drop(suspect.id));
  EXPECT_THAT(All(), IsEmpty());
  EXPECT_THAT(*queue_->DeadLetters(10, 0), IsEmpty());
  EXPECT_EQ(Row().rejected, 1U);
  EXPECT_EQ(Row().pending, 0U);
  EXPECT_EQ(Drop(suspect.id).error().code, ErrorCode::kNotFound);
  ExpectVerified();
  EXPECT_EQ(queue_->Trace(Lane::kNormal, 2, std::nullopt)->places.front().state, PlaceState::kRejected);
  EXPECT_EQ(queue_->Trace(Lane::kNormal, 3, std::nullopt)->places.front().state, PlaceState::kDelivered);
}

TEST_P(SuspectTest, NoLimitButMaxBytesTakesIt) {
  MakeOne();
  Append("waits");
  Limits limits;
  limits.max_messages = 1;
  queue_->SetLimits(limits);
  queue_->EnforceLimits(clock_.Mono());
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 1U);
  EXPECT_EQ(queue_->SuspectCount("cloud"), 1U);
}

TEST_P(SuspectTest, MaxBytesTakesEverythingElseFirst) {
  MakeOne();
  Append(std::string(5'000, 'x'));
  ExpectVerified();
  Limits limits;
  limits.max_bytes = 1;
  queue_->SetLimits(limits);
  for (int call = 0; call < 8 && queue_->Waiting("cloud", Lane::kNormal).messages > 0; ++call) {
    EXPECT_EQ(queue_->SuspectCount("cloud"), 1U);
    queue_->EnforceLimits(clock_.Mono());
    ExpectVerified();
  }
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages, 0U);
  EXPECT_EQ(queue_->SuspectCount("cloud"), 1U);
  for (int call = 0; call < 8 && queue_->SuspectCount("cloud") > 0; ++call) {
    queue_->EnforceLimits(clock_.Mono());
    ExpectVerified();
  }
  EXPECT_EQ(queue_->SuspectCount("cloud"), 0U);
  EXPECT_EQ(Row().dropped, 2U);
  EXPECT_EQ(Row().drop_reasons, (std::vector<std::pair<std::string, std::uint64_t>>{{"max_bytes", 2U}}));
  ExpectVerified();
}

TEST_P(SuspectTest, MessageOfSeveralRecordsEndsWithTheLastOfThem) {
  Append("one");
  const BatchId batch = PrepareNext(1, 3);
  ASSERT_TRUE(Settle(SetAside(batch, 1, false, 1)));
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Row().records_delivered, 2U);
  ExpectVerified();
  const Suspect suspect = All().front();
  EXPECT_EQ(suspect.record, 1U);
  EXPECT_EQ(suspect.total_records, 3U);
  Reopen();
  const Result<BatchId> again = Retry(suspect.id, BatchOf(suspect));
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_TRUE(Settle(Delivered(*again)));
  EXPECT_EQ(Row().delivered, 1U);
  EXPECT_EQ(Row().records_delivered, 3U);
  ExpectVerified();
}

TEST_P(SuspectTest, MessagesThatAreSetAsideCountOnceWhateverTheNumberOfTheirRecords) {
  Append("one");
  Append("two");
  Settlement first = SetAside(PrepareNext(1, 3), 1, false, 0);
  first.set_aside.push_back(SetAsideRecord{1, 2, Fails(2), false});
  ASSERT_TRUE(Settle(std::move(first)));
  ASSERT_TRUE(Settle(SetAside(PrepareNext(1), 2)));
  EXPECT_EQ(queue_->SuspectCount("cloud"), 3U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).set_aside, 2U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kUrgent).set_aside, 0U);
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).prepared_messages, 0U);
  ExpectVerified();
}

TEST_P(SuspectTest, DeadLetterThatIsSentAgainMayBeSetAside) {
  Append("one");
  Settlement refused = Delivered(PrepareNext(1));
  refused.dead.push_back(DeadRecord{1, 0, "rejected", "no", "req-1", 422});
  ASSERT_TRUE(Settle(std::move(refused)));
  const DeadLetter letter = queue_->DeadLetters(10, 0)->front();
  auto batch = MakeBatch({StoredMessage{1, letter.message}});
  batch->replayed = true;
  std::optional<Result<BatchId>> replayed;
  queue_->RedriveDead({letter.id}, std::move(batch), [&](Result<BatchId> id) { replayed = std::move(id); });
  const Result<BatchId> id = Await(replayed);
  ASSERT_TRUE(id);
  ASSERT_TRUE(Settle(SetAside(*id, 1)));
  EXPECT_THAT(*queue_->DeadLetters(10, 0), IsEmpty());
  EXPECT_EQ(queue_->Snapshot().dead_letters, 0U);
  EXPECT_THAT(All(), SizeIs(1));
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Row().rejected, 0U);
  ExpectVerified();
}

TEST_P(SuspectTest, RemainderOfARetryIsStillASuspect) {
  const Suspect suspect = MakeOne();
  const Result<BatchId> batch = Retry(suspect.id, BatchOf(suspect));
  ASSERT_TRUE(batch);
  Settlement again = Delivered(*batch);
  again.successors.push_back(BatchOf(suspect));
  const auto ids = Settle(std::move(again));
  ASSERT_TRUE(ids);
  EXPECT_TRUE(queue_->PreparedBatches("cloud")->front().suspect);
  EXPECT_TRUE(All().front().retrying);
  ASSERT_TRUE(Settle(Delivered(ids->front())));
  EXPECT_THAT(All(), IsEmpty());
  ExpectVerified();
}

TEST_P(SuspectTest, SettlementThatNamesARecordTwiceIsRefused) {
  Append("one");
  const BatchId batch = PrepareNext(1);
  Settlement twice = SetAside(batch, 1);
  twice.dead.push_back(DeadRecord{1, 0, "rejected", "no", "req-1", 422});
  EXPECT_EQ(Settle(std::move(twice)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Settle(SetAside(batch, 9)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Settle(SetAside(batch, 1, false, 1)).error().code, ErrorCode::kInvalidArgument);
}

TEST_P(SuspectTest, RemovedDestinationKeepsThem) {
  MakeOne();
  destinations_ = {"lake"};
  streams_ = {{"telemetry", Lane::kNormal, {"lake"}}};
  Reopen();
  EXPECT_EQ(queue_->SuspectCount("cloud"), 1U);
  EXPECT_EQ(Row().pending, 1U);
  ExpectVerified();
}

TEST_P(SuspectTest, KilledProcessLosesNothingOfIt) {
  const Suspect suspect = MakeOne(true);
  Crash(false);
  ASSERT_THAT(All(), SizeIs(1));
  EXPECT_EQ(All().front().suspicion.refusals, 2U);
  EXPECT_EQ(All().front().message.payload, "two");
  ASSERT_NE(All().front().kept, nullptr);
  EXPECT_EQ(All().front().kept->body, suspect.kept->body);
  ExpectVerified();
}

TEST_P(SuspectTest, KilledProcessGoesOnWithTheRetry) {
  const Suspect suspect = MakeOne();
  ASSERT_TRUE(Retry(suspect.id, BatchOf(suspect)));
  const std::string key = queue_->PreparedBatches("cloud")->front().idempotency_key;
  Crash(false);
  ASSERT_THAT(*queue_->PreparedBatches("cloud"), SizeIs(1));
  EXPECT_EQ(queue_->PreparedBatches("cloud")->front().idempotency_key, key);
  EXPECT_TRUE(All().front().retrying);
  ASSERT_TRUE(Settle(Delivered(queue_->PreparedBatches("cloud")->front().id)));
  EXPECT_EQ(Row().delivered, 3U);
  ExpectVerified();
}

TEST_P(SuspectTest, PowerCutLosesNothingThatWasCheckpointed) {
  const Suspect suspect = MakeOne();
  ExpectVerified();
  ASSERT_TRUE(Retry(suspect.id, BatchOf(suspect)));
  ExpectVerified();
  Crash(true);
  ASSERT_THAT(All(), SizeIs(1));
  EXPECT_TRUE(All().front().retrying);
  EXPECT_EQ(All().front().message.payload, "two");
  ExpectVerified();
}

TEST_P(SuspectTest, WhatWasSetAsideAndNotCheckpointedIsAtRisk) {
  if (GetParam() != Mode::kWindow) {
    return;  // the others have checkpointed
  }
  MakeOne();
  EXPECT_EQ(queue_->Snapshot().at_risk, 1U);
  ExpectVerified();
  EXPECT_EQ(queue_->Snapshot().at_risk, 0U);
}

TEST_P(SuspectTest, WhereAnswersThatItIsSetAside) {
  const Suspect suspect = MakeOne();
  MessageTrace found = *queue_->Trace(Lane::kNormal, 2, std::nullopt);
  ASSERT_THAT(found.places, SizeIs(1));
  EXPECT_EQ(found.places[0].state, PlaceState::kSetAside);
  ASSERT_THAT(found.places[0].set_aside, SizeIs(1));
  EXPECT_EQ(found.places[0].set_aside[0].id, suspect.id);
  EXPECT_EQ(found.places[0].set_aside[0].record_id, suspect.record_id);
  EXPECT_EQ(found.stream, "telemetry");
  EXPECT_EQ(found.topic, "site/a/dev/17/telemetry");
  EXPECT_EQ(queue_->Trace(Lane::kNormal, 3, std::nullopt)->places[0].state, PlaceState::kDelivered);
}

TEST_P(SuspectTest, FileOfAStoppedDaemonShowsIt) {
  const Suspect suspect = MakeOne();
  queue_.reset();
  Result<FileView> view = FileView::Open(MakeOptions().path, MakeOptions().runtime_dir);
  ASSERT_TRUE(view) << view.error().message;
  const Result<std::vector<Suspect>> suspects = view->Suspects(10, 0);
  ASSERT_TRUE(suspects);
  ASSERT_THAT(*suspects, SizeIs(1));
  EXPECT_EQ(suspects->front().record_id, suspect.record_id);
  EXPECT_EQ(suspects->front().destination, "cloud");
  EXPECT_EQ(view->FindSuspect(suspect.id)->message.payload, "two");
  EXPECT_EQ(view->FindSuspect(suspect.id + 1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(view->Snapshot()->suspects, 1U);
  EXPECT_EQ(view->Trace(Lane::kNormal, 2, std::nullopt)->places[0].state, PlaceState::kSetAside);
}

TEST_P(SuspectTest, CheckFindsWhatDoesNotFit) {
  const Suspect suspect = MakeOne();
  queue_.reset();
  EXPECT_EQ(FirstProblem(), "");
  Change("UPDATE suspects SET retrying = 1");
  EXPECT_THAT(FirstProblem(), HasSubstr("should be in a batch, and is in none"));
  Change("UPDATE suspects SET retrying = 0; CREATE TEMP TABLE kept AS SELECT * FROM suspects; DELETE FROM suspects");
  EXPECT_THAT(FirstProblem(), HasSubstr("1 pending in the ledger, but 0 stored"));
}

TEST_P(SuspectTest, CheckFindsBytesThatChanged) {
  MakeOne();
  queue_.reset();
  Change("UPDATE suspects SET message = x'0011223344'");
  EXPECT_THAT(FirstProblem(), HasSubstr("set aside for cloud does not decode"));
}

TEST_P(SuspectTest, SalvageKeepsIt) {
  const Suspect suspect = MakeOne();
  ASSERT_TRUE(Retry(suspect.id, BatchOf(suspect)));
  ExpectVerified();
  queue_->NoteDamage("test");
  Reopen();
  ASSERT_THAT(All(), SizeIs(1));
  EXPECT_FALSE(All().front().retrying);
  EXPECT_THAT(*queue_->PreparedBatches("cloud"), IsEmpty());
  EXPECT_EQ(All().front().message.payload, "two");
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Row().dropped, 0U);
  ExpectVerified();
  ASSERT_TRUE(Settle(Delivered(*Retry(suspect.id, BatchOf(suspect)))));
  EXPECT_EQ(Row().delivered, 3U);
}

TEST_P(SuspectTest, SalvageThatSendsEverythingAgainCountsNoMessageTwice) {
  Append("stays with its segment");
  Append("the rest of the segment");
  Append("of three records");
  ExpectVerified();
  ASSERT_TRUE(Settle(SetAside(PrepareNext(1), 1)));
  PrepareNext(1);  // holds the segment
  ASSERT_TRUE(Settle(SetAside(PrepareNext(1, 3), 3, false, 1)));
  ExpectVerified();
  queue_.reset();
  Change(
      "INSERT INTO batches(destination, lane, first_sequence, first_record, idempotency_key, trace_id, contract, path,"
      " content_type, content_encoding, uncompressed_bytes, records, members, replayed, created_at, oldest_at, body)"
      " VALUES (1, 1, 1, 0, 'k', '', '', '', '', '', 0, 1, x'ff', 0, 0, 0, x'')");
  Reopen();
  ASSERT_TRUE(queue_->start().salvaged);
  EXPECT_EQ(Row().received, 3U);
  EXPECT_EQ(Row().pending, 3U);
  EXPECT_EQ(Row().dropped, 0U);
  ExpectVerified();
  EXPECT_EQ(queue_->Waiting("cloud", Lane::kNormal).messages + queue_->SuspectCount("cloud"), 3U);
}

INSTANTIATE_TEST_SUITE_P(Modes, SuspectTest, testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

}  // namespace
}  // namespace packhorse::queue
