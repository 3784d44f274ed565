#include <gmock/gmock.h>

#include "fake_cloud.h"

namespace packhorse::reconcile::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(ReconcilerTest, EqualSidesRaiseNothing) {
  for (int i = 1; i < 250; ++i) {
    bridge_.Deliver(i % 2 == 0 ? "telemetry" : "alarms", Present() - 1 - i / 2, 10, static_cast<std::uint64_t>(i));
    bridge_.cloud[bridge_.ledger.hours.back().of] = {10, static_cast<std::uint64_t>(i)};
  }
  const Report report = Compared();
  EXPECT_EQ(report.state, Report::State::kEqual) << report.problem;
  EXPECT_EQ(report.found.equal, 249U);
  EXPECT_EQ(report.pages, 3U);
  EXPECT_THAT(Gaps(), IsEmpty());
  EXPECT_THAT(bridge_.asked, SizeIs(3));
  EXPECT_THAT(bridge_.asked[0], AllOf(HasSubstr("/v1/reconciliation?gateway=gw-1&from=2026-11-13T09%3A00%3A00Z"),
                                      HasSubstr("&to=2026-11-20T08%3A00%3A00Z"), Not(HasSubstr("cursor"))));
  EXPECT_THAT(bridge_.asked[2], HasSubstr("&cursor=c2"));
  EXPECT_EQ(bridge_.ledger_reads, 2);
}

TEST_F(ReconcilerTest, ARecordThatTheCloudLacksIsAnEventWithTheCommandThatMendsIt) {
  const std::int32_t hour = Present() - 3;
  bridge_.Deliver("telemetry", hour, 3600, 5);
  bridge_.cloud[{"telemetry", hour}] = {3599, 4};
  const Report report = Compared();
  EXPECT_EQ(report.state, Report::State::kDiffers);
  EXPECT_THAT(
      Gaps(),
      ElementsAre("cloud: telemetry, hour 2026-11-20T05:00:00Z: 3600 records were delivered, the cloud has 3599; "
                  "send it again with: packhorse replay --stream telemetry --destination cloud --from "
                  "2026-11-20T05:00:00Z --to 2026-11-20T06:00:00Z"));
  EXPECT_TRUE(events_.IsOpen("reconciliation_gap", "cloud/telemetry/2026-11-20T05:00:00Z"));
  bridge_.cloud[{"telemetry", hour}] = {3600, 5};
  EXPECT_EQ(Compared().state, Report::State::kEqual);
  EXPECT_THAT(Gaps(), IsEmpty());
}

TEST_F(ReconcilerTest, AnHourThatTheCloudDoesNotNameHasNoRecordsThere) {
  bridge_.Deliver("alarms", Present() - 2, 1, 5);
  EXPECT_EQ(Compared().found.differences.at(0).what, Difference::What::kMissing);
  EXPECT_THAT(Gaps(), ElementsAre(HasSubstr("no retain_delivered")));
}

TEST_F(ReconcilerTest, AsManyRecordsWithOtherIdsDiffer) {
  bridge_.Deliver("telemetry", Present() - 2, 7, 5);
  bridge_.cloud[{"telemetry", Present() - 2}] = {7, 6};
  EXPECT_EQ(Compared().found.differences.at(0).what, Difference::What::kOther);
  EXPECT_THAT(Gaps(), ElementsAre(HasSubstr("as many, but not the same ones")));
}

