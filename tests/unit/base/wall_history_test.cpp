#include "base/wall_history.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace packhorse {
namespace {

using namespace std::chrono_literals;

const WallTime kTrue{std::chrono::microseconds(1'795'162'531'500'000)};

TEST(WallHistory, ClockThatIsLeftAloneCorrectsNothing) {
  test::ManualClock clock;
  WallHistory history;
  EXPECT_EQ(history.Corrected(clock.Wall()), clock.Wall());
  history.Look(clock);
  const WallTime noted = clock.Wall();
  clock.Advance(1h);
  clock.StepWall(500ms);  // steered
  history.Look(clock);
  EXPECT_EQ(history.Corrected(noted), noted);
  EXPECT_EQ(history.Corrected(WallTime{}), WallTime{}) << "none stays none";
  EXPECT_FALSE(history.Corrected(std::optional<WallTime>()));
}

TEST(WallHistory, WhatWasNotedIn1970IsShownAsWhenItWas) {
  test::ManualClock clock;
  clock.Reboot("a", WallTime(30s));
  WallHistory history;
  const WallTime before_the_first_look = clock.Wall();
  clock.Advance(10s);
  history.Look(clock);
  const WallTime noted = clock.Wall();
  clock.Advance(1h);
  history.Look(clock);
  clock.SetWall(kTrue);
  const WallTime noted_before_that_is_noticed = clock.Wall();
  clock.Advance(1s);
  history.Look(clock);
  EXPECT_EQ(history.Corrected(before_the_first_look), kTrue - 1h - 10s);
  EXPECT_EQ(history.Corrected(noted), kTrue - 1h);
  EXPECT_EQ(history.Corrected(noted_before_that_is_noticed), kTrue);
}

TEST(WallHistory, WhatWasNotedDuringALeapIsShownByTheClockThatIsRightAgain) {
  test::ManualClock clock;
  WallHistory history;
  history.Look(clock);
  const WallTime before = clock.Wall();
  clock.Advance(1h);
  history.Look(clock);
  clock.StepWall(24h * 3'650);
  clock.Advance(1s);
  history.Look(clock);
  const WallTime during = clock.Wall();
  clock.Advance(15s);
  clock.StepWall(-24h * 3'650);
  history.Look(clock);
  EXPECT_EQ(history.Corrected(before), before);
  EXPECT_EQ(history.Corrected(during), before + 1h + 1s);
}

TEST(WallHistory, RemembersAFewChangesAndNoMore) {
  test::ManualClock clock;
  WallHistory history;
  history.Look(clock);
  const WallTime noted = clock.Wall();
  for (int i = 0; i < 20; ++i) {
    clock.Advance(1min);
    clock.StepWall(24h);
    history.Look(clock);
  }
  EXPECT_EQ(history.Corrected(noted), noted);
}

}  // namespace
}  // namespace packhorse
