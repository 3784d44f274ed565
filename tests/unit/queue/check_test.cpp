#include "queue/inspect/check.h"

#include <gmock/gmock.h>

#include "queue/sqlite/database.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Five messages: delivered, dead, in a batch, and two that wait; beside them one in quarantine.
class CheckTest : public QueueTest {
 protected:
  void Fill() {
    for (const char* payload : {"one", "two", "three", "four", "five"}) {
      Append(payload);
    }
    Settlement settlement = Delivered(PrepareNext(2));
    settlement.dead.push_back(DeadRecord{2, 0, "rejected", "no", "req-1", 422});
    ASSERT_TRUE(Settle(std::move(settlement)));
    PrepareNext(1);
    ASSERT_TRUE(queue_->Quarantine(Message("huge"), "too_large", ""));
    queue_.reset();
  }

  void Change(const std::string& sql) {
    Result<Database> db = Database::Open(dir_ / "queue.db", Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db) << db.error().message;
    Status changed = db->Execute(sql);
    ASSERT_TRUE(changed) << changed.error().message;
  }

  CheckReport Report() {
    Result<CheckReport> report = CheckAll(dir_ / "queue.db");
    EXPECT_TRUE(report) << report.error().message;
    return *std::move(report);
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, CheckTest, ::testing::Values(Mode::kWindow, Mode::kWithoutJournal), NameOf);

TEST_P(CheckTest, AQueueInOrderHasNoProblemsAndIsCounted) {
  Fill();
  const CheckReport report = Report();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.problem_count, 0U);
  EXPECT_GE(report.messages, 3U);  // those that somebody needs, and what is stored with them
  EXPECT_EQ(report.batches, 1U);
  EXPECT_EQ(report.dead_letters, 1U);
  EXPECT_EQ(report.quarantined, 1U);
}

TEST_P(CheckTest, ARunningQueueIsCheckedInPiecesWhileItGoesOn) {
  for (int i = 0; i < 100; ++i) {
    Append("payload");
  }
  ExpectVerified();  // all of it is in the database now
  Result<std::unique_ptr<Check>> check = Check::Begin(dir_ / "queue.db");
  ASSERT_TRUE(check) << check.error().message;
  int steps = 0;
  while (!(*check)->Step(1)) {
    ++steps;
    Append("more");
    if (steps == 3) {
      ExpectVerified();
    }
  }
  EXPECT_GT(steps, 10);
  EXPECT_THAT((*check)->report().problems, IsEmpty());
  EXPECT_EQ((*check)->report().messages, 100U) << "what came later is not part of it";
}

TEST_P(CheckTest, ASegmentWhoseBytesChangedIsNamed) {
  Fill();
  Change("UPDATE segments SET blob = CAST(substr(blob, 1, length(blob) - 1) || x'00' AS BLOB)");
  const CheckReport report = Report();
  EXPECT_THAT(report.problems, Contains(HasSubstr("of lane normal does not decode")));
  EXPECT_THAT(report.problems, Contains(HasSubstr("is not stored"))) << "of the batch";
}

TEST_P(CheckTest, CountersThatDoNotMatchWhatIsStoredAreNamed) {
  Fill();
  Change(
      "UPDATE ledger SET messages = messages + 1 WHERE outcome = 0; UPDATE pending SET waiting = waiting + 1;"
      "UPDATE lanes SET messages = messages + 1 WHERE lane = 1");
  const CheckReport report = Report();
  EXPECT_THAT(report.problems,
              Contains(HasSubstr("stream telemetry, destination cloud: received 7, but 3 ended and 3 pending")));
  EXPECT_THAT(report.problems, Contains(HasSubstr("says that 3 messages wait, but 2 are stored")));
  EXPECT_THAT(report.problems, Contains(HasSubstr("lane normal: ")));
}

TEST_P(CheckTest, AMessageThatWaitsAndIsInABatchIsNamed) {
  Fill();
  Change("UPDATE pending SET from_sequence = 3 WHERE lane = 1");
  EXPECT_THAT(Report().problems, Contains(HasSubstr("message 3 of lane normal in batch")));
}