TEST_F(ReconcilerTest, TheSameRecordsWithOtherValuesAreAnEventWithBothSums) {
  const std::int32_t hour = Present() - 3;
  bridge_.targets[0].sums = bridge_.targets[0].contract->reconcile()->SumsWith({"energy", "mass"});
  bridge_.Deliver("telemetry", hour, 100, 5);
  auto& sums = bridge_.ledger.hours[0].sums;
  sums = {{"energy", {100, *FixedPoint::Parse("1042.75")}}, {"mass", {100, FixedPoint(7)}}};
  auto& cloud = bridge_.cloud[{"telemetry", hour}];
  cloud = {100, 5, R"({"energy":1042.5,"mass":7})"};
  Report report = Compared();
  ASSERT_THAT(report.found.differences, SizeIs(1));
  EXPECT_EQ(report.found.differences[0].what, Difference::What::kSum);
  EXPECT_THAT(Gaps(), ElementsAre("cloud: telemetry, hour 2026-11-20T05:00:00Z: 100 records were delivered, the cloud "
                                  "has as many, but not the same values; the sum of energy was 1042.75, the cloud has "
                                  "1042.5"));
  cloud.sums = R"({"energy":1042.7500000009,"mass":7.0000000999})";  // floating point, added up one by one
  EXPECT_EQ(Compared().state, Report::State::kEqual);
  EXPECT_THAT(Gaps(), IsEmpty());
  cloud.sums = R"({"energy":1042.7500012,"mass":7})";
  EXPECT_EQ(Compared().state, Report::State::kDiffers);

  sums["energy"].records = 99;
  EXPECT_EQ(Compared().state, Report::State::kEqual) << "a record is not in our sum";
  sums["energy"].records = 100;
  cloud.sums = "{}";
  EXPECT_EQ(Compared().state, Report::State::kEqual) << "the cloud does not tell";
  cloud = {100, 6, R"({"energy":1})"};
  EXPECT_EQ(Compared().found.differences.at(0).what, Difference::What::kOther) << "other records come first";
}

TEST_F(ReconcilerTest, MoreRecordsThanWereDeliveredDifferUnlessThereIsAReason) {
  const std::int32_t hour = Present() - 2;
  bridge_.Deliver("telemetry", hour, 7, 5);
  bridge_.cloud[{"telemetry", hour}] = {9, 6};
  EXPECT_EQ(Compared().found.differences.at(0).what, Difference::What::kExtra);
  EXPECT_THAT(Gaps(), ElementsAre(Not(HasSubstr("packhorse replay"))));
  const queue::DeliveredHour plain = bridge_.ledger.hours[0];
  for (auto member :
       {&queue::DeliveredHour::replayed, &queue::DeliveredHour::refused, &queue::DeliveredHour::set_aside}) {
    bridge_.ledger.hours[0].*member = 2;
    EXPECT_EQ(Compared().found.explained, 1U);
    EXPECT_THAT(Gaps(), IsEmpty());
    bridge_.ledger.hours[0].*member = 1;
    EXPECT_EQ(Compared().state, Report::State::kDiffers);
    bridge_.ledger.hours[0] = plain;
  }
}

TEST_F(ReconcilerTest, CountsThatAPowerCutMayHaveForgottenMakeNoAlarm) {
  const std::int32_t hour = Present() - 5;
  bridge_.Deliver("telemetry", hour, 7, 5);
  bridge_.cloud[{"telemetry", hour}] = {9, 6};
  bridge_.ledger.forgotten = {{hour - 1, hour}};
  EXPECT_EQ(Compared().state, Report::State::kEqual);
  bridge_.cloud[{"telemetry", hour}] = {6, 6};
  EXPECT_EQ(Compared().state, Report::State::kDiffers) << "a cut forgets counts, and makes none";
}

TEST_F(ReconcilerTest, WhatWasDeliveredBeforeTheQueueWasMadeMakesNoAlarm) {
  bridge_.Deliver("telemetry", Present() - 5, 7, 5);
  bridge_.cloud[{"telemetry", Present() - 9}] = {100, 1};
  bridge_.cloud[{"telemetry", Present() - 5}] = {8, 1};
  bridge_.ledger.first_hour = Present() - 5;
  const Report report = Compared();
  EXPECT_EQ(report.state, Report::State::kEqual);
  EXPECT_EQ(report.found.explained, 2U);
}

