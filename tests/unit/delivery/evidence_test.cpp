#include "evidence_fixture.h"

namespace packhorse::delivery {
namespace {

TEST_F(EvidenceTest, RefusedBatchIsSplitAtOnceAndARecordAloneIsSetAside) {
  EXPECT_EQ(Fail(1, Fault::kRejected, 100), Ruling::kSplit);
  EXPECT_EQ(Fail(1, Fault::kTooLarge, 2), Ruling::kSplit);
  EXPECT_EQ(Fail(1, Fault::kRejected), Ruling::kSetAside);
}

TEST_F(EvidenceTest, RecordNamedByAReplyThatTookNothingIsTakenOutTwiceInARowAndThenItsBatchIsSplit) {
  Attempt attempt;
  attempt.first = Key(1);
  attempt.records = 100;
  attempt.connection = 1;
  Track track;
  for (const Sequence sequence : {40U, 50U}) {
    attempt.culprit = Key(sequence);
    EXPECT_EQ(evidence_.Failed(attempt, track, now_), Ruling::kSetAside);
    EXPECT_TRUE(evidence_.Knows(Key(sequence)));
  }
  attempt.culprit = Key(60);
  EXPECT_EQ(evidence_.Failed(attempt, track, now_), Ruling::kSplit);
  EXPECT_FALSE(evidence_.Knows(Key(60)));
  Track part = track.Part();
  evidence_.Accepted(part, Key(30), 50, true, now_);
  EXPECT_EQ(evidence_.Failed(attempt, track, now_), Ruling::kSetAside) << "some of it passed";
  Track other;
  attempt.may_overtake = false;
  EXPECT_EQ(evidence_.Failed(attempt, other, now_), Ruling::kSplit);
}

TEST_F(EvidenceTest, RecordIsBuriedHalfAMinuteAndSomeConfirmationsLater) {
  Fail(1, Fault::kRejected);
  const auto took = Bury(1, 5min);
  ASSERT_TRUE(took);
  EXPECT_GE(*took, 30s);
  EXPECT_LE(*took, 90s);
  EXPECT_FALSE(evidence_.NextSuspect());
}

TEST_F(EvidenceTest, RecordIsNotBuriedWhileNothingElseIsAccepted) {
  Fail(1, Fault::kRejected);
  for (int i = 0; i < 100; ++i) {
    now_ = evidence_.NextSuspect()->at;
    ASSERT_EQ(Retry(1), Ruling::kSetAside);
  }
  Accept();
  EXPECT_LE(evidence_.NextSuspect()->at, now_ + 1s) << "that was missing";
  const auto took = Bury(1, 1min);
  ASSERT_TRUE(took);
  EXPECT_GE(*took, 3s) << "what came before counts as one";
}

TEST_F(EvidenceTest, CloudThatBeginsToRefuseEverythingBuriesNothingThatItRefusedOnceBefore) {
  Fail(1, Fault::kRejected);
  for (int i = 0; i < 100; ++i) {
    Accept();
  }
  for (Sequence other = 2; other <= 20; ++other) {
    now_ += 31s;
    EXPECT_EQ(Retry(1), Ruling::kSetAside) << other;
    Fail(other, Fault::kRejected);
  }
}

TEST_F(EvidenceTest, AcceptedBetweenTheLastTwoRefusalsTheRecordIsBuriedThoughOthersAreRefusedToo) {
  Fail(1, Fault::kRejected);
  for (int i = 0; i < 100; ++i) {
    Accept();
  }
  now_ += 31s;
  EXPECT_EQ(Retry(1), Ruling::kSetAside);
  Fail(2, Fault::kRejected);
  Accept();
  EXPECT_EQ(Retry(1), Ruling::kBury);
}

TEST_F(EvidenceTest, SuspectThatFailsForAnotherReasonThanBeforeIsNotTriedEverySecond) {
  Fail(1, Fault::kRejected);
  Accept();
  now_ += 31s;
  Retry(1);
  int tries = 0;
  for (const MonoTime end = now_ + 24h; now_ < end; ++tries) {
    now_ = std::max(now_ + 1ms, evidence_.NextSuspect()->at);
    Retry(1, Fault::kFails);
  }
  EXPECT_LE(tries, 40);
}

TEST_F(EvidenceTest, RecordIsNotBuriedByRefusalsOfOneConnection) {
  Attempt attempt;
  attempt.first = Key(1);
  attempt.connection = 7;
  Track track;
  evidence_.Failed(attempt, track, now_);
  attempt.suspect = true;
  for (int i = 0; i < 100; ++i) {
    now_ += 1min;
    Accept();
    ASSERT_EQ(evidence_.Failed(attempt, track, now_), Ruling::kSetAside);
  }
}

TEST_F(EvidenceTest, TheMoreRequestsAreAcceptedBesideItTheFewerRefusalsItTakes) {
  const std::map<int, int> needed = {{1, 24}, {10, 5}, {30, 3}, {100, 2}, {100'000, 2}};
  for (const auto& [requests, refusals] : needed) {
    evidence_ = Evidence();
    Fail(1, Fault::kRejected);
    for (int i = 0; i < requests; ++i) {
      Accept();
    }
    for (int i = 2; i <= refusals; ++i) {
      now_ += 31s;
      EXPECT_EQ(Retry(1), Ruling::kSetAside) << requests;
    }
    now_ += 31s;
    EXPECT_EQ(Retry(1), Ruling::kBury) << requests << ", and once more to be sure";
  }
}

TEST_F(EvidenceTest, RefusalsOfOtherSuspectsProveNothing) {
  Fail(1, Fault::kRejected);
  Accept();
  Fail(2, Fault::kRejected);
  Accept();
  now_ += 31s;
  for (int i = 0; i < 40; ++i) {
    Retry(2);
  }
  EXPECT_EQ(Retry(1), Ruling::kSetAside);
}

TEST_F(EvidenceTest, RefusedBatchWhosePartsAreAllAcceptedContradictsItself) {
  for (const bool culprit : {false, true}) {
    evidence_ = Evidence();
    Track whole;
    Again(whole, 1, Fault::kRejected, 4);
    Track first = whole.Part();
    Track second = whole.Part();
    EXPECT_FALSE(evidence_.Accepted(first, Key(2), 2, true, now_));
    Again(second, 3, Fault::kRejected, 2);
    Track third = second.Part();
    Track fourth = second.Part();
    if (culprit) {
      Again(third, 3, Fault::kRejected);
    } else {
      EXPECT_FALSE(evidence_.Accepted(third, Key(3), 1, true, now_));
    }
    EXPECT_EQ(evidence_.Accepted(fourth, Key(4), 1, true, now_), !culprit);
    EXPECT_EQ(evidence_.Contradicted(now_), !culprit);
  }
}

TEST_F(EvidenceTest, RefusedBatchWhosePartsFitOrWhoseDestinationWasMendedContradictsNothing) {
  for (const bool held : {false, true}) {
    evidence_ = Evidence();
    Track whole;
    Again(whole, 1, held ? Fault::kRejected : Fault::kTooLarge, 4);
    Track first = whole.Part();
    Track second = whole.Part();
    if (held) {
      evidence_.Held(true);
      evidence_.Held(false);
    }
    EXPECT_FALSE(evidence_.Accepted(first, Key(2), 2, true, now_));
    EXPECT_FALSE(evidence_.Accepted(second, Key(4), 2, true, now_));
  }
}

TEST_F(EvidenceTest, ServerErrorsAndForbiddenNeverBury) {
  for (const Fault fault : {Fault::kFails, Fault::kForbidden, Fault::kConflict, Fault::kTimesOut, Fault::kUnexpected}) {
    evidence_ = Evidence();
    Fail(1, Fault::kRejected);
    for (int i = 0; i < 200; ++i) {
      now_ += 10min;
      Accept();
      ASSERT_EQ(Retry(1, fault), Ruling::kSetAside);
    }
  }
}

TEST_F(EvidenceTest, NamedByAReplyThatTakesOthersCountsOnce) {
  Track track;
  Accept();
  EXPECT_EQ(evidence_.Named(Key(1), track, connection_++, now_), Ruling::kSetAside);
  const auto took = Bury(1, 5min);
  ASSERT_TRUE(took);
  EXPECT_GE(*took, 30s);
}

TEST_F(EvidenceTest, SuspectThatPassesShowsAContradictionAndFromThenOnMuchMoreIsNeeded) {
  Fail(1, Fault::kRejected);
  Accept();
  EXPECT_TRUE(evidence_.Passed({Key(1)}, now_));
  EXPECT_TRUE(evidence_.Contradicted(now_));
  Fail(2, Fault::kRejected);
  EXPECT_FALSE(Bury(2, 59min));
  EXPECT_TRUE(Bury(2, 12h));
  now_ += 25h;
  EXPECT_FALSE(evidence_.Contradicted(now_));
}

TEST_F(EvidenceTest, RecordThatWasNamedBesideAcceptedOnesContradictsWhenItPasses) {
  Track track;
  Accept();
  evidence_.Named(Key(1), track, connection_++, now_);
  EXPECT_TRUE(evidence_.Passed({Key(1)}, now_)) << "nothing else is accepted in between where order is kept";
}

// Otherwise the chance to be refused seems small after one batch of fifty, and a few messages in a row hold.
TEST_F(EvidenceTest, RecordsThatWereRefusedTogetherAndPassTogetherContradictOnce) {
  Track track;
  Accept();
  std::vector<RecordKey> together;
  for (Sequence i = 1; i <= 50; ++i) {
    together.push_back(Key(i));
    evidence_.Named(Key(i), track, connection_, now_);
  }
  EXPECT_TRUE(evidence_.Passed(together, now_));
  Accept();
  EXPECT_GE(RefusedInARowUntilHeld(), 15);
}

// What passed once it was mended says nothing of how often it refuses when it breaks again.
TEST_F(EvidenceTest, ApiThatBreaksAgainSoonAfterItWasMendedIsJudgedByWhatItDoesNow) {
  Sequence next = 1;
  const auto pass = [&](int refusals) {
    Fail(next, Fault::kRejected);
    for (int i = 1; i < refusals; ++i) {
      Retry(next);
    }
    Accept();
    EXPECT_TRUE(evidence_.Passed({Key(next)}, now_));
    Accept();
    ++next;
  };
  for (int i = 0; i < 200; ++i) {
    pass(1);
  }
  EXPECT_LT(RefusedInARowUntilHeld(), 8);
  for (int i = 0; i < 20; ++i) {
    pass(2);
  }
  EXPECT_GE(RefusedInARowUntilHeld(), 12);
}

// Eight suspects that pass at their first retry do not show that refusals are seldom: where every second request is
// refused that happens once in 256 times. What befalls all the other requests does.
TEST_F(EvidenceTest, WhereTheApiContradictsItselfARecordIsGivenUpByWhatBefallsTheOthersBesideIt) {
  for (Sequence i = 1; i <= 8; ++i) {
    Fail(i, Fault::kRejected);
    Accept();
    EXPECT_TRUE(evidence_.Passed({Key(i)}, now_));
    Accept();
  }
  Fail(100, Fault::kRejected);
  for (int i = 2; i <= 24; ++i) {
    now_ += 8min;
    Accept();
    Fail(1000 + static_cast<Sequence>(i), Fault::kRejected);
    EXPECT_EQ(Retry(100), Ruling::kSetAside) << i;
  }
  Fail(200, Fault::kRejected);
  int refusals = 1;
  for (Ruling ruling = Ruling::kSetAside; ruling != Ruling::kBury && refusals < 20; ++refusals) {
    now_ += 8min;
    for (int others = 0; others < 10; ++others) {
      Accept();
    }
    ruling = Retry(200);
  }
  EXPECT_LT(refusals, 12);
}

TEST_F(EvidenceTest, RequestsBeforeARefusedRecordPassedProveNothing) {
  Fail(1, Fault::kRejected);
  for (int i = 0; i < 1000; ++i) {
    Accept();
  }
  Fail(2, Fault::kRejected);
  EXPECT_FALSE(evidence_.Passed({Key(2)}, now_)) << "something may have been mended";
  Accept();
  for (int i = 2; i <= 24; ++i) {
    now_ += 31s;
    EXPECT_EQ(Retry(1), Ruling::kSetAside) << i;
  }
  now_ += 31s;
  EXPECT_EQ(Retry(1), Ruling::kBury);
}

// Whether they contradict the earlier run is not known; they do not say that what is refused now is bad, either.
TEST_F(EvidenceTest, SuspectsOfAnEarlierRunThatPassProveNothing) {
  for (Sequence old = 2; old <= 101; ++old) {
    evidence_.Adopt(Key(old), now_);
  }
  Fail(1, Fault::kRejected);
  for (Sequence old = 2; old <= 101; ++old) {
    EXPECT_FALSE(evidence_.Passed({Key(old)}, now_));
    Accept();
  }
  for (int i = 2; i <= 24; ++i) {
    now_ += 31s;
    EXPECT_EQ(Retry(1), Ruling::kSetAside) << i;
  }
  now_ += 31s;
  EXPECT_EQ(Retry(1), Ruling::kBury);
}

TEST_F(EvidenceTest, SuspectThatPassesOnceTheDestinationWasMendedIsNoContradiction) {
  EXPECT_EQ(Fail(1, Fault::kTooLarge), Ruling::kSetAside);
  EXPECT_EQ(Fail(2, Fault::kTooLarge), Ruling::kSetAside);
  EXPECT_EQ(Fail(3, Fault::kTooLarge), Ruling::kHold);
  evidence_.Held(true);
  Accept();
  evidence_.Held(false);
  EXPECT_FALSE(evidence_.Passed({Key(1)}, now_));
  EXPECT_FALSE(evidence_.Contradicted(now_));
}

TEST_F(EvidenceTest, ThreeMessagesRefusedAndNoneAcceptedHoldTheDestination) {
  EXPECT_EQ(Fail(1, Fault::kRejected), Ruling::kSetAside);
  EXPECT_EQ(Fail(2, Fault::kRejected), Ruling::kSetAside);
  EXPECT_EQ(Fail(3, Fault::kRejected), Ruling::kHold);
  EXPECT_EQ(Fail(3, Fault::kRejected), Ruling::kHold);
}

TEST_F(EvidenceTest, RecordsOfOneMessageAreNotThree) {
  Track track;
  for (std::uint32_t record = 0; record < 10; ++record) {
    Attempt attempt;
    attempt.first = RecordKey{Lane::kNormal, 1, record};
    EXPECT_EQ(evidence_.Failed(attempt, track, now_), Ruling::kSetAside);
  }
}

TEST_F(EvidenceTest, NeighboursOfAcceptedOnesDoNotHoldTheDestination) {
  Track track;
  evidence_.Accepted(track, RecordKey{}, 494, true, now_);
  for (Sequence sequence = 1; sequence <= 6; ++sequence) {
    EXPECT_EQ(Again(track, sequence, Fault::kRejected), Ruling::kSetAside) << sequence;
  }
}

TEST_F(EvidenceTest, WhatIsOlderThanWhatWasAcceptedLatelyDoesNotHoldTheDestination) {
  Track track;
  evidence_.Accepted(track, Key(1000), 1, true, now_);
  for (Sequence sequence = 1; sequence <= 20; ++sequence) {
    EXPECT_EQ(Fail(sequence, Fault::kRejected), Ruling::kSetAside) << sequence;
  }
  now_ += 11min;
  EXPECT_EQ(Fail(21, Fault::kRejected), Ruling::kSetAside);
  EXPECT_EQ(Fail(22, Fault::kRejected), Ruling::kSetAside);
  EXPECT_EQ(Fail(23, Fault::kRejected), Ruling::kHold);
}

TEST_F(EvidenceTest, BeforeItHoldsItAsksForSomethingFarAndThenForTheNewest) {
  others_wait_ = true;
  EXPECT_EQ(Fail(1, Fault::kRejected), Ruling::kSetAside);
  EXPECT_EQ(evidence_.wants(), Wants::kNothing);
  EXPECT_EQ(Fail(2, Fault::kRejected), Ruling::kSetAside);
  EXPECT_EQ(evidence_.wants(), Wants::kFar);
  EXPECT_EQ(Fail(3, Fault::kRejected), Ruling::kSetAside);
  EXPECT_EQ(evidence_.wants(), Wants::kNewest);
  EXPECT_EQ(Fail(4, Fault::kRejected), Ruling::kHold);
  evidence_.Held(true);
  // A probe tries the oldest and the newest.
  EXPECT_EQ(Fail(4, Fault::kRejected), Ruling::kTryOther);
  EXPECT_EQ(evidence_.wants(), Wants::kNewest);
  EXPECT_EQ(Fail(99, Fault::kRejected), Ruling::kHold);
  EXPECT_EQ(Fail(4, Fault::kRejected), Ruling::kTryOther);
}

TEST_F(EvidenceTest, ServerErrorOfOneBatchIsSplitOnlyOnceOthersPassBesideIt) {
  others_wait_ = untried_waits_ = true;
  EXPECT_EQ(Fail(1, Fault::kFails, 128), Ruling::kRetry);
  EXPECT_EQ(Fail(1, Fault::kFails, 128), Ruling::kRetry);
  EXPECT_EQ(Fail(1, Fault::kFails, 128), Ruling::kTryOther);
  EXPECT_EQ(evidence_.wants(), Wants::kNext);
  Accept();
  EXPECT_EQ(Fail(1, Fault::kFails, 128), Ruling::kSplit);
  // Of its parts one attempt each is enough, as long as something passes now and then.
  Track part = tracks_[1].Part();
  EXPECT_EQ(Again(part, 1, Fault::kFails, 64), Ruling::kSplit);
  Track half = part.Part();
  EXPECT_EQ(Again(half, 1, Fault::kFails, 32), Ruling::kSplit);
  Track quarter = half.Part();
  EXPECT_EQ(Again(quarter, 1, Fault::kFails, 16), Ruling::kTryOther) << "it may be an outage by now";
  Accept();
  EXPECT_EQ(Again(quarter, 1, Fault::kFails, 16), Ruling::kSplit);
  Track alone = quarter.Part();
  EXPECT_EQ(Again(alone, 1, Fault::kFails), Ruling::kSetAside);
}

TEST_F(EvidenceTest, OutageSplitsNothingAndAsksOthersSeldom) {
  others_wait_ = untried_waits_ = true;
  int asked = 0;
  for (int i = 0; i < 100; ++i) {
    const Ruling ruling = Fail(1, Fault::kFails, 128);
    ASSERT_TRUE(ruling == Ruling::kRetry || ruling == Ruling::kTryOther);
    if (ruling == Ruling::kTryOther) {
      ++asked;
      Fail(2, Fault::kFails, 128);
    }
  }
  EXPECT_LE(asked, 24) << "each time the next one, and then the newest";
  EXPECT_GE(asked, 5);
}

TEST_F(EvidenceTest, BatchThatIsAllThatWaitsIsSplitOnceItHoldsTheDestination) {
  EXPECT_EQ(Fail(1, Fault::kForbidden, 15), Ruling::kHold);
  evidence_.Held(true);
  EXPECT_EQ(Fail(1, Fault::kForbidden, 15), Ruling::kSplit) << "nothing else can tell whether it is a record of it";
  EXPECT_EQ(Fail(2, Fault::kForbidden, 1), Ruling::kHold);
}

TEST_F(EvidenceTest, BatchThatIsAllThatWaitsAndFailsAgainAndAgainIsSplit) {
  for (int i = 1; i < 8; ++i) {
    EXPECT_EQ(Fail(1, Fault::kFails, 15), Ruling::kRetry);
  }
  EXPECT_EQ(Fail(1, Fault::kFails, 15), Ruling::kSplit);
}

TEST_F(EvidenceTest, PartsOfWhatFailsAreSplitDownToOneRecordAndNoOtherBatchIs) {
  others_wait_ = untried_waits_ = true;
  Track part;
  part.searched = true;
  EXPECT_EQ(Again(part, 1, Fault::kFails, 64), Ruling::kTryOther);
  untried_waits_ = smallest_ = false;
  EXPECT_EQ(Fail(2, Fault::kFails, 128), Ruling::kRetry);
  EXPECT_EQ(Again(part, 1, Fault::kFails, 64), Ruling::kRetry);
  for (std::uint32_t records = 32; records > 1; records /= 2) {
    Track smaller = part.Part();
    smallest_ = true;
    Ruling ruling = Again(smaller, 1, Fault::kFails, records);
    for (int i = 0; i < 8 && ruling != Ruling::kSplit; ++i) {
      ruling = Again(smaller, 1, Fault::kFails, records);
    }
    EXPECT_EQ(ruling, Ruling::kSplit);
  }
}

TEST_F(EvidenceTest, WhatIsToldToWaitIsFirstHeldAgainstAllAndThenAgainstTheBatch) {
  others_wait_ = untried_waits_ = true;
  for (int i = 1; i < 8; ++i) {
    EXPECT_EQ(Fail(1, Fault::kThrottled, 10), Ruling::kRetry);
  }
  EXPECT_EQ(Fail(1, Fault::kThrottled, 10), Ruling::kTryOther);
  EXPECT_EQ(evidence_.wants(), Wants::kNext);
  Accept();
  EXPECT_EQ(Fail(1, Fault::kThrottled, 10), Ruling::kSplit);
  others_wait_ = untried_waits_ = false;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Fail(3, Fault::kThrottled, 10), Ruling::kRetry) << "it is all that waits";
  }
}

TEST_F(EvidenceTest, PartsThatAreBothForbiddenAreSplitInTheEnd) {
  others_wait_ = true;
  evidence_.Held(true);
  int tries = 0;
  while (Fail(1, Fault::kForbidden, 7) != Ruling::kSplit && Fail(2, Fault::kForbidden, 8) != Ruling::kSplit) {
    ASSERT_LE(++tries, 64);
  }
}

TEST_F(EvidenceTest, ForbiddenHoldsUnlessAnotherBatchPasses) {
  EXPECT_EQ(Fail(1, Fault::kForbidden, 10), Ruling::kHold) << "there is nothing else to try";
  evidence_ = Evidence();
  tracks_.clear();
  others_wait_ = true;
  EXPECT_EQ(Fail(1, Fault::kForbidden, 10), Ruling::kTryOther);
  EXPECT_EQ(evidence_.wants(), Wants::kNext);
  untried_waits_ = true;
  EXPECT_EQ(Fail(2, Fault::kForbidden, 10), Ruling::kTryOther);
  EXPECT_EQ(evidence_.wants(), Wants::kNewest);
  EXPECT_EQ(Fail(3, Fault::kForbidden, 1), Ruling::kTryOther) << "it may be the one that is forbidden";
  EXPECT_EQ(evidence_.wants(), Wants::kNewest);
  EXPECT_EQ(Fail(4, Fault::kForbidden, 1), Ruling::kHold);
  evidence_.Held(true);
  EXPECT_EQ(Fail(1, Fault::kForbidden, 10), Ruling::kTryOther);
  EXPECT_EQ(evidence_.wants(), Wants::kNewest);
  Accept();
  EXPECT_EQ(Fail(1, Fault::kForbidden, 10), Ruling::kSplit);
}

TEST_F(EvidenceTest, UnknownOutcomeIsTriedFiveTimesAndSplitOnlyWhereRecordsAreRecognised) {
  for (const bool may_split : {true, false}) {
    evidence_ = Evidence();
    tracks_.clear();
    may_split_ = may_split;
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(Fail(1, Fault::kTimesOut, 100), Ruling::kRetry);
    }
    EXPECT_EQ(Fail(1, Fault::kTimesOut, 100), may_split ? Ruling::kSplit : Ruling::kWait);
  }
}

TEST_F(EvidenceTest, ReceiverThatMustGetThingsInOrderHoldsItsLane) {
  may_overtake_ = false;
  others_wait_ = true;
  EXPECT_EQ(Fail(1, Fault::kRejected), Ruling::kWait);
  EXPECT_EQ(evidence_.wants(), Wants::kNothing);
  EXPECT_FALSE(evidence_.NextSuspect());
  for (int i = 0; i < 20; ++i) {
    now_ += 1min;
    Accept();  // of another lane
    if (Fail(1, Fault::kRejected) == Ruling::kBury) {
      return;
    }
  }
  ADD_FAILURE() << "it is proven, and must not wait for ever";
}

TEST_F(EvidenceTest, ARecordIsNotGivenUpWithinThirtySecondsHoweverOftenItIsRefusedOnRequest) {
  ASSERT_EQ(Fail(1, Fault::kRejected), Ruling::kSetAside);
  const MonoTime refused = now_;
  while (now_ - refused < 29s) {
    now_ += 250ms;
    Accept(1'000);
    ASSERT_NE(Retry(1), Ruling::kBury) << (now_ - refused).count();
  }
  Ruling ruling = Ruling::kSetAside;
  while (ruling != Ruling::kBury && now_ - refused < 40s) {
    now_ += 250ms;
    Accept(1'000);
    ruling = Retry(1);
  }
  EXPECT_EQ(ruling, Ruling::kBury);
}

TEST_F(EvidenceTest, SuspectsAreTriedMoreAndMoreSeldomAndAtOnceWhenNudged) {
  Fail(1, Fault::kFails);
  Track track;
  evidence_.Accepted(track, RecordKey{}, 1, true, now_);
  evidence_.Adopt(Key(1), now_);
  int tries = 0;
  const MonoTime end = now_ + 24h;
  while (now_ < end) {
    now_ = std::max(now_ + 1ms, evidence_.NextSuspect()->at);
    Retry(1, Fault::kFails);
    ++tries;
  }
  EXPECT_GE(tries, 24);
  EXPECT_LE(tries, 40);
  evidence_.Nudge(now_);
  EXPECT_LE(evidence_.NextSuspect()->at, now_);
}

TEST_F(EvidenceTest, ShareOfRefusedRecordsIsThatOfTheLastTenMinutes) {
  Accept(70);
  for (Sequence sequence = 1; sequence <= 30; ++sequence) {
    Fail(sequence, Fault::kRejected);
    Retry(sequence);
  }
  EXPECT_DOUBLE_EQ(evidence_.share_refused(now_), 0.3);
  now_ += 11min;
  EXPECT_DOUBLE_EQ(evidence_.share_refused(now_), 0.0);
}

}  // namespace
}  // namespace packhorse::delivery
