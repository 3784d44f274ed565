#include "queue/ballast.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/small_disk.h"
#include "support/temp_dir.h"

namespace packhorse::queue {
namespace {

constexpr std::uint64_t kBytes = 1U << 20U;

class BallastTest : public ::testing::Test {
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

TEST_F(BallastTest, GivesUpHalfOfItsRoomThenTheRestUntilItIsTakenAgain) {
  Ballast ballast(path_, kBytes);
  EXPECT_FALSE(ballast.whole() || ballast.given_up());
  ASSERT_TRUE(ballast.Take());
  EXPECT_TRUE(ballast.whole());
  EXPECT_GE(Taken(), kBytes);
  EXPECT_TRUE(ballast.GiveUp());
  EXPECT_TRUE(ballast.given_up());
  EXPECT_EQ(Taken(), kBytes / 2);
  EXPECT_TRUE(ballast.GiveUp());
  EXPECT_TRUE(ballast.given_up());
  EXPECT_EQ(Taken(), 0);
  EXPECT_FALSE(ballast.GiveUp());
  ASSERT_TRUE(ballast.Take());
  EXPECT_TRUE(ballast.whole());
  EXPECT_FALSE(ballast.given_up());
}

TEST_F(BallastTest, NextProcessSeesWhatBecameOfIt) {
  Ballast ballast(path_, kBytes);
  ASSERT_TRUE(ballast.Take());
  EXPECT_TRUE(Ballast(path_, kBytes).whole());
  for (const std::uint64_t left : {kBytes / 2, std::uint64_t{0}}) {
    ballast.GiveUp();
    const Ballast next(path_, kBytes);
    EXPECT_TRUE(next.given_up());
    EXPECT_EQ(next.held(), left);
  }
}

TEST_F(BallastTest, OfAnotherSizeItTakesThatMuch) {
  ASSERT_TRUE(Ballast(path_, 2 * kBytes).Take());
  ASSERT_TRUE(Ballast(path_, kBytes).Take());
  EXPECT_LT(Taken(), 2 * kBytes);
  ASSERT_TRUE(Ballast(path_, 3 * kBytes).Take());
  EXPECT_GE(Taken(), 3 * kBytes);
}

TEST_F(BallastTest, WithoutRoomItTakesNone) {
  const test::SmallDisk disk(dir_.path(), kBytes / 2);
  Ballast ballast(path_, kBytes);
  const Status taken = ballast.Take();
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kDiskFull);
  EXPECT_FALSE(ballast.whole());
  EXPECT_FALSE(IsThere()) << "one that is too short would say that the disk was full";
}

TEST_F(BallastTest, WithoutRoomWhatIsLeftStays) {
  test::SmallDisk disk(dir_.path(), 2 * kBytes);
  Ballast ballast(path_, kBytes);
  ASSERT_TRUE(ballast.Take());
  ballast.GiveUp();
  disk.Fill(kBytes / 4);
  EXPECT_FALSE(ballast.Take());
  EXPECT_TRUE(ballast.given_up());
  EXPECT_EQ(Taken(), kBytes / 2);
  EXPECT_TRUE(Ballast(path_, kBytes).given_up());
}

TEST_F(BallastTest, NoneIsWantedNoneIsMade) {
  Ballast ballast(path_, 0);
  EXPECT_TRUE(ballast.Take());
  EXPECT_FALSE(ballast.GiveUp());
  EXPECT_TRUE(ballast.whole());
  EXPECT_FALSE(ballast.given_up() || IsThere());
}

}  // namespace
}  // namespace packhorse::queue