TEST_F(ReconcilerTest, RecordsOnTheirWayMakeNoAlarm) {
  const StreamHour of{"telemetry", Present() - 2};
  bridge_.Deliver("telemetry", of.hour, 7, 5);
  bridge_.cloud[of] = {8, 6};
  bridge_.in_batches = {of};
  Report report = Compared();
  EXPECT_EQ(report.state, Report::State::kEqual);
  EXPECT_THAT(report.found.unsure, ElementsAre(of));
}

TEST_F(ReconcilerTest, WhatIsDeliveredWhileTheCloudIsAskedMakesNoAlarm) {
  const StreamHour of{"telemetry", Present() - 2};
  bridge_.Deliver("telemetry", of.hour, 7, 5);
  bridge_.cloud[of] = {7, 5};
  bridge_.answer = [&] {
    Result<outcome::Reply> page = bridge_.NextPage();
    bridge_.ledger.hours[0].records = 8;
    bridge_.ledger.hours[0].hashed = 8;
    return page;
  };
  EXPECT_THAT(Compared().found.unsure, ElementsAre(of));
}

TEST_F(ReconcilerTest, ThePresentHourIsComparedOnlyOnRequest) {
  bridge_.Deliver("telemetry", Present(), 7, 5);
  EXPECT_EQ(Compared().state, Report::State::kEqual);
  const Report report = Compared(std::nullopt, clock_.Wall() + 1h);
  EXPECT_EQ(report.state, Report::State::kDiffers);
  EXPECT_THAT(bridge_.asked.back(), HasSubstr("&to=2026-11-20T09%3A00%3A00Z"));
}

TEST_F(ReconcilerTest, ARangeLooksAtTheHoursThatItTouchesAndLeavesOtherEventsAlone) {
  bridge_.Deliver("telemetry", Present() - 5, 7, 5);
  bridge_.Deliver("telemetry", Present() - 2, 7, 5);
  EXPECT_THAT(Compared().found.differences, SizeIs(2));
  const WallTime begin = WallTime(std::chrono::hours(Present() - 2));
  bridge_.cloud[{"telemetry", Present() - 2}] = {7, 5};
  EXPECT_EQ(Compared(begin + 10min, begin + 20min).found.equal, 1U);
  EXPECT_THAT(Gaps(), ElementsAre(HasSubstr("03:00:00Z")));
  EXPECT_FALSE(reconciler_->Start("cloud", begin, begin, {}));
  EXPECT_FALSE(reconciler_->Start("other", std::nullopt, std::nullopt, {}));
}

TEST_F(ReconcilerTest, StreamsOfOthersAreNamedAndNoDifference) {
  bridge_.Deliver("telemetry", Present() - 2, 7, 5);
  bridge_.cloud[{"telemetry", Present() - 2}] = {7, 5};
  bridge_.cloud[{"elsewhere", Present() - 2}] = {70, 5};
  const Report report = Compared();
  EXPECT_EQ(report.state, Report::State::kEqual);
  EXPECT_THAT(report.found.foreign, ElementsAre("elsewhere"));
}

TEST_F(ReconcilerTest, TheNumberOfEventsIsBounded) {
  for (std::int32_t i = 1; i <= 60; ++i) {
    bridge_.Deliver("telemetry", Present() - i, 7, 5);
  }
  EXPECT_THAT(Compared().found.differences, SizeIs(60));
  EXPECT_THAT(Gaps(), SizeIs(Reconciler::kMaxEvents));
  bridge_.ledger.hours.clear();
  Compared();
  EXPECT_THAT(Gaps(), IsEmpty());
}

