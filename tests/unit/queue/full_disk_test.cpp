// A disk that is really full: what is queued goes out, nothing comes in, and nothing is lost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "queue/sqlite/database.h"
#include "queue_fixture.h"
#include "support/small_disk.h"
#include "support/temp_dir.h"

namespace packhorse::queue {
namespace {

constexpr std::uint64_t kJournalBytes = 256U << 10U;
constexpr std::uint64_t kReserveFileBytes = (4U << 20U) + kJournalBytes;

// 1,000 bytes that do not compress.
std::string Noise(std::mt19937_64& random) {
  std::string bytes(1'000, '\0');
  for (char& each : bytes) {
    each = static_cast<char>(random());
  }
  return bytes;
}

class FullDiskTest : public QueueTest {
 protected:
  FullDiskTest() {
    queue_.reset();
    std::filesystem::remove_all(dir_.path());
    std::filesystem::create_directories(disk_folder_);
    disk_.emplace(disk_folder_, 16U << 20U);
    Reopen();
  }
  ~FullDiskTest() override { StopDevice(); }

  Options SmallOptions() const {
    Options options = MakeOptions();
    options.path = disk_folder_ + "/queue.db";
    options.journal_bytes = kJournalBytes;
    return options;
  }
  void Reopen() {
    queue_.reset();
    Result<std::unique_ptr<Queue>> opened = Open(SmallOptions(), clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
  }
  bool ReserveFileIsWhole() const {
    return std::filesystem::file_size(SmallOptions().path + ".ballast") == kReserveFileBytes;
  }
  bool Full() { return queue_->Snapshot().full == kFullDisk; }

  // A device that never stops; its messages are stored as fast as the queue takes them.
  void StartDevice() {
    device_ = std::thread([this] {
      std::mt19937_64 random(7);
      while (!enough_) {
        if (queue_->Append(Message(Noise(random)))) {
          ++stored_;
        }
      }
    });
  }
  void StopDevice() {
    enough_ = true;
    if (queue_) {
      queue_->Stop();
    }
    if (device_.joinable()) {
      device_.join();
    }
  }

  // Delivers as many messages as wait now.
  std::uint64_t Drain() {
    const std::uint64_t before = Row().delivered;
    const std::uint64_t all = before + queue_->Waiting("cloud", Lane::kNormal).messages;
    while (Row().delivered < all) {
      EXPECT_TRUE(Settle(Delivered(PrepareNext(50))));
    }
    return Row().delivered - before;
  }

  std::string Sizes() {
    const auto size = [&](const char* suffix) {
      std::error_code none;
      return std::string(suffix) + " " + std::to_string(std::filesystem::file_size(SmallOptions().path + suffix, none));
    };
    const Stats stats = queue_->Snapshot();
    return stats.last_error + ": " + std::to_string(disk_->free_bytes()) + " free, in use " +
           std::to_string(stats.bytes) + " of" + size("") + ", " + size("-wal") + ", " + size(".ballast") +
           ", waiting " + std::to_string(stats.most_waiting) + ", segments " + std::to_string(stats.segments);
  }
  // As long as it takes, in steps that bring on what waits for its time.
  bool Until(const std::function<bool()>& holds, std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    return test::WaitFor(
        [&] {
          clock_.Advance(std::chrono::milliseconds(100));
          return holds();
        },
        timeout);
  }
  // And what was under way then is stored; the device waits.
  bool BecomesFull() {
    if (!Until([&] { return Full(); })) {
      return false;
    }
    std::uint64_t stored = 0;
    int the_same = 0;
    const bool waits = Until([&] {
      the_same = stored_ == stored ? the_same + 1 : 0;
      stored = stored_;
      return the_same == 20;
    });
    std::optional<Status> checkpointed;
    queue_->Checkpoint([&](const Status& status) { checkpointed = status; });
    return waits && static_cast<bool>(Await(checkpointed));
  }
  void ExpectAllDelivered() {
    StopDevice();
    Reopen();
    EXPECT_EQ(Row().received, stored_);
    Drain();
    EXPECT_EQ(Row().delivered, stored_);
    ExpectVerified();
  }

  std::string disk_folder_ = dir_ / "disk";
  std::optional<test::SmallDisk> disk_;
  std::atomic<bool> enough_{false};
  std::atomic<std::uint64_t> stored_{0};
  std::thread device_;
};

INSTANTIATE_TEST_SUITE_P(Modes, FullDiskTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(FullDiskTest, WhatIsQueuedGoesOutAndWithThatThereIsRoomForMore) {
  EXPECT_TRUE(ReserveFileIsWhole());
  disk_->Fill(6U << 20U);
  StartDevice();
  ASSERT_TRUE(BecomesFull());
  EXPECT_THAT(queue_->Snapshot().last_error, ::testing::HasSubstr("the disk is full: messages are taken again once"));
  enough_ = true;  // the message that waits is the last
  const std::uint64_t stored = stored_;
  EXPECT_GE(Drain(), stored);
  ASSERT_TRUE(Until([&] { return !Full() && stored_ == stored + 1; })) << Sizes();
  EXPECT_TRUE(ReserveFileIsWhole());
  EXPECT_EQ(queue_->Snapshot().last_error, "");
  ExpectAllDelivered();
}

TEST_P(FullDiskTest, WhoeverTakesWhatIsFreedEverythingQueuedGoesOutAndArrivalsWaitUntilSomebodyMakesRoom) {
  disk_->Fill(256U << 10U);  // the queue is smaller than the reserve file
  StartDevice();
  ASSERT_TRUE(BecomesFull());
  disk_->Fill();
  const std::uint64_t stored = stored_;
  EXPECT_GE(Drain(), stored);
  EXPECT_FALSE(Until([&] { return !Full() || stored_ > stored; }, std::chrono::milliseconds(500)));
  EXPECT_THAT(queue_->Snapshot().last_error, ::testing::HasSubstr("the disk is full"));
  disk_->MakeRoom();
  ASSERT_TRUE(Until([&] { return !Full() && stored_ > stored; })) << Sizes();
  ExpectAllDelivered();
}

TEST_P(FullDiskTest, NextProcessKnowsThatTheDiskWasFullAndGoesOnDelivering) {
  disk_->Fill(6U << 20U);
  StartDevice();
  ASSERT_TRUE(BecomesFull());
  StopDevice();
  queue_.reset();  // which leaves its log's room
  disk_->Fill(1U << 20U);
  Reopen();
  EXPECT_TRUE(Full());
  EXPECT_FALSE(ReserveFileIsWhole()) << Sizes();
  EXPECT_GE(Drain(), stored_.load());
  disk_->MakeRoom();
  EXPECT_TRUE(Until([&] { return !Full(); })) << Sizes();
  ExpectAllDelivered();
}

TEST_P(FullDiskTest, StartOnAFullDiskGivesTheReserveFileUpForIt) {
  ASSERT_GT(Append("message"), 0);
  queue_.reset();
  disk_->Fill();
  Reopen();
  EXPECT_TRUE(Full());
  EXPECT_EQ(Drain(), 1);
  disk_->MakeRoom();
  EXPECT_TRUE(Until([&] { return !Full(); })) << Sizes();
  EXPECT_GT(Append("another"), 0);
}

TEST_P(FullDiskTest, WithoutRoomForAReserveFileTheQueueWorksAndTakesItOnceThereIs) {
  queue_.reset();
  std::filesystem::remove(SmallOptions().path + ".ballast");
  disk_->Fill(2U << 20U);
  Reopen();
  EXPECT_THAT(queue_->start().reserve_file_error, ::testing::HasSubstr("No space left on device"));
  EXPECT_FALSE(std::filesystem::exists(SmallOptions().path + ".ballast"));
  EXPECT_GT(Append("message"), 0);
  disk_->MakeRoom();
  clock_.Advance(std::chrono::minutes(11));
  EXPECT_TRUE(Until([&] { return std::filesystem::exists(SmallOptions().path + ".ballast") && ReserveFileIsWhole(); }));
}

TEST_P(FullDiskTest, WhatIsOnlyKeptForReplaysMakesRoom) {
  queue_.reset();
  streams_.at(0).retain_delivered = std::chrono::hours(24);
  Reopen();
  disk_->Fill(6U << 20U);
  StartDevice();
  ASSERT_TRUE(BecomesFull());
  enough_ = true;  // the message that waits is the last
  const std::uint64_t stored = stored_;
  EXPECT_GE(Drain(), stored);
  ASSERT_TRUE(Until([&] { return !Full() && stored_ == stored + 1; })) << Sizes();
  EXPECT_GT(queue_->Snapshot().released_messages, 0);
  ExpectAllDelivered();
}

// The log fits, and what SQLite keeps in memory of it does not: its file grows at each 4,096th page of the log.
TEST(FullDisk, SharedMemoryThatCannotGrowIsAFullDisk) {
  const test::TempDir folder;
  test::SmallDisk disk(folder.path(), 32U << 20U);
  bool met = false;
  for (int attempt = 0; attempt < 100 && !met; ++attempt) {
    const std::string path = folder / ("queue-" + std::to_string(attempt) + ".db");
    Result<Database> opened = Database::Open(path, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(opened) << opened.error().message;
    std::optional<Database> db(*std::move(opened));
    ASSERT_TRUE(db->Execute("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a)"));
    Status status;
    for (int row = 0; status && row < 1'500; ++row) {
      if (row == 1'335 + attempt % 10) {
        disk.Fill(static_cast<std::uint64_t>(attempt / 10) * 8'192);
      }
      status = db->Execute("INSERT INTO t VALUES(randomblob(3000))");
    }
    disk.MakeRoom();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kDiskFull) << status.error().message;
    met = status.error().message.find("SQLite 4874") != std::string::npos;
    db.reset();
    std::filesystem::remove(path);
  }
  EXPECT_TRUE(met);
}

}  // namespace
}  // namespace packhorse::queue
