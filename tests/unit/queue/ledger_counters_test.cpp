#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "queue/values/ledger.h"

namespace packhorse::queue {
namespace {

TEST(LedgerCounters, EachOutcomeHasOneOfItsOwn) {
  LedgerRow row;
  std::set<std::string_view> names;
  for (const LedgerCounter& counter : kLedgerCounters) {
    EXPECT_EQ(row.*counter.messages, 0U) << Name(counter.outcome);
    row.*counter.messages = 1;
    names.insert(Name(counter.outcome));
  }
  EXPECT_EQ(names.size(), kLedgerCounters.size());
  EXPECT_EQ(Name(static_cast<Outcome>(names.size())), "unknown") << "there are no more outcomes";
}

}  // namespace
}  // namespace packhorse::queue
