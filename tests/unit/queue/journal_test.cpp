#include "queue/journal/journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::queue {
namespace {

using Entries = std::vector<std::pair<LogPosition, std::string>>;

constexpr std::size_t kHeader = 128;
constexpr std::size_t kEntryHeader = 16;

std::string Text(LogPosition position) { return "operation " + std::to_string(position); }

class JournalTest : public ::testing::Test {
 protected:
  Journal Make(LogPosition first) const {
    Result<Journal> made = Journal::Create(options_, first);
    EXPECT_TRUE(made) << made.error().message;
    return *std::move(made);
  }
  static void Fill(Journal& journal, LogPosition from, LogPosition through) {
    for (LogPosition position = from; position <= through; ++position) {
      ASSERT_TRUE(journal.HasRoom(Text(position).size(), false));
      ASSERT_TRUE(journal.Append(position, Text(position)));
    }
  }
  // What can be read; every entry must be what was written under its position.
  Entries Read(LogPosition after) {
    Entries entries;
    const Result<Journal::Left> left =
        Journal::Read(options_, after, [&](LogPosition position, std::string_view bytes) {
          EXPECT_EQ(bytes, Text(position));
          entries.emplace_back(position, bytes);
          return Status();
        });
    EXPECT_TRUE(left) << left.error().message;
    left_ = left ? *left : Journal::Left();
    return entries;
  }
  std::string FilePath(int number) const { return options_.directory + "/intake." + std::to_string(number); }

  test::TempDir dir_;
  Journal::Options options_{dir_ / "run", 4096, "queue", "boot", 7, ""};
  Journal::Left left_;
};

TEST_F(JournalTest, EntriesAreReadInOrderBehindThePositionAsked) {
  Journal journal = Make(1);
  Fill(journal, 1, 5);
  const Entries entries = Read(2);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries.front().first, 3U);
  EXPECT_EQ(left_.through, 5U);
  EXPECT_TRUE(left_.found);
  EXPECT_FALSE(left_.other_boot);
  EXPECT_EQ(left_.foreign_entries, 0U);
}

TEST_F(JournalTest, TruncatedAnywhereItEndsAtTheEntryBefore) {
  {
    Journal journal = Make(1);
    Fill(journal, 1, 4);
  }
  const std::string whole = test::ReadAll(FilePath(0));
  const std::size_t entry = kEntryHeader + Text(1).size();
  for (std::size_t size = 0; size < kHeader + 4 * entry + 8; ++size) {
    test::WriteAll(FilePath(0), whole.substr(0, size));
    const std::size_t expected = size < kHeader ? 0 : std::min<std::size_t>((size - kHeader) / entry, 4);
    ASSERT_EQ(Read(0).size(), expected) << size;
    ASSERT_EQ(left_.found, size >= kHeader) << size;
    ASSERT_EQ(left_.through, expected) << size;
  }
}

TEST_F(JournalTest, FlippedBitInAnyByteEndsItAtTheEntryBefore) {
  {
    Journal journal = Make(1);
    Fill(journal, 1, 4);
  }
  const std::string whole = test::ReadAll(FilePath(0));
  const std::size_t entry = kEntryHeader + Text(1).size();
  for (std::size_t at = 0; at < kHeader + 4 * entry; ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ (1U << (at % 8)));
    test::WriteAll(FilePath(0), flipped);
    ASSERT_EQ(Read(0).size(), at < kHeader ? 0 : (at - kHeader) / entry) << at;
  }
}

TEST_F(JournalTest, RotationGoesOnInTheOtherFileAndBothAreReadAsOne) {
  Journal journal = Make(1);
  Fill(journal, 1, 3);
  ASSERT_TRUE(journal.CanRotate());
  ASSERT_TRUE(journal.Rotate(4));
  EXPECT_FALSE(journal.CanRotate());  // the file before is not in the database yet
  Fill(journal, 4, 6);
  EXPECT_EQ(Read(0).size(), 6U);
  EXPECT_EQ(Read(3).size(), 3U);
}

TEST_F(JournalTest, ReleaseFreesTheOtherFileOnlyWhenAllOfItIsInTheDatabase) {
  Journal journal = Make(1);
  Fill(journal, 1, 3);
  ASSERT_TRUE(journal.Rotate(4));
  journal.Release(2);
  EXPECT_FALSE(journal.CanRotate());
  journal.Release(3);
  EXPECT_TRUE(journal.CanRotate());
}

