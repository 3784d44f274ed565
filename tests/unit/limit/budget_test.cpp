#include "limit/budget.h"

#include <gtest/gtest.h>

namespace packhorse::limit {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using Per = BudgetOptions::Per;

// 2026-11-30T12:00:00Z: the last day of a month.
constexpr WallTime kNoon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30) + 12h;
constexpr MonoTime kMorning{1'000s};

class BudgetTest : public ::testing::Test {
 protected:
  void Pass(std::chrono::seconds time) {
    now_.mono += time;
    now_.wall += time;
  }
  Budget Of(std::uint64_t bytes, Per per) {
    Budget budget({bytes, per});
    budget.Look(now_);
    return budget;
  }
  Budget::Now now_{kMorning, kNoon, true};
};

TEST_F(BudgetTest, AdmitsWhatFitsAndNoMore) {
  Budget budget = Of(1'000, Per::kDay);
  EXPECT_TRUE(budget.Admits(1'000));
  budget.Reserve(600);
  EXPECT_TRUE(budget.Admits(400));
  EXPECT_FALSE(budget.Admits(401));
  budget.Sent(600, 700);
  EXPECT_EQ(budget.used(), 700U);
  EXPECT_TRUE(budget.Admits(300));
  EXPECT_FALSE(budget.Admits(301));
}

TEST_F(BudgetTest, ARequestThatIsLargerThanAllOfItGoesAlone) {
  Budget budget = Of(1'000, Per::kDay);
  EXPECT_TRUE(budget.Admits(5'000));
  budget.Reserve(5'000);
  EXPECT_FALSE(budget.Admits(1));
}

TEST_F(BudgetTest, WhatWasNotSentIsGivenBack) {
  Budget budget = Of(1'000, Per::kDay);
  budget.Reserve(1'000);
  budget.Sent(1'000, 0);
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(BudgetTest, ADayEndsAtMidnightUtc) {
  Budget budget = Of(1'000, Per::kDay);
  budget.Reserve(1'000);
  budget.Sent(1'000, 1'000);
  EXPECT_EQ(budget.end(), kNoon + 12h);
  EXPECT_EQ(budget.Left(now_), 12h);
  Pass(12h - 1s);
  budget.Look(now_);
  EXPECT_FALSE(budget.Admits(1));
  Pass(1s);
  budget.Look(now_);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_TRUE(budget.Admits(1'000));
}

TEST_F(BudgetTest, AMonthEndsWithItsLastDayAlsoInDecember) {
  Budget budget = Of(1'000, Per::kMonth);
  EXPECT_EQ(budget.end(), kNoon + 12h);
  Pass(24h);
  budget.Look(now_);
  budget.Reserve(1'000);
  EXPECT_EQ(budget.end(), WallTime(std::chrono::sys_days(std::chrono::year(2027) / 1 / 1)));
  Pass(days(30));
  budget.Look(now_);
  EXPECT_EQ(budget.used(), 1'000U);
  Pass(24h);
  budget.Look(now_);
  EXPECT_EQ(budget.end(), WallTime(std::chrono::sys_days(std::chrono::year(2027) / 2 / 1)));
}

TEST_F(BudgetTest, WhatIsUnderWayAtTheEndCountsInTheNextPeriod) {
  Budget budget = Of(1'000, Per::kDay);
  budget.Reserve(300);
  budget.Sent(300, 300);
  budget.Reserve(400);
  Pass(12h);
  budget.Look(now_);
  EXPECT_EQ(budget.used(), 400U);
  budget.Sent(400, 450);
  EXPECT_EQ(budget.used(), 450U);
}

TEST_F(BudgetTest, ARestartKnowsWhatWasUsedInTheSamePeriodOnly) {
  Budget before = Of(1'000, Per::kDay);
  before.Reserve(700);
  before.Sent(700, 700);
  before.Reserve(100);
  EXPECT_EQ(before.ToKeep().used, 700U);
  Budget after({1'000, Per::kDay});
  after.Restore(before.ToKeep());
  after.Look(now_);
  EXPECT_EQ(after.used(), 700U);
  Budget next_day({1'000, Per::kDay});
  next_day.Restore(before.ToKeep());
  Pass(24h);
  next_day.Look(now_);
  EXPECT_EQ(next_day.used(), 0U);
}

TEST_F(BudgetTest, ABudgetOfAnotherLengthTakesOverWhatWasUsed) {
  Budget day = Of(1'000, Per::kDay);
  day.Reserve(700);
  day.Sent(700, 700);
  Budget month({9'000, Per::kMonth});
  month.Restore(day.ToKeep());
  month.Look(now_);
  EXPECT_EQ(month.used(), 700U);
}

TEST_F(BudgetTest, AClockThatIsSetBackTakesAlongWhatWasUsed) {
  Budget budget = Of(1'000, Per::kDay);
  budget.Reserve(1'000);
  budget.Sent(1'000, 1'000);
  now_.wall -= days(400);
  budget.Look(now_);
  EXPECT_EQ(budget.used(), 1'000U);
  EXPECT_EQ(budget.Left(now_), 12h);
  Pass(12h);
  budget.Look(now_);
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(BudgetTest, ABootWithoutAClockGivesNoSecondBudget) {
  Budget budget({1'000, Per::kMonth});
  budget.Restore({std::chrono::sys_days(std::chrono::year(2026) / 11 / 1), 1'000});
  budget.Look({kMorning, WallTime{5s}, false});
  EXPECT_FALSE(budget.Admits(1));
  budget.Look(now_);  // the clock is right
  EXPECT_FALSE(budget.Admits(1));
  Pass(12h);
  budget.Look(now_);
  EXPECT_TRUE(budget.Admits(1));
}

TEST_F(BudgetTest, AClockThatIsNeverRightHoldsItBackForTheLongestPeriodAtMost) {
  Budget budget({1'000, Per::kDay});
  budget.Restore({std::chrono::sys_days(std::chrono::year(2093) / 1 / 1), 1'000});
  now_.synchronized = false;
  budget.Look(now_);
  EXPECT_FALSE(budget.Admits(1));
  EXPECT_LE(budget.Left(now_), 24h);
  Pass(24h - 1s);
  budget.Look(now_);
  EXPECT_FALSE(budget.Admits(1));
  Pass(1s);
  budget.Look(now_);
  EXPECT_TRUE(budget.Admits(1));
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace packhorse::limit