TEST_P(CheckTest, RangesThatOverlapAreNamed) {
  Fill();
  Change(
      "INSERT INTO pending(destination, lane, from_sequence, waiting) SELECT destination, lane, 5, 1 FROM pending"
      " WHERE lane = 1");
  EXPECT_THAT(Report().problems, Contains(HasSubstr("the pending ranges from 4 and from 5 overlap")));
}

TEST_P(CheckTest, ANumberThatWasNeverGivenIsNamed) {
  Fill();
  Change("UPDATE lanes SET next_sequence = 5 WHERE lane = 1");
  EXPECT_THAT(Report().problems, Contains(HasSubstr("ends behind the last number that was given, 4")));
}

TEST_P(CheckTest, EarlierIdsAndBootsThatDoNotFollowEachOtherAreNamed) {
  Fill();
  Change(
      "DELETE FROM earlier_ids; INSERT INTO earlier_ids VALUES (1, 'first', 0, 4, 0), (2, 'second', 0, 2, 0);"
      "UPDATE boots SET from_normal = 99");
  const CheckReport report = Report();
  EXPECT_THAT(report.problems, Contains(HasSubstr("the earlier id second ends with number 2 of lane normal")));
  EXPECT_THAT(report.problems, Contains(HasSubstr("ends with number 98 of lane normal")));
}

TEST_P(CheckTest, DeadLettersAndQuarantineThatDoNotDecodeAreNamed) {
  Fill();
  Change("UPDATE dead SET message = x'00'; UPDATE quarantine SET message = x'00'");
  EXPECT_THAT(Report().problems, ElementsAre(HasSubstr("the dead letter of number 2 does not decode"),
                                             HasSubstr("the quarantined message of number 6 does not decode")));
}

TEST_P(CheckTest, ProblemsAreCountedAndTheirListIsBounded) {
  Fill();
  std::string sql;
  for (int i = 0; i < 200; ++i) {
    sql += "INSERT INTO partials VALUES (1, 1, " + std::to_string(1'000 + i) + ", 1, 0);";
  }
  Change(sql);
  const CheckReport report = Report();
  EXPECT_EQ(report.problem_count, 200U);
  EXPECT_EQ(report.problems.size(), CheckReport::kMaxProblems);
}

TEST_P(CheckTest, ADatabaseThatBreaksOffIsAProblemAndNoFailure) {
  for (int i = 0; i < 2'000; ++i) {
    Append(std::to_string(i) + std::string(200, static_cast<char>('a' + i % 26)));
  }
  queue_.reset();
  const std::string whole = test::ReadAll(dir_ / "queue.db");
  test::WriteAll(dir_ / "queue.db", whole.substr(0, whole.size() / 2 / 4'096 * 4'096));
  const Result<CheckReport> report = CheckAll(dir_ / "queue.db");
  EXPECT_TRUE(!report || report->problem_count > 0);
}

// --- the counters at the start ---

TEST_P(CheckTest, OpeningAQueueInOrderFindsNoGapInTheLedger) {
  Fill();
  Reopen();
  EXPECT_THAT(queue_->start().ledger_contradictions, IsEmpty());
}

TEST_P(CheckTest, OpeningFindsALedgerThatDoesNotBalanceAndSaysTheNumbers) {
  Fill();
  Change("UPDATE ledger SET messages = messages + 2 WHERE outcome = 0 AND stream = 1");
  Reopen();
  EXPECT_THAT(queue_->start().ledger_contradictions,
              ElementsAre(HasSubstr("received 8, but delivered 1 + rejected 1 + quarantined 1 + deduplicated 0 +"
                                    " expired 0 + dropped 0 + skipped 0 + ignored 0 + pending 3 = 6")));
}

TEST_P(CheckTest, OpeningFindsPendingMessagesThatAreNowhere) {
  Fill();
  Change("UPDATE pending SET waiting = 1 WHERE lane = 1 AND waiting = 2");
  Reopen();
  EXPECT_THAT(queue_->start().ledger_contradictions,
              ElementsAre("destination cloud, lane normal: 3 pending, but 1 waiting and 1 in batches or set aside"));
}

}  // namespace
}  // namespace packhorse::queue
