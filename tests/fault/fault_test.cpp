// Every single write and sync of a queue's life fails once: nothing acknowledged is lost, and it goes on by itself.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "failing_step.h"
#include "queue/queue.h"
#include "support/manual_clock.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/vfs/test_vfs.h"

namespace packhorse::queue {
namespace {

using test::FailingStep;
using test::TestVfs;

// More than a life has writes and syncs: the loop ends before.
constexpr int kMaxCalls = 500;

class Life {
 public:
  explicit Life(bool strict) {
    options_.path = dir_ / "queue.db";
    options_.runtime_dir = dir_ / "run";
    options_.strict = strict;
    options_.streams = {{"telemetry", Lane::kNormal, {"cloud"}}};
    options_.destinations = {"cloud"};
    Reopen();
  }
  void Reopen() {
    const Status opened = TryReopen();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  Status TryReopen() {
    queue_.reset();
    Result<std::unique_ptr<Queue>> opened = Open(options_, clock_);
    if (!opened) {
      return opened.error();
    }
    queue_ = *std::move(opened);
    return {};
  }
  void Append() {
    RawMessage message;
    message.stream = *queue_->Stream("telemetry");
    message.payload = "message";
    message.received_at = clock_.Wall();
    const Result<Sequence> sequence = queue_->Append(message);
    ASSERT_TRUE(sequence);
    ASSERT_GT(*sequence, last_);
    last_ = *sequence;
    ++appended_;
  }
  // Prepares what waits and settles it; the first of it is set aside where that is asked for.
  void Deliver(bool sets_aside = false) {
    Result<Pending> pending = Again([&] { return queue_->Peek("cloud", Lane::kNormal, 100, 1ULL << 20U); });
    ASSERT_TRUE(pending) << pending.error().message;
    PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
    auto batch = std::make_unique<PreparedBatch>();
    batch->destination = "cloud";
    batch->idempotency_key = "key-" + std::to_string(last_);
    for (const StoredMessage& stored : pending->messages) {
      batch->members.push_back(Member{stored.sequence, stored.message.stream, 0, 1, 1, 0});
      ++batch->records;
    }
    const std::uint64_t messages = batch->members.size() - (sets_aside ? 1 : 0);
    const Sequence first = batch->members.front().sequence;
    request.batches.push_back(std::move(batch));
    const BatchId prepared = Await([&](auto done) { queue_->Prepare(std::move(request), done); }).front();
    const auto settle = [&] {
      Settlement settlement;
      settlement.batch = prepared;
      if (sets_aside) {
        settlement.set_aside.push_back(SetAsideRecord{first, 0, Suspicion{"fails", "", "", 500, 1, {}, {}}, false});
      }
      return TryAwait([&](auto done) { queue_->Settle(std::move(settlement), done); });
    };
    // To set a record aside its message is read, which the disk may refuse once.
    const Result<Ids> settled = sets_aside ? Again(settle) : settle();
    ASSERT_TRUE(settled) << settled.error().message;
    delivered_ += messages;
  }
  // What is set aside is sent again, and delivered.
  void DeliverSuspect() {
    const Result<std::vector<Suspect>> suspects = Again([&] { return queue_->Suspects("cloud", 10, 0); });
    ASSERT_TRUE(suspects) << suspects.error().message;
    ASSERT_EQ(suspects->size(), 1U);
    const Suspect& suspect = suspects->front();
    ASSERT_EQ(suspect.message.payload, "message");
    const Result<BatchId> batch = Again([&] {
      auto again = std::make_unique<PreparedBatch>();
      again->idempotency_key = "again";
      again->lane = suspect.lane;
      again->members.push_back(Member{suspect.sequence, suspect.stream, 0, 1, 1, suspect.received_hour});
      again->records = 1;
      std::optional<Result<BatchId>> answer;
      queue_->RetrySuspect(suspect.id, std::move(again), [&](Result<BatchId> id) { answer = std::move(id); });
      EXPECT_TRUE(test::WaitFor([&] {
        queue_->Poll();
        return answer.has_value();
      }));
      return *answer;
    });
    ASSERT_TRUE(batch) << batch.error().message;
    Settlement settlement;
    settlement.batch = *batch;
    static_cast<void>(Await([&](auto done) { queue_->Settle(std::move(settlement), done); }));
    ++delivered_;
  }
  // The new destination gets what is stored. A refusal leaves everything as it was, also the ledger.
  bool AddDestination() {
    Result<Queue::Ahead> counted = CountAhead();
    EXPECT_TRUE(test::WaitFor([&] {
      counted = counted && *counted != Queue::Ahead::kDone ? CountAhead() : counted;
      return !counted || *counted == Queue::Ahead::kDone;
    }));
    if (!counted || !queue_->Reconfigure(with_lake_, {"cloud", {"lake", StartAt::kOldest}})) {
      return false;
    }
    options_.streams = with_lake_;
    options_.destinations = {"cloud", {"lake", StartAt::kOldest}};
    return true;
  }
  // One segment.
  Result<Queue::Ahead> CountAhead() { return queue_->CountAhead(with_lake_, {"cloud", {"lake", StartAt::kOldest}}, 1); }
  // A checkpoint that is under way takes what was delivered with it: the next one.
  void CheckpointWithoutWaiting() {
    queue_->Checkpoint([](const Status&) {});
  }
  std::uint64_t WaitingForLake() { return queue_->Waiting("lake", Lane::kNormal).messages; }
  void Advance(std::chrono::seconds by) { clock_.Advance(by); }
  void Verify() const {
    const Result<std::vector<std::string>> gaps = Again([&] { return Check(); });
    ASSERT_TRUE(gaps) << gaps.error().message;
    ASSERT_TRUE(gaps->empty()) << gaps->front();
    const Result<Ledger> ledger = queue_->ReadLedger();
    const LedgerRow row = ledger->rows.empty() ? LedgerRow() : ledger->rows.front();
    ASSERT_EQ(row.received, appended_);
    ASSERT_EQ(row.delivered, delivered_);
    ASSERT_EQ(row.pending, appended_ - delivered_);
  }
  // Takes effect at once, for two stored messages and those that follow, or not at all.
  void AddDestinationWhileIdle() {
    ASSERT_TRUE(test::WaitFor([&] { return queue_->Snapshot().last_error.empty(); }));
    const bool added = AddDestination();
    Append();
    ASSERT_EQ(queue_->Waiting("lake", Lane::kNormal).messages, added ? 3U : 0U);
    Verify();
    Append();
    ASSERT_EQ(queue_->Waiting("lake", Lane::kNormal).messages, added ? 4U : 0U);
    Verify();
    if (!added) {
      ASSERT_TRUE(AddDestination());
    }
  }
  StartReport::How Found() const { return queue_->start().how; }
  std::uint64_t StoredMessages() const { return queue_->Snapshot().messages; }
  void Play() {
    Append();
    Append();
    Verify();
    Deliver();
    Append();
    if (!AddDestination()) {
      Append();
      Verify();
      ASSERT_TRUE(AddDestination());
    }
    Append();
    clock_.Advance(std::chrono::minutes(2));
    Verify();
    Deliver(true);
    Verify();
    DeliverSuspect();
    Verify();
  }

 private:
  using Ids = std::vector<BatchId>;
  // What could not be read is a finding of the check; here it is a refusal.
  Result<std::vector<std::string>> Check() const {
    Result<std::vector<std::string>> gaps = queue_->VerifyLedger();
    if (gaps && !gaps->empty() && gaps->front().starts_with("the database cannot be read any further")) {
      return Error{ErrorCode::kUnavailable, gaps->front()};
    }
    return gaps;
  }
  // What only reads may be refused once, as the disk may refuse to be read.
  template <typename Read>
  static std::invoke_result_t<Read> Again(Read read) {
    std::invoke_result_t<Read> answer = read();
    return answer ? std::move(answer) : read();
  }
  template <typename Call>
  Result<Ids> TryAwait(Call call) {
    std::optional<Result<Ids>> answer;
    call([&](Result<Ids> ids) { answer = std::move(ids); });
    EXPECT_TRUE(test::WaitFor([&] {
      queue_->Poll();
      return answer.has_value();
    }));
    return *answer;
  }
  template <typename Call>
  Ids Await(Call call) {
    const Result<Ids> ids = TryAwait(call);
    EXPECT_TRUE(ids) << (ids ? "" : ids.error().message);
    return ids ? *ids : Ids{0};
  }

  const std::vector<StreamOptions> with_lake_ = {{"telemetry", Lane::kNormal, {"cloud", "lake"}}};
  test::TempDir dir_;
  test::ManualClock clock_;
  Options options_;
  std::unique_ptr<Queue> queue_;
  Sequence last_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t delivered_ = 0;
};

// Parts that run beside each other: of so many calls that follow each other one each.
constexpr int kParts = 4;
class FaultPart : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Parts, FaultPart, testing::Range(0, kParts));

template <typename Fault>
void FailEveryCall(bool strict, int code, int part) {
  Fault::Install();
  int n = 1 + part;
  for (; n < kMaxCalls; n += kParts) {
    SCOPED_TRACE("call " + std::to_string(n) + " failed");
    Life life(strict);
    Fault::FailNth(n, code);
    life.Play();
    const bool failed = Fault::Failed();
    Fault::Heal();
    if (::testing::Test::HasFatalFailure()) {
      return;
    }
    life.Reopen();
    life.Append();
    life.Verify();
    if (!failed) {
      break;
    }
  }
  std::cout << "up to call " << n - kParts << " failed, one in each life\n";
  EXPECT_LT(n, kMaxCalls);
  EXPECT_GT(n, 5);
}

// The start fails with what happened, or finds everything; it never takes the queue for damaged.
TEST(Fault, EveryStepOfAStartThatFailsOnceLeavesEverythingToTheNextStart) {
  for (int n = 1; n < kMaxCalls; ++n) {
    SCOPED_TRACE("step " + std::to_string(n) + " failed");
    Life life(false);
    life.Append();
    life.Append();
    life.Deliver(true);
    life.Append();
    FailingStep::FailNth(n, SQLITE_IOERR_READ);
    const Status opened = life.TryReopen();
    const bool failed = FailingStep::Failed();
    FailingStep::Heal();
    life.Reopen();
    life.Verify();
    life.Append();
    life.Verify();
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << (opened ? "opened" : opened.error().message);
    if (!failed) {
      EXPECT_GT(n, 20);
      return;
    }
  }
  FAIL() << "a start has more steps than were tried";
}

// A checkpoint without operations does not move the position: whether it is in shows elsewhere.
TEST(Fault, ReconfigureOfAnIdleQueueThatFailsHasNotHappenedAndOneThatSucceedsHas) {
  TestVfs::Install();
  int n = 1;
  for (; n < kMaxCalls; ++n) {
    SCOPED_TRACE("call " + std::to_string(n) + " failed");
    Life life(false);
    life.Append();
    life.Append();
    life.Verify();
    TestVfs::FailNth(n, SQLITE_IOERR_WRITE);
    life.AddDestinationWhileIdle();
    const bool failed = TestVfs::Failed();
    TestVfs::Heal();
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
    ASSERT_EQ(life.StoredMessages(), 4U);
    life.Reopen();
    ASSERT_EQ(life.StoredMessages(), 4U);
    life.Append();
    life.Verify();
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
    if (!failed) {
      break;
    }
  }
  EXPECT_GT(n, 5);
}

// That checkpoint was begun before anything was held back: what it lets go must not be counted.
TEST(Fault, CountWaitsForACheckpointThatTheDiskRefused) {
  TestVfs::Install();
  Life life(false);
  for (int i = 0; i < 3; ++i) {
    life.Append();
    life.Verify();
  }
  life.Deliver();
  TestVfs::FailNth(1, SQLITE_IOERR_WRITE);
  life.CheckpointWithoutWaiting();
  ASSERT_TRUE(test::WaitFor([] { return TestVfs::Failed(); }));
  ASSERT_TRUE(life.AddDestination());
  TestVfs::Heal();
  EXPECT_EQ(life.WaitingForLake(), 0U);
  life.Verify();
  EXPECT_EQ(life.StoredMessages(), 0U);
}

TEST(Fault, CountIsRefusedAfterAWhileWhenTheDiskTakesNoCheckpoint) {
  TestVfs::Install();
  Life life(false);
  life.Append();
  TestVfs::FailNth(1, SQLITE_IOERR_WRITE);
  life.CheckpointWithoutWaiting();
  Result<Queue::Ahead> counted = Queue::Ahead::kWaits;
  ASSERT_TRUE(test::WaitFor([&] {
    if (TestVfs::Failed()) {
      TestVfs::FailNth(1, SQLITE_IOERR_WRITE);
      counted = life.CountAhead();
      life.Advance(std::chrono::seconds(1));
    }
    return !counted;
  }));
  EXPECT_EQ(counted.error().code, ErrorCode::kUnavailable);
  TestVfs::Heal();
  life.Verify();
  EXPECT_TRUE(life.AddDestination());
  EXPECT_EQ(life.WaitingForLake(), 1U);
}

TEST(Fault, LastCheckpointThatFailsOnceIsTriedAgainBeforeTheEnd) {
  TestVfs::Install();
  Life life(false);
  life.Append();
  TestVfs::FailNth(1, SQLITE_IOERR_WRITE);
  life.Reopen();
  EXPECT_TRUE(TestVfs::Failed());
  TestVfs::Heal();
  EXPECT_EQ(life.Found(), StartReport::How::kClean);
  life.Verify();
}

TEST_P(FaultPart, EveryWriteOrSyncThatFailsOnceLosesNothing) {
  FailEveryCall<TestVfs>(false, SQLITE_IOERR_WRITE, GetParam());
}
TEST_P(FaultPart, EveryWriteOrSyncThatFailsOnceLosesNothingInModeStrict) {
  FailEveryCall<TestVfs>(true, SQLITE_IOERR_WRITE, GetParam());
}
TEST_P(FaultPart, EveryStepOfAStatementThatFailsOnceLosesNothing) {
  FailEveryCall<FailingStep>(false, SQLITE_NOMEM, GetParam());
}
TEST_P(FaultPart, FullDiskAtEveryWriteLosesNothing) { FailEveryCall<TestVfs>(false, SQLITE_FULL, GetParam()); }

}  // namespace
}  // namespace packhorse::queue
