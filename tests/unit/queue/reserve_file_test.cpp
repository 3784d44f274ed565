#include "queue/recovery/reserve_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/small_disk.h"
#include "support/temp_dir.h"

namespace packhorse::queue {
namespace {

constexpr std::uint64_t kBytes = 1U << 20U;

class ReserveFileTest : public ::testing::Test {
 protected:
  // That it really takes.
  std::uint64_t Taken() const {
    struct stat status {};
    return stat(path_.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
  }
  bool IsThere() const {
    struct stat status {};
    return stat(path_.c_str(), &status) == 0;
  }

  test::TempDir dir_;
  std::string path_ = dir_ / "queue.db.ballast";
};

TEST_F(ReserveFileTest, GivesUpHalfOfItsRoomThenTheRestUntilItIsTakenAgain) {
  ReserveFile reserve_file(path_, kBytes);
  EXPECT_FALSE(reserve_file.whole() || reserve_file.given_up());
  ASSERT_TRUE(reserve_file.Take());
  EXPECT_TRUE(reserve_file.whole());
  EXPECT_GE(Taken(), kBytes);
  EXPECT_TRUE(reserve_file.GiveUp());
  EXPECT_TRUE(reserve_file.given_up());
  EXPECT_EQ(Taken(), kBytes / 2);
  EXPECT_TRUE(reserve_file.GiveUp());
  EXPECT_TRUE(reserve_file.given_up());
  EXPECT_EQ(Taken(), 0);
  EXPECT_FALSE(reserve_file.GiveUp());
  ASSERT_TRUE(reserve_file.Take());
  EXPECT_TRUE(reserve_file.whole());
  EXPECT_FALSE(reserve_file.given_up());
}

TEST_F(ReserveFileTest, NextProcessSeesWhatBecameOfIt) {
  ReserveFile reserve_file(path_, kBytes);
  ASSERT_TRUE(reserve_file.Take());
  EXPECT_TRUE(ReserveFile(path_, kBytes).whole());
  for (const std::uint64_t left : {kBytes / 2, std::uint64_t{0}}) {
    reserve_file.GiveUp();
    const ReserveFile next(path_, kBytes);
    EXPECT_TRUE(next.given_up());
    EXPECT_EQ(next.held(), left);
  }
}

TEST_F(ReserveFileTest, OfAnotherSizeItTakesThatMuch) {
  ASSERT_TRUE(ReserveFile(path_, 2 * kBytes).Take());
  ASSERT_TRUE(ReserveFile(path_, kBytes).Take());
  EXPECT_LT(Taken(), 2 * kBytes);
  ASSERT_TRUE(ReserveFile(path_, 3 * kBytes).Take());
  EXPECT_GE(Taken(), 3 * kBytes);
}

TEST_F(ReserveFileTest, WithoutRoomItTakesNone) {
  const test::SmallDisk disk(dir_.path(), kBytes / 2);
  ReserveFile reserve_file(path_, kBytes);
  const Status taken = reserve_file.Take();
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kDiskFull);
  EXPECT_FALSE(reserve_file.whole());
  EXPECT_FALSE(IsThere()) << "one that is too short would say that the disk was full";
}

TEST_F(ReserveFileTest, WithoutRoomWhatIsLeftStays) {
  test::SmallDisk disk(dir_.path(), 2 * kBytes);
  ReserveFile reserve_file(path_, kBytes);
  ASSERT_TRUE(reserve_file.Take());
  reserve_file.GiveUp();
  disk.Fill(kBytes / 4);
  EXPECT_FALSE(reserve_file.Take());
  EXPECT_TRUE(reserve_file.given_up());
  EXPECT_EQ(Taken(), kBytes / 2);
  EXPECT_TRUE(ReserveFile(path_, kBytes).given_up());
}

TEST_F(ReserveFileTest, NoneIsWantedNoneIsMade) {
  ReserveFile reserve_file(path_, 0);
  EXPECT_TRUE(reserve_file.Take());
  EXPECT_FALSE(reserve_file.GiveUp());
  EXPECT_TRUE(reserve_file.whole());
  EXPECT_FALSE(reserve_file.given_up() || IsThere());
}

}  // namespace
}  // namespace packhorse::queue
