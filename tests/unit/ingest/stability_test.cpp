#include "ingest/paho/stability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace packhorse::ingest {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class StabilityTest : public testing::Test {
 protected:
  // A connection that lives so long and is lost.
  void LoseAfter(std::chrono::seconds lived, bool taken_over = false) {
    const Stability::Time connected = now_;
    now_ += lived;
    stability_.OnAlive(connected, now_);
    stability_.OnLoss("connection lost", taken_over, connected, now_);
  }

  Stability::Time now_{Stability::Time(1000s)};
  Stability stability_{"gw", 2min};
};

TEST_F(StabilityTest, ThreeLossesWithinMinutesAreNoAccident) {
  LoseAfter(30s);
  LoseAfter(90s);
  EXPECT_EQ(stability_.cause(), "");
  LoseAfter(60s);
  EXPECT_THAT(stability_.cause(), HasSubstr("does another client use the client id \"gw\"?"));
  EXPECT_THAT(stability_.Described(), HasSubstr("(the last time: connection lost)"));
}

TEST_F(StabilityTest, ItIsOverOnceAConnectionLasts) {
  LoseAfter(3s);
  LoseAfter(3s);
  LoseAfter(3s);
  const Stability::Time connected = now_;
  stability_.OnAlive(connected, connected + 119s);
  EXPECT_NE(stability_.cause(), "");
  stability_.OnAlive(connected, stability_.SettlesAt(connected));
  EXPECT_EQ(stability_.cause(), "");
  LoseAfter(3s);
  EXPECT_EQ(stability_.cause(), "");  // it counts from the beginning
}

TEST_F(StabilityTest, LossesThatAreFarApartAreEverydayLife) {
  for (int i = 0; i < 20; ++i) {
    LoseAfter(10min);
  }
  EXPECT_EQ(stability_.cause(), "");
}

TEST_F(StabilityTest, ATakeoverThatTheBrokerTellsOfIsNamedAtOnce) {
  LoseAfter(60s, true);
  EXPECT_EQ(stability_.cause(), "another client uses the client id \"gw\"; each bridge needs its own");
}

}  // namespace
}  // namespace packhorse::ingest