TEST_F(JournalTest, LeftOverEntriesOfAnEarlierUseNeverFit) {
  Journal journal = Make(1);
  Fill(journal, 1, 20);
  ASSERT_TRUE(journal.Rotate(21));
  Fill(journal, 21, 22);
  journal.Release(20);
  ASSERT_TRUE(journal.Rotate(23));  // over 1..20, whose later entries still lie behind
  Fill(journal, 23, 24);
  const Entries entries = Read(20);
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries.back().first, 24U);
}

TEST_F(JournalTest, FileOfAnEarlierUseThatLeavesAHoleIsNotTaken) {
  Journal journal = Make(1);
  Fill(journal, 1, 3);
  ASSERT_TRUE(journal.Rotate(4));
  journal.Release(3);
  Fill(journal, 4, 5);
  ASSERT_TRUE(journal.Rotate(9));  // 6 to 8 did not go through the journal
  Fill(journal, 9, 9);
  EXPECT_EQ(Read(3).size(), 2U);
  EXPECT_EQ(left_.through, 5U);
}

TEST_F(JournalTest, FileBehindAHoleIsTakenOnceTheDatabaseHasWhatIsMissing) {
  Journal journal = Make(1);
  Fill(journal, 1, 3);
  ASSERT_TRUE(journal.Rotate(6));  // 4 and 5 did not go through the journal
  Fill(journal, 6, 8);
  EXPECT_EQ(Read(3).size(), 0U);
  EXPECT_EQ(Read(5).size(), 3U);
  EXPECT_EQ(left_.through, 8U);
  EXPECT_EQ(Read(7).size(), 1U);
}

TEST_F(JournalTest, FirstEntryBehindAHoleIsAnError) {
  Journal journal = Make(5);
  Fill(journal, 5, 6);
  const Result<Journal::Left> left = Journal::Read(options_, 3, [](LogPosition, std::string_view) { return Status(); });
  ASSERT_FALSE(left);
  EXPECT_EQ(left.error().code, ErrorCode::kCorrupt);
}

TEST_F(JournalTest, EntriesOfAnotherQueueOrEpochAreCountedAndLeftAlone) {
  {
    Journal journal = Make(1);
    Fill(journal, 1, 3);
  }
  options_.queue_id = "another";
  EXPECT_TRUE(Read(0).empty());
  EXPECT_EQ(left_.foreign_entries, 3U);
  EXPECT_FALSE(left_.found);
  options_.queue_id = "queue";
  options_.epoch = 8;
  EXPECT_TRUE(Read(0).empty());
  EXPECT_EQ(left_.foreign_entries, 3U);
}

TEST_F(JournalTest, EntriesOfAnotherBootAreTakenAndMarked) {
  {
    Journal journal = Make(1);
    Fill(journal, 1, 3);
  }
  options_.boot_id = "another";
  EXPECT_EQ(Read(0).size(), 3U);
  EXPECT_TRUE(left_.other_boot);
}

TEST_F(JournalTest, MissingOrForeignFilesAreNoJournal) {
  EXPECT_TRUE(Read(4).empty());
  EXPECT_FALSE(left_.found);
  EXPECT_EQ(left_.through, 4U);
  Make(1);
  test::WriteAll(FilePath(0), "");
  test::WriteAll(FilePath(1), std::string(5000, 'x'));
  EXPECT_TRUE(Read(4).empty());
  EXPECT_FALSE(left_.found);
}

TEST_F(JournalTest, ArrivalsLeaveAQuarterForWhatEmptiesTheQueue) {
  Journal journal = Make(1);
  const std::string bytes(100, 'x');
  LogPosition position = 0;
  while (journal.HasRoom(bytes.size(), true)) {
    ASSERT_TRUE(journal.Append(++position, bytes));
  }
  EXPECT_LE(journal.active_bytes(), options_.file_bytes / 4 * 3);
  EXPECT_TRUE(journal.HasRoom(bytes.size(), false));
  while (journal.HasRoom(bytes.size(), false)) {
    ASSERT_TRUE(journal.Append(++position, bytes));
  }
  EXPECT_LE(journal.active_bytes(), options_.file_bytes);
  EXPECT_EQ(test::ReadAll(FilePath(0)).size(), options_.file_bytes);  // nothing grew
}

