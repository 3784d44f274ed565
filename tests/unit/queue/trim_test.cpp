// Trimming alone, on rows without messages: which go, what is counted, and that one checkpoint does a bounded piece of
// it.

#include "queue/segment/trim.h"

#include <gtest/gtest.h>

#include <string>

#include "queue/tables/rows.h"
#include "queue/tables/schema.h"
#include "support/temp_dir.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;
using Spans = Trimmer::Spans;

constexpr Sequence kEach = 10;  // numbers of a segment

class TrimmerTest : public ::testing::Test {
 protected:
  TrimmerTest() {
    EXPECT_TRUE(PrepareSchema(db_));
    RunFor(1h);
  }

  // Segments 0, 1, 2, ... of ten numbers each; of `retained_of` one is retained, for an hour.
  void Fill(std::int64_t segments, std::int64_t retained_of) {
    EXPECT_TRUE(db_.Execute("BEGIN"));
    Result<Statement> insert = db_.Prepare("INSERT INTO segments VALUES (?, ?, 10, 100, 'blob')");
    for (std::int64_t i = 0; i < segments; ++i) {
      const Sequence first = static_cast<Sequence>(i) * kEach + 1;
      EXPECT_TRUE(insert->Bind(SegmentKey(Lane::kNormal, first), first + kEach - 1).Run());
      if (i % retained_of == 0) {
        EXPECT_TRUE(trimmer_.Retain(db_, work_, Lane::kNormal, first, 1h));
      }
    }
    EXPECT_TRUE(db_.Execute("COMMIT"));
    work_.last[At(Lane::kNormal)] = static_cast<Sequence>(segments) * kEach;
  }

  // The machine has run for so long.
  void RunFor(std::chrono::hours ran) {
    work_.boot = ClockEpochEnd{1, ran, std::nullopt};
    work_.ages = Ages({Ages::Stretch{1, {1, 1, 1}, false, ran}});
  }

  TrimResult Trim() {
    TrimResult result;
    EXPECT_TRUE(db_.Execute("BEGIN"));
    const Status trimmed = trimmer_.Trim(db_, work_, result);
    EXPECT_TRUE(trimmed) << trimmed.error().message;
    EXPECT_TRUE(db_.Execute("COMMIT"));
    return result;
  }

  // Segments [from, through] are needed, partly.
  void Need(Sequence from, Sequence through) {
    work_.needed = {NeededSpan{Lane::kNormal, from * kEach + 5, through * kEach + 5, {1}}};
  }

  std::int64_t Segments() { return db_.QueryInt("SELECT count(*) FROM segments").value_or(-1); }
  static std::int64_t Retained(const TrimResult& result) { return result.retained[At(Lane::kNormal)].segments; }
  static std::int64_t SegmentTotals(const TrimResult& result) { return result.held[At(Lane::kNormal)].segments; }

  test::TempDir dir_;
  Database db_ = *Database::Open(dir_ / "queue.db", Database::Mode::kReadWriteCreate);
  Trimmer trimmer_;
  TrimWork work_;
};

TEST(Trimmer, MinusLeavesWhatOnlyTheFirstHas) {
  EXPECT_EQ(Minus({{1, 10}}, {}), (Spans{{1, 10}}));
  EXPECT_EQ(Minus({{1, 10}}, {{1, 10}}), Spans{});
  EXPECT_EQ(Minus({{1, 10}, {20, 30}}, {{3, 4}, {9, 22}, {30, 40}}), (Spans{{1, 2}, {5, 8}, {23, 29}}));
}

TEST_F(TrimmerTest, WhatOneCheckpointMayNotLookAtIsLeftToTheNext) {
  Fill(12'000, 2);
  EXPECT_EQ(SegmentTotals(Trim()), -2'500);
  EXPECT_EQ(SegmentTotals(Trim()), -2'500);
  const TrimResult last = Trim();
  EXPECT_EQ(SegmentTotals(last), -1'000);
  EXPECT_EQ(Retained(last), 6'000);
  EXPECT_EQ(last.retained[At(Lane::kNormal)].messages, 60'000);
  EXPECT_EQ(SegmentTotals(Trim()), 0);
  RunFor(2h);
  EXPECT_EQ(SegmentTotals(Trim()), -5'000);
  EXPECT_EQ(Retained(Trim()), 0);
  EXPECT_EQ(Segments(), 0);
}

TEST_F(TrimmerTest, ASegmentGoesOnceNothingOfItIsNeeded) {
  Fill(10, 100);  // the first is retained
  Need(3, 6);
  EXPECT_EQ(SegmentTotals(Trim()), -5);
  work_.needed = {NeededSpan{Lane::kNormal, 38, 45, {1}}, NeededSpan{Lane::kNormal, 60, 61, {1}}};
  EXPECT_EQ(SegmentTotals(Trim()), 0) << "the ends of both spans are within segments";
  work_.needed.pop_back();
  EXPECT_EQ(SegmentTotals(Trim()), -2);
  work_.needed.clear();
  EXPECT_EQ(SegmentTotals(Trim()), -2);
  EXPECT_EQ(Segments(), 1);
}

TEST_F(TrimmerTest, WhatIsNeededAgainIsNotCountedAsRetainedAndNotReleased) {
  Fill(10, 1);
  EXPECT_EQ(Retained(Trim()), 10);
  Need(0, 4);
  EXPECT_EQ(Retained(Trim()), 5);
  work_.release_bytes = 2 * 4;  // two blobs
  const TrimResult released = Trim();
  EXPECT_EQ(SegmentTotals(released), -2);
  EXPECT_EQ(released.released, 20);
  EXPECT_EQ(Retained(released), 3);
  work_.release_bytes = 0;
  RunFor(3h);
  EXPECT_EQ(SegmentTotals(Trim()), -3);
  EXPECT_EQ(Segments(), 5);
  work_.needed.clear();
  EXPECT_EQ(SegmentTotals(Trim()), -5);
}

TEST_F(TrimmerTest, AfterATransactionThatFailedItLooksAnew) {
  Fill(10, 2);
  TrimResult lost;
  EXPECT_TRUE(db_.Execute("BEGIN"));
  EXPECT_TRUE(trimmer_.Trim(db_, work_, lost));
  EXPECT_TRUE(db_.Execute("ROLLBACK"));
  trimmer_.Forget();
  const TrimResult result = Trim();
  EXPECT_EQ(SegmentTotals(result), -5);
  EXPECT_EQ(Retained(result), 5);
}

}  // namespace
}  // namespace packhorse::queue
