#include "queue/inspect/file_view.h"

#include "base/file.h"
#include "queue_fixture.h"
#include "record/canonical_record.h"

namespace packhorse::queue {
namespace {

class FileViewTest : public QueueTest {
 protected:
  FileView View() {
    const Options options = MakeOptions();
    Result<FileView> view = FileView::Open(options.path, options.runtime_dir);
    EXPECT_TRUE(view) << view.error().message;
    return *std::move(view);
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, FileViewTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(FileViewTest, ShowsAllOfAQueueThatEndedInOrder) {
  const Sequence delivered = Append("a");
  const Sequence refused = Append("b");
  Settlement settlement = Delivered(PrepareNext(2));
  settlement.dead.push_back(DeadRecord{refused, 0, "rejected", "no", "req-1", 422});
  ASSERT_TRUE(Settle(std::move(settlement)));
  const Sequence waiting = Append("c");
  const std::string id = queue_->id();
  queue_.reset();

  FileView view = View();
  EXPECT_EQ(view.ids().current(), id);
  EXPECT_EQ(view.uncheckpointed().operations, 0U);
  const Ledger ledger = view.ReadLedger();
  EXPECT_TRUE(ledger.Balanced());
  EXPECT_EQ(ledger.Total().received, 3U);
  EXPECT_EQ(ledger.Total().pending, 1U);
  const Result<FileView::Waiting> next = view.Peek("cloud", Lane::kNormal, 10, 1'000);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->messages, 1U);
  ASSERT_EQ(next->next.size(), 1U);
  EXPECT_EQ(next->next[0].message.payload, "c");
  EXPECT_EQ(view.Peek("nowhere", Lane::kNormal, 10, 1'000).error().code, ErrorCode::kNotFound);
  const Result<Stats> stats = view.Snapshot();
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->messages, 1U);
  EXPECT_EQ(stats->dead_letters, 1U);
  EXPECT_EQ(stats->oldest_at, clock_.Wall());
  const auto backlogs = view.PendingSummaries();
  ASSERT_TRUE(backlogs);
  ASSERT_EQ(backlogs->size(), 1U);
  EXPECT_EQ((*backlogs)[0].pending, 1U);
  EXPECT_EQ(view.DeadLetters(10, 0)->front().record_id, RecordId(id, Lane::kNormal, refused, std::nullopt));
  EXPECT_EQ(view.Trace(Lane::kNormal, delivered, std::nullopt)->places[0].state, PlaceState::kDelivered);
  EXPECT_EQ(view.Trace(Lane::kNormal, waiting, std::nullopt)->places[0].state, PlaceState::kWaiting);
}

TEST_P(FileViewTest, LeavesTheQueueAsItWas) {
  Append("a");
  queue_.reset();
  View();
  Reopen();
  EXPECT_EQ(queue_->start().how, StartReport::How::kClean);
  EXPECT_EQ(Row().pending, 1U);
  EXPECT_EQ(Append("b"), 2U);
}

TEST_P(FileViewTest, CountsWhatOnlyTheJournalHas) {
  Append("a");
  Append("b");
  // While the queue is open its journal is what a crash would leave.
  const std::uint64_t expected = GetParam() == Mode::kWindow ? 2U : 0U;
  const FileView view = View();
  EXPECT_EQ(view.uncheckpointed().operations, expected);
  EXPECT_EQ(view.uncheckpointed().bytes > 0, expected > 0);
  EXPECT_EQ(view.uncheckpointed().problem, "");
}

TEST_P(FileViewTest, WhatIsNoQueueIsSaidToBeSo) {
  const Result<FileView> missing = FileView::Open(dir_ / "missing.db", dir_ / "run");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(dir_ / "text.db", "this is no database, but it is long enough to look", 0600));
  const Result<FileView> text = FileView::Open(dir_ / "text.db", dir_ / "run");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::kCorrupt) << text.error().message;
}

}  // namespace
}  // namespace packhorse::queue