TEST_F(JournalTest, CanHoldIsExactlyWhatAnEmptyJournalHasRoomFor) {
  const Journal journal = Make(1);
  const std::size_t most = options_.file_bytes / 4 * 3 - kHeader - kEntryHeader;
  EXPECT_TRUE(journal.CanHold(most));
  EXPECT_TRUE(journal.HasRoom(most, true));
  EXPECT_FALSE(journal.CanHold(most + 1));
  EXPECT_FALSE(journal.HasRoom(most + 1, true));
}

TEST_F(JournalTest, DirectoryThatCannotBeMadeIsAnError) {
  options_.directory = dir_ / "no" + "/such/folder";
  EXPECT_FALSE(Journal::Create(options_, 1));
}

TEST_F(JournalTest, WhatAnotherQueueLeftIsKeptForItUntilItHasIt) {
  {
    Journal journal = Make(1);
    Fill(journal, 1, 5);
  }
  Journal::Options other = options_;
  other.queue_id = "other";
  for (int start = 0; start < 3; ++start) {
    ASSERT_TRUE(Journal::Create(other, 1));
    EXPECT_EQ(Read(0).size(), 5U);
  }
  options_.before = std::exchange(options_.queue_id, "renewed");
  ASSERT_TRUE(Journal::Create(options_, 6));
  std::swap(options_.before, options_.queue_id);
  EXPECT_TRUE(Read(5).empty()) << "it has them now";
}

TEST_F(JournalTest, OfManyOtherQueuesOnlyTheNewestAreKept) {
  for (int i = 0; i < 20; ++i) {
    options_.queue_id = "queue" + std::to_string(i);
    Journal journal = Make(1);
    Fill(journal, 1, 2);
  }
  const std::filesystem::directory_iterator files(options_.directory);
  EXPECT_LE(std::distance(begin(files), end(files)), 10);
}

TEST_F(JournalTest, AfterAnOrderlyEndNothingIsKept) {
  {
    Journal journal = Make(1);
    Fill(journal, 1, 5);
    journal.Clear();
  }
  EXPECT_TRUE(Read(0).empty());
  options_.queue_id = "other";
  ASSERT_TRUE(Journal::Create(options_, 1));
  const std::filesystem::directory_iterator files(options_.directory);
  EXPECT_EQ(std::distance(begin(files), end(files)), 2);
}

TEST_F(JournalTest, AnotherProcessDoesNotWriteIntoTheSameFiles) {
  Journal journal = Make(1);
  Journal::Options other = options_;
  other.queue_id = "other";
  ASSERT_TRUE(Journal::Create(other, 1));
  EXPECT_FALSE(journal.InPlace());
}

TEST_F(JournalTest, FullOfEntriesItGivesEachBack) {
  options_.file_bytes = 1U << 20U;  // several windows of what is mapped
  Journal journal = Make(1);
  LogPosition last = 0;
  for (; journal.HasRoom(Text(last + 1).size(), false); ++last) {
    ASSERT_TRUE(journal.Append(last + 1, Text(last + 1)));
  }
  EXPECT_GT(last, 10'000U);
  EXPECT_EQ(Read(0).size(), last);
}

TEST_F(JournalTest, FileThatIsMadeShorterIsNotInPlaceAndRefusesEntries) {
  Journal journal = Make(1);
  Fill(journal, 1, 5);
  EXPECT_TRUE(journal.InPlace());
  std::filesystem::resize_file(FilePath(0), 0);
  EXPECT_FALSE(journal.Append(6, Text(6)));
  EXPECT_FALSE(journal.InPlace());
}

TEST_F(JournalTest, FilesThatAreRemovedAreNotInPlace) {
  const Journal journal = Make(1);
  EXPECT_TRUE(journal.InPlace());
  std::filesystem::remove(FilePath(1));
  EXPECT_FALSE(journal.InPlace());
  test::WriteAll(FilePath(1), "another file");
  EXPECT_FALSE(journal.InPlace());
}

}  // namespace
}  // namespace packhorse::queue
