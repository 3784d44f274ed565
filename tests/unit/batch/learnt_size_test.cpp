#include "batch/learnt_size.h"

#include <gtest/gtest.h>

namespace packhorse::batch {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMost = 500;

// Full batches against a limit of the other side; returns how many were refused.
int SendFull(LearntSize& size, std::uint64_t fits, int batches, MonoTime& now, std::chrono::seconds apart) {
  int refused = 0;
  for (int i = 0; i < batches; ++i) {
    const std::uint64_t sent = size.Limit(kMost);
    now += apart;
    if (sent > fits) {
      ++refused;
      size.TooMuch(sent, now);
    } else {
      size.Passed(sent, kMost, now);
    }
  }
  return refused;
}

TEST(LearntSize, NothingIsLearntWhileEverythingFits) {
  LearntSize size(1);
  size.Passed(kMost, kMost, MonoTime(1s));
  EXPECT_FALSE(size.learnt());
  EXPECT_EQ(size.Limit(kMost), kMost);
}

TEST(LearntSize, IsHalvedAtOnceAndGrowsByATenthOfTheConfiguredSize) {
  LearntSize size(1);
  size.TooMuch(400, MonoTime(1s));
  EXPECT_EQ(size.Limit(kMost), 200U);
  size.Passed(200, kMost, MonoTime(2s));
  EXPECT_EQ(size.Limit(kMost), 250U);
  size.Passed(10, kMost, MonoTime(2s));
  EXPECT_EQ(size.Limit(kMost), 250U) << "a small batch that passes tells nothing";
}

TEST(LearntSize, TheSameBatchAgainDoesNotShrinkTheNextOnesTwice) {
  LearntSize size(1);
  size.TooMuch(400, MonoTime(1s));
  size.TooMuch(400, MonoTime(2s));
  EXPECT_EQ(size.Limit(kMost), 200U);
}

TEST(LearntSize, StaysJustBelowALimitAndTriesMoreMoreAndMoreSeldom) {
  LearntSize size(1);
  MonoTime now(1s);
  SendFull(size, 180, 20, now, 1s);
  EXPECT_GE(size.Limit(kMost), 80U);
  EXPECT_LE(size.Limit(kMost), 250U);
  const int refused = SendFull(size, 180, 24 * 60, now, 60s);  // a day
  EXPECT_LE(refused, 12);
}

TEST(LearntSize, GrowsBackToTheConfiguredSizeOnceTheLimitIsGone) {
  LearntSize size(1);
  MonoTime now(1s);
  SendFull(size, 0, 12, now, 1s);
  EXPECT_EQ(size.Limit(kMost), 1U);
  SendFull(size, kMost, 150, now, 1s);
  EXPECT_FALSE(size.learnt());
}

TEST(LearntSize, NeverFallsBelowTheLeast) {
  LearntSize size(1024);
  size.TooMuch(10, MonoTime(1s));
  EXPECT_EQ(size.Limit(1U << 20U), 1024U);
}

TEST(LearntSize, ARestartKnowsTheLimitAndWhatWasTooMuch) {
  LearntSize learnt(1);
  learnt.TooMuch(64, MonoTime{});
  const LearntSize::Kept kept = learnt.ToKeep();
  EXPECT_EQ(kept.limit, 32U);
  EXPECT_EQ(kept.too_much, 64U);
  LearntSize after(1);
  after.Restore(kept);
  EXPECT_TRUE(after.learnt());
  EXPECT_EQ(after.Limit(100), 32U);
  EXPECT_EQ(after.ToKeep(), kept);
  after.Restore({});
  EXPECT_FALSE(after.learnt());
}

TEST(LearntSize, WhatIsKeptOfAnotherKindIsBroughtIntoBounds) {
  LearntSize learnt(1024);
  learnt.Restore({1, 1});
  EXPECT_EQ(learnt.Limit(10'000), 1024U);
}

}  // namespace
}  // namespace packhorse::batch