TEST_F(ReconcilerTest, EachDayItIsComparedAgainAndNotSoonAfterAStart) {
  clock_.Advance(9min);
  Work();
  EXPECT_THAT(bridge_.asked, IsEmpty());
  Pass(1h);
  EXPECT_THAT(bridge_.asked, SizeIs(1));
  Pass(22h);
  EXPECT_THAT(bridge_.asked, SizeIs(1));
  Pass(2h);
  EXPECT_THAT(bridge_.asked, SizeIs(2));
  // A restart does not begin the day anew, unless something differed.
  const std::map<std::string, KeptRun> kept = reconciler_->kept();
  EXPECT_FALSE(kept.at("cloud").differed);
  Restart();
  reconciler_->Restore(kept);
  Pass(2h);
  EXPECT_THAT(bridge_.asked, SizeIs(2));
  bridge_.Deliver("telemetry", Present() - 3, 7, 5);
  Compared();
  const std::map<std::string, KeptRun> differed = reconciler_->kept();
  EXPECT_TRUE(differed.at("cloud").differed);
  Restart();
  reconciler_->Restore(differed);
  Pass(2h);
  EXPECT_THAT(bridge_.asked, SizeIs(4));
}

TEST_F(ReconcilerTest, ADifferenceOfADailyRunEndsWithTheNextOneThatFindsItEqual) {
  bridge_.Deliver("telemetry", Present() - 3, 7, 5);
  Pass(2h);
  EXPECT_THAT(Gaps(), SizeIs(1));
  bridge_.cloud[bridge_.ledger.hours[0].of] = {7, 5};
  Pass(24h);
  EXPECT_THAT(Gaps(), IsEmpty());
}

TEST_F(ReconcilerTest, WhatTheCloudTellsOfNoMoreEndsToo) {
  bridge_.Deliver("telemetry", Present() - 160, 7, 5);
  Compared();
  EXPECT_THAT(Gaps(), SizeIs(1));
  clock_.Advance(24h);
  Compared();
  EXPECT_THAT(Gaps(), IsEmpty());
}

TEST_F(ReconcilerTest, SwitchedOffItComparesOnRequestAlone) {
  bridge_.targets[0].every = 0ms;
  Pass(48h);
  EXPECT_THAT(bridge_.asked, IsEmpty());
  EXPECT_EQ(Compared().state, Report::State::kEqual);
}

TEST_F(ReconcilerTest, AContractThatDoesNotOfferItIsNeverAsked) {
  bridge_.targets[0].contract = *contract::FindCloudContract("packhorse-ingest@1.1");
  Pass(48h);
  const Report report = Compared();
  EXPECT_EQ(report.state, Report::State::kNotOffered);
  EXPECT_THAT(report.problem, HasSubstr("packhorse-ingest@1.1"));
  EXPECT_THAT(bridge_.asked, IsEmpty());
  EXPECT_THAT(events_.Open(), IsEmpty());
}

TEST_F(ReconcilerTest, AnApiWithoutTheEndpointRaisesNoEvent) {
  for (const int status : {404, 405, 501}) {
    bridge_.status = status;
    EXPECT_EQ(Compared().state, Report::State::kNotOffered);
    EXPECT_THAT(events_.Open(), IsEmpty());
  }
}

TEST_F(ReconcilerTest, AFailureIsAnEventAndTriedAgainInAnHour) {
  bridge_.status = 403;
  Pass(1h);
  ASSERT_THAT(events_.Open(), SizeIs(1));
  EXPECT_EQ(events_.Open()[0].name, "reconciliation_failed");
  EXPECT_THAT(events_.Open()[0].message, AllOf(HasSubstr("status 403"), HasSubstr("not today")));
  const std::size_t asked = bridge_.asked.size();
  Pass(3h);
  EXPECT_EQ(bridge_.asked.size(), asked + 3);
  bridge_.status = 200;
  Pass(1h);
  EXPECT_THAT(events_.Open(), IsEmpty());
}

