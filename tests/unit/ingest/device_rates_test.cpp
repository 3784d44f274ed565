#include "ingest/device_rates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace packhorse::ingest {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class DeviceRatesTest : public testing::Test {
 protected:
  Pace Next(const std::string& device = "17", StreamId stream = 1) { return rates_.Next(stream, device, rate_, now_); }
  std::vector<std::string> Noisy() {
    std::vector<std::string> noisy;
    for (const NoisyDevice& each : rates_.TakeNoisy()) {
      noisy.push_back(std::to_string(each.stream) + "/" + each.device + ": " + std::to_string(each.messages) + ", " +
                      std::to_string(each.dropped) + " dropped");
    }
    return noisy;
  }

  DeviceRate rate_{10, 60s, false};
  MonoTime now_{1h};
  DeviceRates rates_;
};

TEST_F(DeviceRatesTest, AsManyAsTheRateMayComeAtOnceAndNoMore) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Next(), Pace::kWithin) << i;
  }
  EXPECT_EQ(Next(), Pace::kOver);
  EXPECT_EQ(Next("18"), Pace::kWithin) << "another device";
  EXPECT_EQ(Next("17", 2), Pace::kWithin) << "the same name in another stream";
}

TEST_F(DeviceRatesTest, AnEvenPaceAtTheRateIsNeverOver) {
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(Next(), Pace::kWithin) << i;
    now_ += 6s;
  }
}

TEST_F(DeviceRatesTest, OneAndAHalfTimesTheRateIsOverForAThirdOfTheMessages) {
  int over = 0;
  for (int i = 0; i < 3'000; ++i) {
    over += Next() == Pace::kOver ? 1 : 0;
    now_ += 4s;
  }
  EXPECT_NEAR(over, 1'000, 30);
}

TEST_F(DeviceRatesTest, StaysNoisyUntilItHasKeptItsRateForTheWholeTime) {
  for (int i = 0; i < 11; ++i) {
    Next();
  }
  now_ += 59s;
  EXPECT_EQ(Next(), Pace::kStillNoisy);
  now_ += 1s;
  EXPECT_EQ(Next(), Pace::kWithin);
}

TEST_F(DeviceRatesTest, WhatWasOverIsToldOnceWithItsCount) {
  for (int i = 0; i < 13; ++i) {
    Next();
  }
  rate_.drops = true;
  for (int i = 0; i < 12; ++i) {
    Next("18");
  }
  EXPECT_THAT(Noisy(), ElementsAre("1/17: 3, 0 dropped", "1/18: 2, 2 dropped"));
  EXPECT_THAT(Noisy(), IsEmpty());
}

TEST_F(DeviceRatesTest, MoreNoisyDevicesThanAreToldApartAreCountedTogether) {
  rate_.messages = 1;
  for (std::size_t i = 0; i < DeviceRates::kMaxNoisy + 50; ++i) {
    Next(std::to_string(i));
    Next(std::to_string(i));
  }
  const std::vector<std::string> noisy = Noisy();
  EXPECT_EQ(noisy.size(), DeviceRates::kMaxNoisy + 1);
  EXPECT_EQ(noisy.front(), "1/: 50, 0 dropped");
}

TEST_F(DeviceRatesTest, ADeviceIsForgottenWhenAsManyOthersWereHeardAsAreRemembered) {
  rate_.messages = 1;
  Next("first");
  Next("second");
  for (std::size_t i = 0; i + 2 < DeviceRates::kMaxDevices; ++i) {
    Next(std::to_string(i));
  }
  EXPECT_EQ(Next("first"), Pace::kOver);
  Next("one more");
  EXPECT_EQ(Next("first"), Pace::kOver) << "it was heard after the second";
  EXPECT_EQ(Next("second"), Pace::kWithin);
}

}  // namespace
}  // namespace packhorse::ingest
