#include "identity_fixture.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

class DeliveredTest : public Identity {
 protected:
  void Checkpoint() {
    std::optional<Status> done;
    queue_->Checkpoint([&](const Status& status) { done = status; });
    ASSERT_TRUE(Await(done));
  }

  DeliveredHours Read(std::int32_t first = 0, std::int32_t end = INT32_MAX) {
    const Result<DeliveredHours> hours = queue_->DeliveredByHour("cloud", first, end, 100);
    EXPECT_TRUE(hours) << hours.error().message;
    return hours ? *hours : DeliveredHours{};
  }

  void Deliver(std::uint64_t sum) {
    Settlement settlement = Delivered(PrepareNext(100));
    const std::int32_t hour = HourOf(clock_.Wall());
    settlement.id_hashes.push_back({*queue_->Stream("telemetry"), hour, 1, sum});
    ASSERT_TRUE(Settle(std::move(settlement)));
  }
};

TEST_P(DeliveredTest, HashesOfRecordIdsAddUpModulo2To64) {
  const std::int32_t hour = HourOf(clock_.Wall());
  for (const std::uint64_t sum : {0xFFFF'FFFF'FFFF'FFF0ULL, 0x8000'0000'0000'0000ULL, 0x20ULL}) {
    Append("a");
    Deliver(sum);
    Checkpoint();
  }
  const DeliveredHours found = Read();
  ASSERT_EQ(found.hours.size(), 1U);
  EXPECT_EQ(found.hours[0].of, (StreamHour{"telemetry", hour}));
  EXPECT_EQ(found.hours[0].records, 3U);
  EXPECT_EQ(found.hours[0].hashed, 3U);
  EXPECT_EQ(found.hours[0].id_hash, 0x8000'0000'0000'0010ULL);
  EXPECT_EQ(found.first_hour, hour);
  EXPECT_TRUE(Read(hour + 1).hours.empty());
  EXPECT_TRUE(Read(0, hour).hours.empty());
  ExpectVerified();
}

TEST_P(DeliveredTest, HashesOfAnOperationThatOnlyTheJournalHasSurviveAKill) {
  Append("a");
  Deliver(7);
  Kill();
  Reopen();
  Checkpoint();
  const DeliveredHours found = Read();
  ASSERT_EQ(found.hours.size(), 1U);
  EXPECT_EQ(found.hours[0].hashed, 1U);
  EXPECT_EQ(found.hours[0].id_hash, 7U);
}

TEST_P(DeliveredTest, SumsAreExactAndAddUpOverCheckpointsAndAKill) {
  const auto deliver = [&](const char* value, std::uint64_t records) {
    Append("a");
    Settlement settlement = Delivered(PrepareNext(100));
    settlement.sums.push_back(
        {*queue_->Stream("telemetry"), HourOf(clock_.Wall()), "energy", records, *FixedPoint::Parse(value)});
    ASSERT_TRUE(Settle(std::move(settlement)));
  };
  for (const char* value : {"0.1", "0.2", "-12.345678901234", "1e15", "0.7"}) {
    deliver(value, 2);
    Checkpoint();
  }
  deliver("0.000000000001", 1);
  Kill();
  Reopen();
  Checkpoint();
  const auto sums = [&] {
    const DeliveredHours found = Read();
    return found.hours.size() == 1 ? found.hours[0].sums : std::map<std::string, DeliveredSum>{};
  };
  EXPECT_EQ(
      sums(),
      (std::map<std::string, DeliveredSum>{{"energy", {11, *FixedPoint::Parse("999999999999988.654321098767")}}}));
  ExpectVerified();
}

TEST_P(DeliveredTest, ASumWithoutRoomStaysAsItIsAndItsRecordsSaySo) {
  for (int i = 0; i < 3; ++i) {
    Append("a");
    Settlement settlement = Delivered(PrepareNext(100));
    settlement.sums.push_back(
        {*queue_->Stream("telemetry"), HourOf(clock_.Wall()), "energy", 1, FixedPoint(5'000'000'000'000'000'000)});
    ASSERT_TRUE(Settle(std::move(settlement)));
    Checkpoint();
  }
  const DeliveredHours found = Read();
  ASSERT_EQ(found.hours.size(), 1U);
  EXPECT_EQ(found.hours[0].records, 3U);
  EXPECT_EQ(found.hours[0].sums.at("energy"), (DeliveredSum{1, FixedPoint(5'000'000'000'000'000'000)}));
  ExpectVerified();
}

TEST_P(DeliveredTest, WhatIsInABatchIsOfAnHourThatIsNotSettled) {
  EXPECT_TRUE(queue_->HoursInBatches("cloud").empty());
  Append("a");
  const BatchId batch = PrepareNext(1);
  EXPECT_EQ(queue_->HoursInBatches("cloud"), (std::set<StreamHour>{{"telemetry", HourOf(clock_.Wall())}}));
  EXPECT_TRUE(queue_->HoursInBatches("other").empty());
  ASSERT_TRUE(Settle(Delivered(batch)));
  EXPECT_TRUE(queue_->HoursInBatches("cloud").empty());
}

TEST_P(DeliveredTest, MoreHoursThanAskedForAreRefused) {
  for (int i = 0; i < 4; ++i) {
    Append("a");
    Deliver(1);
    clock_.Advance(1h);
  }
  Checkpoint();
  EXPECT_EQ(Read().hours.size(), 4U);
  const Result<DeliveredHours> too_many = queue_->DeliveredByHour("cloud", 0, INT32_MAX, 2);
  ASSERT_FALSE(too_many);
  EXPECT_EQ(too_many.error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(queue_->DeliveredByHour("other", 0, 1, 2).error().code, ErrorCode::kNotFound);
}

TEST_P(DeliveredTest, AStartWithoutAJournalNotesTheHoursOfWhichCountsMayBeMissing) {
  Append("a");
  Deliver(1);
  Checkpoint();
  EXPECT_TRUE(Read().forgotten.empty());
  const std::int32_t before = HourOf(clock_.Wall());
  Keep("cut");
  End();
  PutBack("cut", {"", "-wal", ".witness"});
  std::filesystem::remove_all(dir_ / "run");
  clock_.Advance(2h);
  clock_.Reboot("boot-2", clock_.Wall());
  Reopen();
  const std::vector<ForgottenHours> forgotten = Read().forgotten;
  ASSERT_EQ(forgotten.size(), 1U);
  EXPECT_EQ(forgotten[0].first, before);
  EXPECT_EQ(forgotten[0].last, before + 2);
  Reopen();
  EXPECT_EQ(Read().forgotten.size(), 1U) << "an orderly end forgets nothing";
}

INSTANTIATE_TEST_SUITE_P(All, DeliveredTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

}  // namespace
}  // namespace packhorse::queue
