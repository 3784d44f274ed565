#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "damage_fixture.h"

// What a damaged, copied or beheaded database becomes at the next start.

namespace packhorse::queue {
namespace {

TEST_P(Damage, SegmentWithABrokenByteIsLostAloneAndCounted) {
  Fill(5, 40);
  const std::string before = queue_->id();
  End();
  Execute(
      "UPDATE segments SET blob = CAST(substr(blob, 1, length(blob) - 1) || 'x' AS BLOB) WHERE id = (SELECT id FROM"
      " segments ORDER BY id LIMIT 1 OFFSET 2)");
  const std::int64_t lost = Query("SELECT messages FROM segments ORDER BY id LIMIT 1 OFFSET 2");
  const std::int64_t all = Query("SELECT sum(messages) FROM segments");
  ASSERT_EQ(all, 200);
  Start();
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 1'000, 1ULL << 30U);
  ASSERT_FALSE(pending);
  EXPECT_EQ(pending.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(queue_->Snapshot().damage, "");
  const Sequence meanwhile = Append("meanwhile");
  const std::string id = queue_->id();
  End();
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  const Salvaged& salvaged = *queue_->start().salvaged;
  EXPECT_EQ(salvaged.segments_lost, 1U);
  EXPECT_EQ(salvaged.messages_lost, static_cast<std::uint64_t>(lost));
  EXPECT_EQ(salvaged.damaged, std::vector<std::string>{"segments"});
  EXPECT_FALSE(salvaged.sent_again);
  EXPECT_TRUE(Exists(salvaged.set_aside));
  EXPECT_EQ(queue_->start().renewed_from, id);
  EXPECT_NE(queue_->id(), id);
  EXPECT_EQ(queue_->Snapshot().damage, "");
  const std::set<Sequence> waiting = Waiting();
  EXPECT_EQ(waiting.size(), 200U - static_cast<std::size_t>(lost) + 1);
  EXPECT_TRUE(waiting.contains(meanwhile));
  EXPECT_EQ(Row().dropped, static_cast<std::uint64_t>(lost));
  EXPECT_EQ(Row().received, 201U);
  ExpectVerified();
  EXPECT_EQ(queue_->ids().Of(Lane::kNormal, 1), before);
  EXPECT_EQ(queue_->ids().Of(Lane::kNormal, meanwhile), id);
  EXPECT_GT(Append("goes on"), meanwhile);
  End();
  Start();
  EXPECT_FALSE(queue_->start().salvaged);
}

class DamagedPages : public Damage {};

TEST_P(DamagedPages, PagesOfRubbishCostOnlyWhatTheyHeld) {
  Fill(12, 40);
  End();
  Execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE");
  // Big endian in the header of the file (SQLite file format, section 1.3.2).
  const std::string header = ReadFile(Path(), 1U << 30U)->substr(16, 2);
  const std::size_t page_bytes = static_cast<unsigned char>(header[0]) * 256U + static_cast<unsigned char>(header[1]);
  const auto pages = FileBytes(Path()) / page_bytes;
  ASSERT_GT(pages, 15U);
  std::size_t salvages = 0;
  for (std::size_t page = 2; page <= pages; ++page) {
    SCOPED_TRACE("page " + std::to_string(page));
    const Result<std::string> sound = ReadFile(Path(), 1U << 30U);
    ASSERT_TRUE(sound);
    Overwrite((page - 1) * page_bytes, std::string(page_bytes, '\xA5'));
    Result<std::unique_ptr<Queue>> opened = Open(MakeOptions(), clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
    (void)queue_->Peek("cloud", Lane::kNormal, 100'000, 1ULL << 30U);
    (void)queue_->VerifyLedger();
    if (!queue_->Snapshot().damage.empty()) {
      End();
      Start();
    }
    salvages += queue_->start().salvaged ? 1U : 0U;
    const LedgerRow row = Row();
    EXPECT_EQ(row.pending, Waiting().size());
    EXPECT_GE(row.received, row.pending);
    ExpectVerified();
    const Sequence next = Append("goes on");
    EXPECT_EQ(*Waiting().rbegin(), next);
    End();
    for (const char* suffix : {"", "-wal", "-shm", ".damaged", ".damaged-wal", ".damage"}) {
      std::remove((Path() + suffix).c_str());
    }
    std::ofstream(Path(), std::ios::binary) << *sound;
  }
  EXPECT_GT(salvages, 10U);
}

TEST_P(Damage, FileThatIsNoDatabaseIsSetAsideAndTheQueueBeginsAnew) {
  Append("gone");
  End();
  std::remove((Path() + "-wal").c_str());
  std::ofstream(Path(), std::ios::binary) << std::string(8'192, '\x5A');
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  EXPECT_EQ(FileBytes(queue_->start().salvaged->set_aside), 8'192U);
  Append("goes on");
  ExpectVerified();
}

TEST_P(Damage, LostRangesMeanThatEverythingStoredIsSentAgainUnderItsIds) {
  Fill(2, 30);
  PrepareNext(10);
  const std::string before = queue_->id();
  End();
  Execute("PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'pending'");
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  EXPECT_TRUE(queue_->start().salvaged->sent_again);
  EXPECT_EQ(Waiting().size(), 60U);
  EXPECT_EQ(queue_->ids().Of(Lane::kNormal, 1), before);
  ExpectVerified();
}

TEST_P(Damage, LostRangesMeanTheSameForADestinationThatStartsAtTheOldest) {
  Fill(4, 10);
  streams_[0].destinations = {"cloud", "archive"};
  destinations_ = {"cloud", {"archive", StartAt::kOldest}};
  End();
  Execute("PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'pending'");
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  for (const char* destination : {"cloud", "archive"}) {
    EXPECT_EQ(queue_->Waiting(destination, Lane::kNormal).messages, 40U);
    EXPECT_EQ(Row("telemetry", destination).pending, 40U);
  }
  ExpectVerified();
}

TEST_P(Damage, InterruptedSalvageIsEndedOrBegunAnew) {
  Fill(1, 10);
  End();
  const Result<std::string> sound = ReadFile(Path(), 1U << 30U);
  ASSERT_TRUE(sound);
  // Before the renames: what was made so far is thrown away.
  std::ofstream(Path() + ".salvage", std::ios::binary) << "half";
  Start();
  EXPECT_FALSE(Exists(Path() + ".salvage"));
  EXPECT_EQ(Waiting().size(), 10U);
  End();
  // Between them: the new file takes its place, and the old log is not taken for its own.
  std::ofstream(Path() + ".salvage", std::ios::binary) << *sound;
  std::remove(Path().c_str());
  std::ofstream(Path() + "-wal", std::ios::binary) << "of the damaged one";
  Start();
  EXPECT_TRUE(Exists(Path() + ".damaged-wal"));
  EXPECT_EQ(Waiting().size(), 10U);
  ExpectVerified();
}

TEST_P(Damage, DatabaseOfSomethingElseIsLeftAlone) {
  End();
  std::remove(Path().c_str());
  std::remove((Path() + "-wal").c_str());
  Execute("CREATE TABLE notes(text)");
  const Result<std::unique_ptr<Queue>> opened = Open(MakeOptions(), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(Query("SELECT count(*) FROM notes"), 0);
}

INSTANTIATE_TEST_SUITE_P(Window, DamagedPages, ::testing::Values(Mode::kWindow), NameOf);
INSTANTIATE_TEST_SUITE_P(Modes, Damage, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal), NameOf);

}  // namespace
}  // namespace packhorse::queue
