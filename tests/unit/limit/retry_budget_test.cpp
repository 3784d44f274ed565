#include <gtest/gtest.h>

#include "limit/circuit_breaker.h"

namespace packhorse::limit {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr MonoTime kBudgetStart{std::chrono::hours(5)};

TEST(RetryBudget, AQuietDestinationMayRetryUpToTheFloorEveryMinute) {
  RetryBudget budget(0.1, 3);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(budget.NextRetry(kBudgetStart + seconds(1)), kBudgetStart + seconds(1));
    budget.CountRetry(kBudgetStart + seconds(1));
  }
  EXPECT_EQ(budget.NextRetry(kBudgetStart + seconds(1)), kBudgetStart + minutes(1));
  EXPECT_EQ(budget.NextRetry(kBudgetStart + seconds(59)), kBudgetStart + minutes(1));
  EXPECT_EQ(budget.NextRetry(kBudgetStart + minutes(1)), kBudgetStart + minutes(1));
}

TEST(RetryBudget, ABusyDestinationMayRetryAShareOfItsFirstAttempts) {
  RetryBudget budget(0.1, 1);
  for (int i = 0; i < 100; ++i) {
    budget.CountFirst(kBudgetStart);
  }
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(budget.NextRetry(kBudgetStart), kBudgetStart) << i;
    budget.CountRetry(kBudgetStart);
  }
  EXPECT_EQ(budget.NextRetry(kBudgetStart), kBudgetStart + minutes(1));
}

TEST(RetryBudget, TheShareIsTakenOverTenMinutes) {
  RetryBudget budget(0.5, 1);
  for (int i = 0; i < 10; ++i) {
    budget.CountFirst(kBudgetStart);
  }
  const MonoTime later = kBudgetStart + minutes(9);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(budget.NextRetry(later), later) << i;
    budget.CountRetry(later);
  }
  EXPECT_EQ(budget.NextRetry(later), kBudgetStart + minutes(10));
}

TEST(RetryBudget, FirstAttemptsOlderThanTenMinutesGiveNoRetries) {
  RetryBudget budget(0.5, 1);
  for (int i = 0; i < 10; ++i) {
    budget.CountFirst(kBudgetStart);
  }
  const MonoTime later = kBudgetStart + minutes(10);
  ASSERT_EQ(budget.NextRetry(later), later);  // the floor
  budget.CountRetry(later);
  EXPECT_EQ(budget.NextRetry(later), kBudgetStart + minutes(11));
}

TEST(RetryBudget, NothingIsStarvedForEverWhateverTheOptions) {
  for (const double share : {0.0, -1.0}) {
    RetryBudget budget(share, 0);
    MonoTime now = kBudgetStart;
    for (int i = 0; i < 20; ++i) {
      now = budget.NextRetry(now);
      budget.CountRetry(now);
    }
    EXPECT_EQ(now, kBudgetStart + minutes(19));
  }
}

TEST(RetryBudget, AfterALongSilenceOldMinutesAreForgotten) {
  RetryBudget budget(1.0, 2);
  for (int i = 0; i < 50; ++i) {
    budget.CountFirst(kBudgetStart);
    budget.CountRetry(kBudgetStart);
  }
  const MonoTime later = kBudgetStart + std::chrono::hours(1000);
  EXPECT_EQ(budget.NextRetry(later), later);
  budget.CountRetry(later);
  budget.CountRetry(later);
  EXPECT_GT(budget.NextRetry(later), later);
}

}  // namespace
}  // namespace packhorse::limit
