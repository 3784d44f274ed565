#include "limit/announced_limits.h"

#include <gtest/gtest.h>

#include <string>

#include "times.h"

namespace packhorse::limit {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Unit = Window::Unit;

class AnnouncedTest : public testing::Test {
 protected:
  static Announcement Policy(std::uint64_t count, milliseconds per) {
    return {"p", Unit::kRequests, count, per, {}, {}};
  }
  static Announcement Left(std::uint64_t left, milliseconds resets) {
    return {"p", Unit::kRequests, {}, {}, left, resets};
  }
  // One request and its reply, without time passing.
  void Exchange(const std::vector<Announcement>& said, const Cost& cost = {1, 0, 0}) {
    limits_.Admit(cost, now_);
    limits_.Answered(cost, now_, true, now_);
    limits_.Note(said, now_, now_);
  }
  milliseconds Wait(const Cost& cost = {1, 0, 0}) const {
    return std::chrono::ceil<milliseconds>(limits_.NextAdmission(cost, now_) - now_);
  }
  // How many go in this time, as soon as each may; each reply says `said`.
  int Count(milliseconds time, const std::vector<Announcement>& said) {
    const MonoTime end = now_ + time;
    int count = 0;
    while ((now_ = limits_.NextAdmission({1, 0, 0}, now_)) < end) {
      Exchange(said);
      ++count;
    }
    now_ = end;
    return count;
  }

