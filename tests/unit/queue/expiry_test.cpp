// What expires of a queue, and what does not, whatever the clocks do.

#include "queue/clock/expiry.h"

#include "queue/sqlite/database.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

class ExpiryTest : public QueueTest {
 protected:
  static constexpr auto kMaxAge = 24h * 30;

  void Limit(std::chrono::milliseconds max_age = kMaxAge) {
    Limits limits;
    limits.max_age = max_age;
    queue_->SetLimits(limits);
  }
  std::uint64_t Enforce() {
    const LimitReport report = queue_->EnforceLimits(clock_.Mono());
    EXPECT_FALSE(report.problem);
    soon_ = report.expire_soon;
    std::uint64_t expired = 0;
    for (const GivenUp& each : report.given_up) {
      EXPECT_EQ(each.outcome, Outcome::kExpired);
      expired += each.messages;
    }
    return expired;
  }
  // As once in `each`, for so long.
  std::uint64_t Run(std::chrono::microseconds time, std::chrono::microseconds each) {
    std::uint64_t expired = Enforce();
    for (; time > 0s; time -= each) {
      clock_.Advance(each);
      expired += Enforce();
    }
    return expired;
  }
  void PowerCut(const std::string& boot, std::chrono::microseconds off, bool synchronized) {
    queue_.reset();
    clock_.Reboot(boot, synchronized ? clock_.Wall() + off : WallTime(30s));
    clock_.SetSynchronized(synchronized);
    Reopen();
    Limit();
  }

  std::vector<ExpireSoon> soon_;
};

INSTANTIATE_TEST_SUITE_P(Modes, ExpiryTest, ::testing::Values(Mode::kWindow), NameOf);

