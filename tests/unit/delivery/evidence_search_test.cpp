// What the search for a record tells of it.

#include <algorithm>
#include <vector>

#include "evidence_fixture.h"

namespace packhorse::delivery {
namespace {

class SearchEvidence : public EvidenceTest {
 protected:
  // A batch is halved until one record is left, of which each time the other half is accepted.
  void Search(int halvings, Fault fault = Fault::kRejected) {
    std::vector<Track> tracks(1);
    for (int i = 0; i < halvings; ++i) {
      ASSERT_EQ(Again(tracks.back(), 1, fault, 1U << static_cast<unsigned>(halvings - i)), Ruling::kSplit);
      Track other = tracks.back().Part();
      tracks.push_back(tracks.back().Part());
      evidence_.Accepted(other, Key(1'000), 1, true, now_);
    }
    ASSERT_EQ(Again(tracks.back(), 1, Fault::kRejected), Ruling::kSetAside);
  }
  // How often it is refused alone until it is buried, where nothing else is sent.
  int RefusalsUntilBuried() {
    int refusals = 1;
    const MonoTime first = now_;
    while (refusals < 100) {
      now_ = std::max(now_ + 1ms, evidence_.NextSuspect()->at);
      ++refusals;
      if (Retry(1) == Ruling::kBury) {
        EXPECT_GE(now_ - first, 30s);
        return refusals;
      }
    }
    return refusals;
  }
  void AcceptOthers(int count) {
    for (int i = 0; i < count; ++i) {
      Accept(500);
    }
  }
};

TEST_F(SearchEvidence, RecordThatALongSearchLedToIsBuriedAtItsThirdRefusal) {
  Search(9);
  AcceptOthers(11);
  EXPECT_EQ(RefusalsUntilBuried(), 3);
}

TEST_F(SearchEvidence, WithoutOthersBesideItASearchProvesNothing) {
  Search(14);
  AcceptOthers(9);
  EXPECT_GT(RefusalsUntilBuried(), 3) << "requests may take turns between two backends";
}

TEST_F(SearchEvidence, RecordThatCameAloneTakesMore) {
  Search(0);
  AcceptOthers(20);
  EXPECT_GT(RefusalsUntilBuried(), 3);
}

TEST_F(SearchEvidence, ShortSearchTellsLittle) {
  Search(2);
  AcceptOthers(11);
  EXPECT_GT(RefusalsUntilBuried(), 3);
}

TEST_F(SearchEvidence, RefusalOfSomethingElseTakesItsWorth) {
  Search(9);
  Fail(5'000, Fault::kRejected, 100);
  AcceptOthers(11);
  EXPECT_GT(RefusalsUntilBuried(), 3);
}

TEST_F(SearchEvidence, HalvesOfWhatWasTooLargeAreNoSearch) {
  Search(9, Fault::kTooLarge);
  AcceptOthers(11);
  EXPECT_GT(RefusalsUntilBuried(), 3);
}

TEST_F(SearchEvidence, RecordThatPassedThoughItHadBeenRefusedTakesItsWorth) {
  Search(9);
  Fail(7'000, Fault::kRejected);
  EXPECT_TRUE(evidence_.Passed({Key(7'000)}, now_).has_value() || !evidence_.Knows(Key(7'000)));
  AcceptOthers(11);
  EXPECT_GT(RefusalsUntilBuried(), 3);
}

}  // namespace
}  // namespace packhorse::delivery