  AnnouncedLimits limits_;
  MonoTime now_ = kStart;
};

TEST_F(AnnouncedTest, PolicyHoldsFromThenOnAndIsSpreadEvenly) {
  Exchange({Policy(100, seconds(60))});
  EXPECT_EQ(Wait(), milliseconds(0));
  Exchange({});
  EXPECT_NEAR(static_cast<double>(Wait().count()), 600 / 0.97, 2);
  const int count = Count(minutes(10), {});
  EXPECT_GE(count, 950);
  EXPECT_LE(count, 980);
}

TEST_F(AnnouncedTest, SeveralPoliciesHoldAtOnce) {
  const std::vector<Announcement> both = {Policy(1'000, hours(1)), {"q", Unit::kRequests, 10, seconds(1), {}, {}}};
  Exchange(both);
  EXPECT_NEAR(Count(hours(1), both), 970, 12);
}

TEST_F(AnnouncedTest, BytesAreCountedWhereThePolicySaysSo) {
  const Announcement bytes{"size", Unit::kBytes, 1'000, seconds(10), {}, {}};
  Exchange({bytes}, {1, 0, 500});
  Exchange({bytes}, {1, 0, 400});
  EXPECT_GT(Wait({1, 0, 400}), seconds(4));
  EXPECT_EQ(Wait({1, 0, 0}), milliseconds(0));
}

TEST_F(AnnouncedTest, WhatIsLeftIsNeverExceeded) {
  Exchange({Left(3, seconds(30))});
  EXPECT_EQ(Count(seconds(29), {}), 3);
  now_ += seconds(1);
  EXPECT_EQ(Wait(), milliseconds(0)) << "another window has begun";
}

TEST_F(AnnouncedTest, WhatIsLeftIsSpreadEvenlyOverItsTime) {
  Exchange({Left(10, seconds(30))});
  Exchange({Left(9, seconds(30))});
  EXPECT_EQ(Wait(), seconds(3));
}

TEST_F(AnnouncedTest, RequestsUnderWayMayNotBeCountedThereYet) {
  limits_.Admit({1, 0, 0}, now_);
  limits_.Admit({1, 0, 0}, now_);
  limits_.Admit({1, 0, 0}, now_);
  limits_.Answered({1, 0, 0}, now_, true, now_);
  limits_.Note({Left(2, seconds(30))}, now_, now_);
  EXPECT_EQ(Wait(), seconds(30));
  limits_.Answered({1, 0, 0}, now_, true, now_);
  limits_.Answered({1, 0, 0}, now_, true, now_);
  limits_.Note({Left(1, seconds(30))}, now_, now_);
  EXPECT_EQ(Wait(), milliseconds(0));
}

TEST_F(AnnouncedTest, NewerReplyThatCameFirstIsNotReplacedByAnOlderOne) {
  limits_.Admit({1, 0, 0}, now_);
  limits_.Admit({1, 0, 0}, now_ + milliseconds(5));
  limits_.Answered({1, 0, 0}, now_ + milliseconds(5), true, now_ + milliseconds(9));
  limits_.Note({Left(0, seconds(30))}, now_ + milliseconds(5), now_ + milliseconds(9));
  limits_.Answered({1, 0, 0}, now_, true, now_ + milliseconds(9));
  limits_.Note({Left(1, seconds(30))}, now_, now_ + milliseconds(9));
  EXPECT_GT(Wait(), seconds(29));
}

TEST_F(AnnouncedTest, OthersWhoUseTheQuotaLeaveLessToSpread) {
  const auto said = [](std::uint64_t left) {
    return Announcement{"p", Unit::kRequests, 100, seconds(60), left, seconds(50)};
  };
  Exchange({said(10)});
  Exchange({said(9)});
  EXPECT_GE(Wait(), seconds(4));
}

TEST_F(AnnouncedTest, PolicyIsReplacedByANewerOneOfItsName) {
  Exchange({Policy(1, hours(1))});
  Exchange({Policy(600, seconds(60))});
  EXPECT_LE(Wait(), milliseconds(110));
  EXPECT_EQ(limits_.Now(now_).size(), 1U);
}

TEST_F(AnnouncedTest, LimitEndsTwentyRepliesAndTenMinutesAfterItWasAnnouncedLast) {
  Exchange({Policy(60, seconds(60))});
  for (int i = 0; i < 40; ++i) {
    Exchange({});
  }
  EXPECT_TRUE(limits_.any());
  now_ += minutes(10);
  Exchange({});
  EXPECT_FALSE(limits_.any());
  EXPECT_EQ(Wait(), milliseconds(0));
}

TEST_F(AnnouncedTest, LimitStaysWhileNothingIsAnswered) {
  Exchange({Policy(1, hours(1))});
  now_ += hours(48);
  EXPECT_EQ(limits_.Now(now_).size(), 1U);
  Exchange({Policy(1, hours(1))});
  EXPECT_GT(Wait(), minutes(29));
}

TEST_F(AnnouncedTest, OnePolicyThatIsNotSaidAgainCostsAnHourWhateverItsWindow) {
  Exchange({Policy(1, hours(24 * 31))});
  EXPECT_LE(Count(hours(1), {}), 2);
  EXPECT_TRUE(limits_.Now(now_).empty());
  EXPECT_EQ(Wait(), milliseconds(0));
  Exchange({});
  EXPECT_FALSE(limits_.any());
}

TEST_F(AnnouncedTest, PolicyThatEveryReplySaysStays) {
  const std::vector<Announcement> said = {Policy(48, hours(24))};
  Exchange(said);
  EXPECT_LE(Count(hours(24), said), 48);
  EXPECT_TRUE(limits_.any());
}

TEST_F(AnnouncedTest, LimitThatTellsItsEndStaysUntilThenForADayAtMost) {
  Exchange({Left(0, hours(23))});
  EXPECT_LE(Count(hours(9), {}), 18);
  EXPECT_TRUE(limits_.any());
  limits_.Forget();
  Exchange({Left(0, hours(25))});
  EXPECT_LE(Count(hours(1), {}), 2);
  EXPECT_EQ(Wait(), milliseconds(0));
}

TEST_F(AnnouncedTest, WhatIsForgottenHoldsNothingAndMayBeAnnouncedAgain) {
  Exchange({Policy(1, hours(1))});
  Exchange({});
  EXPECT_GT(Wait(), minutes(29));
  limits_.Forget();
  EXPECT_EQ(Wait(), milliseconds(0));
  Exchange({Policy(1, hours(1))});
  EXPECT_GT(Wait(), minutes(29));
}

TEST_F(AnnouncedTest, UntilAFirstReplyOneRequestAtATimeGoes) {
  const Cost one{1, 0, 0};
  EXPECT_EQ(Wait(), milliseconds(0));
  limits_.Admit(one, now_);
  EXPECT_TRUE(limits_.awaits_first());
  EXPECT_GT(Wait(), milliseconds(0));
  limits_.Answered(one, now_, true, now_);
  EXPECT_EQ(Wait(), milliseconds(0)) << "no reply came, and nothing is under way";
  Exchange({});
  limits_.Admit(one, now_);
  EXPECT_EQ(Wait(), milliseconds(0)) << "nothing is announced";
  limits_.Answered(one, now_, true, now_);
  limits_.Forget();
  limits_.Admit(one, now_);
  EXPECT_GT(Wait(), milliseconds(0));
}

TEST_F(AnnouncedTest, WhoeverKnowsLimitsOfAnEarlierRunAwaitsNoFirstReply) {
  limits_.Restore({}, now_);
  limits_.Admit({1, 0, 0}, now_);
  EXPECT_TRUE(limits_.awaits_first());
  AnnouncedLimits next;
  next.Restore({Policy(100, seconds(60))}, now_);
  next.Admit({1, 0, 0}, now_);
  EXPECT_FALSE(next.awaits_first());
}

TEST_F(AnnouncedTest, RequestsAtTheSameTimeAreNoMoreThanAnnounced) {
  const Announcement three{"c", Unit::kRequests, 3, {}, {}, {}, true};
  const Cost one{1, 0, 0};
  Exchange({three, Policy(100, seconds(60))});
  for (int i = 0; i < 3; ++i) {
    now_ += seconds(5);
    EXPECT_EQ(Wait(), milliseconds(0)) << i;
    limits_.Admit(one, now_);
  }
  now_ += seconds(5);
  EXPECT_GT(Wait(), milliseconds(0));
  limits_.Answered(one, now_, false, now_);
  EXPECT_EQ(Wait(), milliseconds(0));
  AnnouncedLimits next;
  next.Restore(limits_.Now(now_), now_);
  EXPECT_EQ(next.Now(now_).front(), three);
  limits_.Answered(one, now_, true, now_);
  limits_.Answered(one, now_, true, now_);
  Count(minutes(70), {Policy(100, seconds(60))});
  EXPECT_EQ(limits_.Now(now_).size(), 1U) << "it ends as others do";
}

TEST_F(AnnouncedTest, NonsenseIsNoLimit) {
  const std::uint64_t huge = ~0ULL;
  for (const Announcement& said :
       {Policy(0, seconds(60)), Policy(5, seconds(0)), Policy(5, hours(24 * 400)), Policy(huge, seconds(60)),
        Policy(5, milliseconds(-1)), Left(0, seconds(0)), Left(0, hours(24 * 400)), Left(huge, seconds(60)),
        Left(1, milliseconds(-5)), Announcement{"c", Unit::kRequests, 0, {}, {}, {}, true},
        Announcement{"c", Unit::kRequests, {}, {}, 0, seconds(9), true}}) {
    Exchange({said});
    EXPECT_FALSE(limits_.any());
  }
}

TEST_F(AnnouncedTest, NoHeaderStopsDeliveryForLongerThanHalfAnHour) {
  for (const Announcement& said : {Left(0, hours(24 * 31)), Policy(1, hours(24 * 31)), Left(1, hours(24 * 31)),
                                   Announcement{"b", Unit::kBytes, 1, hours(24 * 31), 0, hours(24 * 31)}}) {
    Exchange({said}, {1, 0, 500});
    Exchange({said}, {1, 0, 500});
    EXPECT_LE(Wait({1, 0, 500}), minutes(30));
    now_ += hours(1);
    EXPECT_EQ(Wait({1, 0, 500}), milliseconds(0));
  }
}

TEST_F(AnnouncedTest, NumberOfLimitsIsBounded) {
  for (int i = 0; i < 1'000; ++i) {
    Exchange({{"p" + std::to_string(i), Unit::kRequests, 100, seconds(60), {}, {}}});
  }
  EXPECT_EQ(limits_.Now(now_).size(), AnnouncedLimits::kMost);
}

TEST_F(AnnouncedTest, LargerRequestThanTheWholeQuotaGoesWhenAllOfItIsLeft) {
  const Announcement bytes{"size", Unit::kBytes, 1'000, seconds(10), 1'000, seconds(10)};
  Exchange({bytes}, {1, 0, 0});
  EXPECT_LE(Wait({1, 0, 5'000}), seconds(11));
}

TEST_F(AnnouncedTest, WhatIsKeptHoldsAfterARestart) {
  Exchange({{"p", Unit::kRequests, 100, seconds(60), 40, seconds(30)}});
  AnnouncedLimits next;
  next.Restore(limits_.Now(now_), now_);
  EXPECT_EQ(next.Now(now_), limits_.Now(now_));
  limits_ = next;
  Exchange({});
  EXPECT_GE(Wait(), milliseconds(700)) << "40 in 30 s";
}

}  // namespace
}  // namespace packhorse::limit