TEST_F(ReconcilerTest, APageThatFailsForAMomentIsAskedForAgain) {
  for (std::int32_t i = 1; i <= 150; ++i) {
    bridge_.Deliver("telemetry", Present() - i, 7, 5);
    bridge_.cloud[{"telemetry", Present() - i}] = {7, 5};
  }
  std::optional<Report> report;
  ASSERT_TRUE(reconciler_->Start("cloud", std::nullopt, std::nullopt, [&](const Report& found) { report = found; }));
  int calls = 0;
  bridge_.answer = [&]() -> Result<outcome::Reply> {
    ++calls;
    if (calls == 2) {
      return Error{ErrorCode::kUnavailable, "reset"};
    }
    if (calls == 3) {
      outcome::Reply reply;
      reply.complete = true;
      reply.status = 503;
      reply.headers = {{"retry-after", "60"}};
      return reply;
    }
    return bridge_.NextPage();
  };
  Work();
  EXPECT_EQ(calls, 2);
  clock_.Advance(10s);
  Work();
  EXPECT_EQ(calls, 3);
  clock_.Advance(59s);
  Work();
  EXPECT_EQ(calls, 3) << "it was told to wait for a minute";
  clock_.Advance(1s);
  Work();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state, Report::State::kEqual);
  EXPECT_EQ(report->found.equal, 150U);
  EXPECT_EQ(bridge_.asked[1], bridge_.asked[2]);
  EXPECT_EQ(bridge_.asked[2], bridge_.asked[3]);
}

TEST_F(ReconcilerTest, AFaultThatDoesNotPassEndsIt) {
  std::optional<Report> report;
  ASSERT_TRUE(reconciler_->Start("cloud", std::nullopt, std::nullopt, [&](const Report& found) { report = found; }));
  bridge_.status = 500;
  for (int i = 0; i < 5; ++i) {
    Work();
    clock_.Advance(10s);
  }
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state, Report::State::kFailed);
  EXPECT_THAT(bridge_.asked, SizeIs(4));
}

TEST_F(ReconcilerTest, PagesWithoutEndAreLeftAlone) {
  std::optional<Report> report;
  ASSERT_TRUE(reconciler_->Start("cloud", std::nullopt, std::nullopt, [&](const Report& found) { report = found; }));
  bridge_.answer = []() -> Result<outcome::Reply> {
    outcome::Reply reply;
    reply.complete = true;
    reply.status = 200;
    reply.body = R"({"windows":[],"next":"again"})";
    return reply;
  };
  Work();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state, Report::State::kFailed);
  EXPECT_THAT(bridge_.asked, SizeIs(kMaxPages));
}

TEST_F(ReconcilerTest, AnAnswerThatNeverComesEndsAfterAnHour) {
  std::optional<Report> report;
  ASSERT_TRUE(reconciler_->Start("cloud", std::nullopt, std::nullopt, [&](const Report& found) { report = found; }));
  reconciler_->Step(clock_.Mono());
  clock_.Advance(61min);
  reconciler_->Step(clock_.Mono());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state, Report::State::kFailed);
  bridge_.Settle();  // too late: nothing happens
}

TEST_F(ReconcilerTest, AnotherAddressOrGatewayIsNotAskedForWhatWentElsewhere) {
  bridge_.Deliver("telemetry", Present() - 3, 7, 5);
  Compared();
  EXPECT_THAT(Gaps(), SizeIs(1));
  bridge_.targets[0].url = "https://other.example";
  Report report = Compared();
  EXPECT_EQ(report.state, Report::State::kEqual);
  EXPECT_THAT(Gaps(), IsEmpty());
  clock_.Advance(3h);
  bridge_.Deliver("telemetry", Present() - 1, 7, 5);
  EXPECT_THAT(Compared().found.differences, SizeIs(1));
  EXPECT_THAT(bridge_.asked.back(), HasSubstr("from=2026-11-20T09%3A00%3A00Z"));
}

TEST_F(ReconcilerTest, EventsOfADestinationThatIsGoneEnd) {
  bridge_.Deliver("telemetry", Present() - 3, 7, 5);
  Compared();
  bridge_.targets.clear();
  clock_.Advance(1min);
  Work();
  EXPECT_THAT(Gaps(), IsEmpty());
  EXPECT_TRUE(reconciler_->kept().empty());
}

}  // namespace
}  // namespace packhorse::reconcile::test
