#include "batch/batch.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace packhorse::batch {
namespace {

using std::chrono::milliseconds;

constexpr MonoTime kNow{std::chrono::seconds(1'000)};

struct DecideCase {
  std::string name;
  Waiting waiting;
  bool flush = false;
  bool due = false;
  std::optional<MonoTime> next;
};

class DecideTest : public testing::TestWithParam<DecideCase> {};

TEST_P(DecideTest, SaysWhetherABatchIsDueAndWhenToAskAgain) {
  const Options options{.max_records = 10, .max_bytes = 1'000, .max_age = milliseconds(500)};
  const Decision decision = Decide(options, GetParam().waiting, GetParam().flush, kNow);
  EXPECT_EQ(decision.due, GetParam().due);
  EXPECT_EQ(decision.next, GetParam().next);
}

INSTANTIATE_TEST_SUITE_P(
    Table, DecideTest,
    testing::Values(
        DecideCase{"NothingWaits", {}, false, false, std::nullopt},
        DecideCase{"NothingWaitsAndFlush", {}, true, false, std::nullopt},
        DecideCase{"BytesWithoutMessagesAreNothing", {0, 5'000, kNow}, false, false, std::nullopt},
        DecideCase{"OneYoungMessage", {1, 100, kNow}, false, false, kNow + milliseconds(500)},
        DecideCase{"OneYoungMessageAndFlush", {1, 100, kNow}, true, true, kNow},
        DecideCase{
            "OldestOneMillisecondShort", {1, 100, kNow - milliseconds(499)}, false, false, kNow + milliseconds(1)},
        DecideCase{"OldestJustRipe", {1, 100, kNow - milliseconds(500)}, false, true, kNow},
        DecideCase{"OldestLongRipe", {1, 100, kNow - std::chrono::hours(9)}, false, true, kNow},
        DecideCase{"OneMessageShortOfFull", {9, 100, kNow}, false, false, kNow + milliseconds(500)},
        DecideCase{"FullByCount", {10, 100, kNow}, false, true, kNow},
        DecideCase{"OneByteShortOfFull", {2, 999, kNow}, false, false, kNow + milliseconds(500)},
        DecideCase{"FullByBytes", {2, 1'000, kNow}, false, true, kNow},
        DecideCase{"HugeBacklog", {1ULL << 40U, 1ULL << 50U, kNow}, false, true, kNow}),
    [](const auto& test) { return test.param.name; });

TEST(Decide, WithoutAgeEveryMessageIsDueAtOnce) {
  EXPECT_TRUE(Decide(Options{.max_age = milliseconds(0)}, Waiting{1, 1, kNow}, false, kNow).due);
}

TEST(Filler, StopsAtTheRecordLimit) {
  Filler filler(Options{.max_records = 3, .max_bytes = 1'000'000}, 100);
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(filler.full());
    ASSERT_TRUE(filler.Fits(10, 1));
    filler.Add(10, 1);
  }
  EXPECT_TRUE(filler.full());
  EXPECT_FALSE(filler.Fits(10, 1));
  EXPECT_EQ(filler.records(), 3U);
}

TEST(Filler, AMessageOfSeveralRecordsMustFitAsAWhole) {
  Filler filler(Options{.max_records = 5, .max_bytes = 1'000'000}, 0);
  filler.Add(10, 3);
  EXPECT_TRUE(filler.Fits(10, 2));
  EXPECT_FALSE(filler.Fits(10, 3));
}

TEST(Filler, EnvelopeAndSeparatorsCountTowardsTheByteLimit) {
  Filler filler(Options{.max_records = 100, .max_bytes = 200}, 98);
  filler.Add(50, 1);  // 98 + 50 + 1
  EXPECT_EQ(filler.bytes(), 149U);
  EXPECT_TRUE(filler.Fits(50, 1));
  EXPECT_FALSE(filler.Fits(51, 1));
  filler.Add(50, 1);
  EXPECT_EQ(filler.bytes(), 200U);
  EXPECT_TRUE(filler.full());
}

TEST(Filler, TheFirstAlwaysFitsEvenOverEveryLimit) {
  Filler filler(Options{.max_records = 2, .max_bytes = 100}, 5'000);
  EXPECT_FALSE(filler.full());
  EXPECT_TRUE(filler.Fits(1'000'000, 50));
  filler.Add(1'000'000, 50);
  EXPECT_TRUE(filler.full());
  EXPECT_FALSE(filler.Fits(0, 0));
}

TEST(Filler, SumsDoNotWrapAround) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  Filler filler(Options{.max_records = std::numeric_limits<std::uint32_t>::max(), .max_bytes = kMost - 1}, 10);
  filler.Add(10, 1);
  EXPECT_FALSE(filler.Fits(kMost - 5, 1));
  EXPECT_FALSE(filler.Fits(1, std::numeric_limits<std::uint32_t>::max()));
  filler.Add(kMost, std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(filler.bytes(), kMost);
  EXPECT_EQ(filler.records(), std::numeric_limits<std::uint32_t>::max());
}

}  // namespace
}  // namespace packhorse::batch
