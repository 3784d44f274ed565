#include "batch/lane_scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>

namespace packhorse::batch {
namespace {

constexpr Line kUrgent{Lane::kUrgent, false};
constexpr Line kNormal{Lane::kNormal, false};
constexpr Line kBulk{Lane::kBulk, false};
constexpr Line kNormalBacklog{Lane::kNormal, true};
constexpr Line kBulkBacklog{Lane::kBulk, true};
constexpr Line kUrgentBacklog{Lane::kUrgent, true};

Ready Waiting(std::initializer_list<Line> lines) {
  Ready ready{};
  for (const Line line : lines) {
    ready.at(IndexOf(line)) = true;
  }
  return ready;
}

Line Take(LaneScheduler& turns, const Ready& ready) {
  const std::optional<Line> line = turns.Next(ready);
  EXPECT_TRUE(line.has_value());
  EXPECT_TRUE(ready.at(IndexOf(line.value_or(Line{}))));
  turns.Took(line.value_or(Line{}), ready);
  return line.value_or(Line{});
}

// Turns of each line, by index, when all of `lines` always have something to send.
std::array<int, kLines> Saturate(LaneScheduler& turns, std::initializer_list<Line> lines, int rounds) {
  std::array<int, kLines> counts{};
  for (int i = 0; i < rounds; ++i) {
    ++counts.at(IndexOf(Take(turns, Waiting(lines))));
  }
  return counts;
}

TEST(LaneScheduler, NothingReadyIsNobodysTurn) { EXPECT_FALSE(LaneScheduler(0.5).Next(Ready{}).has_value()); }

TEST(LaneScheduler, WhoWaitsAloneHasEverything) {
  for (std::size_t i = 0; i < kLines; ++i) {
    LaneScheduler turns(0.1);
    EXPECT_EQ(Saturate(turns, {LineAt(i)}, 50).at(i), 50) << i;
  }
}

TEST(LaneScheduler, SaturatedLanesKeepTheirShares) {
  LaneScheduler turns(0.5);
  const auto counts = Saturate(turns, {kUrgent, kNormal, kBulk}, 2'500);
  EXPECT_EQ(counts.at(IndexOf(kUrgent)), 2'000);
  EXPECT_EQ(counts.at(IndexOf(kNormal)), 400);
  EXPECT_EQ(counts.at(IndexOf(kBulk)), 100);
}

TEST(LaneScheduler, BulkProgressesBesideSaturatedNormal) {
  LaneScheduler turns(0.5);
  const auto counts = Saturate(turns, {kNormal, kBulk}, 1'000);
  EXPECT_EQ(counts.at(IndexOf(kNormal)), 800);
  EXPECT_EQ(counts.at(IndexOf(kBulk)), 200);
}

TEST(LaneScheduler, UrgentBatchWaitsForAtMostOneOther) {
  for (const double share : {0.01, 0.5, 0.99}) {
    LaneScheduler turns(share);
    const Ready all = Waiting({kUrgent, kNormal, kBulk, kUrgentBacklog, kNormalBacklog, kBulkBacklog});
    bool other_before = false;
    for (int i = 0; i < 1'000; ++i) {
      const bool urgent = Take(turns, all) == kUrgent;
      EXPECT_TRUE(urgent || !other_before) << "two others in a row at " << i;
      other_before = !urgent;
    }
  }
}

TEST(LaneScheduler, UrgentThatComesNowAndThenGoesNext) {
  LaneScheduler turns(0.5);
  for (int i = 0; i < 100; ++i) {
    Saturate(turns, {kNormal, kBulk, kNormalBacklog}, 1 + i % 7);
    EXPECT_EQ(Take(turns, Waiting({kUrgent, kNormal, kBulk, kNormalBacklog})), kUrgent) << i;
  }
}

TEST(LaneScheduler, BacklogGetsItsShareBesideNewData) {
  for (const double share : {0.1, 0.25, 0.5, 0.9}) {
    LaneScheduler turns(share);
    const auto counts = Saturate(turns, {kNormal, kNormalBacklog}, 1'000);
    EXPECT_NEAR(counts.at(IndexOf(kNormalBacklog)), 1'000 * share, 1) << share;
  }
}

TEST(LaneScheduler, NewDataGoesFirst) {
  LaneScheduler turns(0.5);
  EXPECT_EQ(Take(turns, Waiting({kNormal, kNormalBacklog, kUrgentBacklog})), kNormal);
}

TEST(LaneScheduler, LanesOfTheBacklogShareToo) {
  LaneScheduler turns(0.5);
  const auto counts = Saturate(turns, {kUrgentBacklog, kNormalBacklog, kBulkBacklog}, 2'500);
  EXPECT_EQ(counts.at(IndexOf(kUrgentBacklog)), 2'000);
  EXPECT_EQ(counts.at(IndexOf(kNormalBacklog)), 400);
  EXPECT_EQ(counts.at(IndexOf(kBulkBacklog)), 100);
}

TEST(LaneScheduler, NobodyStarvesWhateverElseWaits) {
  LaneScheduler turns(0.1);
  const auto counts =
      Saturate(turns, {kUrgent, kNormal, kBulk, kUrgentBacklog, kNormalBacklog, kBulkBacklog, kReplayLine}, 170'000);
  for (std::size_t i = 0; i < kLines; ++i) {
    EXPECT_GT(counts.at(i), 0) << i;
  }
  // One turn in five is not urgent's; of these a tenth belongs to the backlog.
  EXPECT_EQ(counts.at(IndexOf(kReplayLine)), 10'000) << "after sixteen others";
  EXPECT_EQ(counts.at(IndexOf(kUrgent)), 128'000);
  EXPECT_NEAR(
      counts.at(IndexOf(kUrgentBacklog)) + counts.at(IndexOf(kNormalBacklog)) + counts.at(IndexOf(kBulkBacklog)), 3'200,
      5);
}

TEST(LaneScheduler, TimeAloneEarnsNothingThatLaterCostsOthers) {
  LaneScheduler turns(0.5);
  Saturate(turns, {kNormalBacklog}, 1'000);
  Saturate(turns, {kBulk}, 1'000);
  const auto counts = Saturate(turns, {kNormal, kBulk, kNormalBacklog}, 10);
  EXPECT_EQ(counts.at(IndexOf(kNormalBacklog)), 5);
  EXPECT_EQ(counts.at(IndexOf(kNormal)), 4);
}

TEST(LaneScheduler, ShareOutOfRangeIsBroughtInside) {
  EXPECT_GT(LaneScheduler(0).backfill_share(), 0);
  EXPECT_GT(LaneScheduler(-1).backfill_share(), 0);
  EXPECT_LT(LaneScheduler(1).backfill_share(), 1);
  EXPECT_LT(LaneScheduler(7).backfill_share(), 1);
}

}  // namespace
}  // namespace packhorse::batch