TEST_P(ExpiryTest, ClockThatLeapsTenYearsForSecondsCostsNothing) {
  for (int i = 0; i < 3'000; ++i) {
    Append("p");
  }
  ExpectVerified();
  Limit();
  EXPECT_EQ(Run(2h, 1min), 0U);
  for (const auto leap : {24h * 3'650, -24h * 3'650}) {
    clock_.StepWall(leap);
    EXPECT_EQ(Run(15s, 1s), 0U);
    Append("stamped wrongly");
    clock_.StepWall(-leap);
    EXPECT_EQ(Run(2h, 1min), 0U);
  }
  clock_.StepWall(24h * 3'650);
  EXPECT_EQ(Run(3h, 1min), 0U) << "nor one that stays";
  EXPECT_TRUE(soon_.empty());
  EXPECT_EQ(Row().pending, 3'002U);
  ExpectVerified();
}

TEST_P(ExpiryTest, ClockThatLeapsWhileTheMachineStartsCostsNothing) {
  Append("p");
  ExpectVerified();
  PowerCut("b", 24h, true);
  clock_.StepWall(24h * 3'650);
  EXPECT_EQ(Run(15s, 1s), 0U);
  clock_.StepWall(-24h * 3'650);
  EXPECT_EQ(Run(3h, 1min), 0U);
  EXPECT_EQ(Row().pending, 1U);
}

TEST_P(ExpiryTest, WhatIsReallyTooOldIsToldForAnHourAndThenGoes) {
  Append("old");
  Append("urgent", "alarms");
  ExpectVerified();
  PowerCut("b", kMaxAge, true);
  Append("young");
  EXPECT_EQ(Run(59min, 1min), 0U);
  ASSERT_EQ(soon_.size(), 1U);
  EXPECT_EQ(soon_.front().destination, "cloud");
  EXPECT_GE(soon_.front().age, kMaxAge);
  EXPECT_LE(soon_.front().in, 1min);
  EXPECT_FALSE(soon_.front().by_running_time);
  EXPECT_EQ(Run(1min, 1min), 2U);
  EXPECT_EQ(Run(1min, 1min), 0U);
  EXPECT_TRUE(soon_.empty()) << "the next is young";
  EXPECT_EQ(Row().expired, 1U);
  EXPECT_EQ(Row().pending, 1U);
  ExpectVerified();
}

TEST_P(ExpiryTest, AStartBeginsTheHourAnew) {
  Append("old");
  ExpectVerified();
  PowerCut("b", kMaxAge, true);
  EXPECT_EQ(Run(50min, 1min), 0U);
  Reopen();
  Limit();
  EXPECT_EQ(Run(59min, 1min), 0U);
  EXPECT_EQ(Run(1min, 1min), 1U);
}

TEST_P(ExpiryTest, WithoutAClockOnlyTheRunningTimeCountsAndThatIsSaid) {
  clock_.SetSynchronized(false);
  Append("old");
  ExpectVerified();
  clock_.Advance(24h * 20);
  Append("later");
  ExpectVerified();
  PowerCut("b", 24h * 365, false);  // the last checkpoint says how long the machine ran
  EXPECT_EQ(Run(24h * 10 - 30min, 30min), 0U);
  ASSERT_EQ(soon_.size(), 1U);
  EXPECT_TRUE(soon_.front().by_running_time);
  EXPECT_EQ(soon_.front().in, 30min);
  EXPECT_EQ(Run(40min, 10min), 1U);
  EXPECT_EQ(Row().pending, 1U);
}

TEST_P(ExpiryTest, ShortMaxAgeWaitsForATenthOfIt) {
  Append("p");
  Limit(10s);
  EXPECT_EQ(Run(9s, 1s), 0U);
  ASSERT_EQ(soon_.size(), 1U);
  EXPECT_EQ(Run(1s, 1s), 1U);
}

TEST_P(ExpiryTest, WhatIsDeliveredMeanwhileIsNotToldAnyMore) {
  Append("p");
  clock_.Advance(kMaxAge);
  Limit();
  EXPECT_EQ(Enforce(), 0U);
  EXPECT_EQ(soon_.size(), 1U);
  ASSERT_TRUE(Settle(Delivered(PrepareNext(1))));
  EXPECT_EQ(Run(2h, 1min), 0U);
  EXPECT_TRUE(soon_.empty());
}

TEST_P(ExpiryTest, OldestAtIsTrueAlsoWhenAnEarlierBootHadNoClock) {
  queue_.reset();
  clock_.Reboot("a", WallTime(30s));
  Reopen();
  Append("in 1970");
  clock_.Advance(10min);
  ExpectVerified();
  Append("so that it is noted how long it ran");
  ExpectVerified();
  queue_.reset();
  clock_.Reboot("b", WallTime(std::chrono::microseconds(1'795'162'531'500'000)));
  clock_.SetSynchronized(true);
  Reopen();
  clock_.Advance(1min);
  EXPECT_EQ(queue_->OldestPending("cloud"), clock_.Wall() - 11min);
  PrepareNext(2);
  EXPECT_EQ(queue_->OldestPending("cloud"), clock_.Wall() - 11min) << "in a batch too";
}

// --- the ledger is bounded ---

TEST_P(ExpiryTest, LedgerOfYearsBecomesShortAndItsSumsStay) {
  std::uint64_t received = 0;
  for (int day = 0; day < 50; ++day) {
    for (int hour = 0; hour < 24; ++hour) {
      queue_->CountDropped(*queue_->Stream("telemetry"), "flood");
      ++received;
      clock_.Advance(1h);
    }
  }
  ExpectVerified();
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(11min);
    Append("p");
    ++received;
    ExpectVerified();  // one checkpoint each ten minutes bounds the tables
  }
  EXPECT_EQ(Row().received, received);
  EXPECT_EQ(Row().dropped, 1'200U);
  Reopen();
  EXPECT_EQ(Row().received, received);
  EXPECT_EQ(Row().dropped, 1'200U);
  ExpectVerified();
  queue_.reset();
  Result<Database> db = Database::Open(dir_ / "queue.db", Database::Mode::kReadWriteCreate);
  ASSERT_TRUE(db);
  EXPECT_LE(*db->QueryInt("SELECT count(DISTINCT hour) FROM ledger"), 35 * 24 + 24 + 1);
}

}  // namespace
}  // namespace packhorse::queue
