#include "queue/recovery/salvage.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "damage_fixture.h"
#include "queue/recovery/exchange.h"

// What becomes of a salvage that is interrupted, of a file that is too short, and of a disk without room for it.

namespace packhorse::queue {
namespace {

using testing::HasSubstr;

class SalvageTest : public Damage {
 protected:
  void WriteAllToDatabase() const { Execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE"); }
};

INSTANTIATE_TEST_SUITE_P(Modes, SalvageTest, ::testing::Values(Mode::kWindow), NameOf);

TEST_P(SalvageTest, CutBetweenTheRenamesTheOnlyOriginalStaysAndItIsTold) {
  Fill(1, 10);
  const std::string before = queue_->id();
  End();
  WriteAllToDatabase();
  const std::string sound = test::ReadAll(Path());
  Salvaged report;
  report.because = "a segment is broken";
  report.set_aside = DamagedPath(Path());
  report.messages_lost = 3;
  report.damaged = {"segments"};
  test::WriteAll(SalvagedFile(Path()), sound);
  test::WriteAll(Path() + ".damaged", "of the time before");
  test::WriteAll(Path() + ".damaged-wal", "of the time before");
  test::WriteAll(Path() + "-wal", "damaged log");
  ASSERT_TRUE(Exchange(Path(), report));
  // As after a power cut that took the second rename.
  std::filesystem::rename(Path(), SalvagedFile(Path()));
  for (int start = 0; start < 2; ++start) {
    SCOPED_TRACE(start == 0 ? "the salvage goes on" : "the first checkpoint into it is done");
    Start();
    EXPECT_EQ(test::ReadAll(DamagedPath(Path())), sound);
    EXPECT_EQ(test::ReadAll(DamagedPath(Path()) + "-wal"), "damaged log");
    EXPECT_EQ(Waiting().size(), 10U);
    ASSERT_EQ(queue_->start().salvaged.has_value(), start == 0);
    if (start == 0) {
      EXPECT_EQ(queue_->start().salvaged->because, "a segment is broken");
      EXPECT_EQ(queue_->start().salvaged->messages_lost, 3U);
      EXPECT_EQ(queue_->start().salvaged->damaged, std::vector<std::string>{"segments"});
      EXPECT_NE(queue_->id(), before);
    }
    ExpectVerified();
    End();
  }
}

TEST_P(SalvageTest, WhatIsNotCompleteIsMadeAnewAndTheNoteStays) {
  Fill(1, 10);
  queue_->NoteDamage("noticed before");
  End();
  test::WriteAll(SalvagedFile(Path()), "half of it");
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  EXPECT_EQ(queue_->start().salvaged->because, "noticed before");
  EXPECT_EQ(Waiting().size(), 10U);
  End();
  Start();
  EXPECT_FALSE(queue_->start().salvaged) << "it was told";
}

TEST_P(SalvageTest, FileThatLostItsEndKeepsTheRest) {
  Fill(40, 40);
  End();
  WriteAllToDatabase();
  const auto size = static_cast<off_t>(FileBytes(Path()));
  ASSERT_EQ(truncate(Path().c_str(), size - 5'000), 0);
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  EXPECT_GT(Waiting().size(), 300U);
  EXPECT_LT(Waiting().size(), 1'600U);
  EXPECT_EQ(queue_->start().salvaged->messages_lost, 1'600U - Waiting().size());
  ExpectVerified();
}

TEST_P(SalvageTest, WithoutRoomForItNothingIsWrittenAndTheMessageSaysWhatToDo) {
  Fill(1, 10);
  queue_->NoteDamage("noticed before");
  End();
  WriteAllToDatabase();
  ASSERT_EQ(truncate(Path().c_str(), off_t{1} << 42U), 0);  // a hole, larger than any disk here has room for
  const std::uint64_t reserve_file = FileBytes(Path() + ".ballast");
  for (int start = 0; start < 3; ++start) {
    const Result<std::unique_ptr<Queue>> opened = Open(MakeOptions(), clock_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kDiskFull);
    EXPECT_THAT(opened.error().message, HasSubstr("have to be free"));
    EXPECT_THAT(opened.error().message, HasSubstr("make room"));
    EXPECT_FALSE(Exists(SalvagedFile(Path())));
    EXPECT_FALSE(Exists(DamagedPath(Path())));
    EXPECT_EQ(FileBytes(Path() + ".ballast"), reserve_file) << "it would not be enough";
  }
  EXPECT_TRUE(NotedDamage(Path()));
}

}  // namespace
}  // namespace packhorse::queue
