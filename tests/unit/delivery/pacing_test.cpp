// When requests may go, whatever they are for.

#include "delivery/pacing.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using Unit = limit::Window::Unit;

constexpr Pacing::Toll kOne{{1, 1, 100}, 200};

class PacingTest : public ::testing::Test {
 protected:
  std::unique_ptr<Pacing> Make(std::vector<limit::Window> limits, limit::SharedLimits* shared = nullptr) {
    return std::make_unique<Pacing>(std::move(limits), shared, std::nullopt, clock_);
  }
  MonoTime Now() const { return clock_.Mono(); }
  void Exchange(Pacing& pacing, const std::vector<limit::Announcement>& said = {}) {
    const Pacing::Ticket ticket = pacing.Admit(kOne, Now());
    pacing.Answered(ticket, Reply(200), Now());
    pacing.Learn(ticket, {said}, Now());
  }
  bool MayGo(const Pacing& pacing) const { return pacing.NextAdmission(kOne, Now()) <= Now(); }

  test::ManualClock clock_;
};

TEST_F(PacingTest, RequestThatNeverLeftDoesNotCount) {
  const auto pacing = Make({{Unit::kRequests, 1, 60s}});
  pacing->Answered(pacing->Admit(kOne, Now()), Broken(upload::Transport::kConnect), Now());
  EXPECT_TRUE(MayGo(*pacing));
  pacing->Answered(pacing->Admit(kOne, Now()), Broken(upload::Transport::kTimeout), Now());
  EXPECT_FALSE(MayGo(*pacing));
}

TEST_F(PacingTest, WindowBeginsWhenTheReplyCame) {
  const auto pacing = Make({{Unit::kRequests, 1, 60s}});
  const Pacing::Ticket ticket = pacing->Admit(kOne, Now());
  clock_.Advance(1s);
  pacing->Answered(ticket, Reply(200), Now());
  clock_.Advance(59'500ms);
  EXPECT_FALSE(MayGo(*pacing));
  clock_.Advance(1s);
  EXPECT_TRUE(MayGo(*pacing));
}

TEST_F(PacingTest, WhatOneDestinationIsToldHoldsForAllThatShareItsAccount) {
  limit::SharedLimits shared;
  const auto one = Make({}, &shared);
  const auto other = Make({}, &shared);
  Exchange(*one, {{"p", Unit::kRequests, {}, {}, 1, 30s}});
  EXPECT_TRUE(MayGo(*other));
  Exchange(*other);
  EXPECT_FALSE(MayGo(*one));
}

TEST_F(PacingTest, RequestsUnderWayOfADestinationThatIsGoneAreForgotten) {
  limit::SharedLimits shared;
  auto one = Make({}, &shared);
  one->Admit(kOne, Now());
  one.reset();
  const auto other = Make({}, &shared);
  Exchange(*other, {{"p", Unit::kRequests, {}, {}, 1, 30s}});
  EXPECT_TRUE(MayGo(*other));
}

TEST_F(PacingTest, SuccessorAndNextRunKnowWhatWasAnnouncedAndLearnt) {
  const auto old = Make({});
  old->Admit(kOne, Now());  // still under way
  Exchange(*old, {{"p", Unit::kRequests, 60, 60s, {}, {}}});
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(100ms);
    Exchange(*old);
  }
  old->Learn({}, {{}, Pacing::Told::Pace::kRefused, 10s}, Now());
  const auto successor = Make({});
  successor->TakeOver(*old, true);
  EXPECT_EQ(successor->announced(Now()), old->announced(Now()));
  const auto next_run = Make({});
  next_run->Restore(old->ToKeep(Now()), Now());
  EXPECT_EQ(next_run->announced(Now()), old->announced(Now()));
  EXPECT_EQ(next_run->learnt_per_second(), old->learnt_per_second());
  EXPECT_EQ(successor->learnt_per_second(), old->learnt_per_second());
}

TEST_F(PacingTest, SuccessorAtAnotherApiKnowsNothingOfTheOldOne) {
  const auto old = Make({{Unit::kRequests, 1, 60s}});
  Exchange(*old, {{"p", Unit::kRequests, 60, 60s, {}, {}}});
  const auto successor = Make({{Unit::kRequests, 1, 60s}});
  successor->TakeOver(*old, false);
  EXPECT_TRUE(successor->announced(Now()).empty());
  EXPECT_FALSE(MayGo(*successor)) << "what is configured holds for both together";
}

TEST_F(PacingTest, SaysWhatHoldsARequestLongest) {
  const auto pacing = Make({{Unit::kRequests, 1, 60s}});
  EXPECT_FALSE(pacing->WaitOf(kOne, Now()));
  Exchange(*pacing);
  ASSERT_TRUE(pacing->WaitOf(kOne, Now()));
  EXPECT_EQ(Name(pacing->WaitOf(kOne, Now())->what), "configured_limit");
  clock_.Advance(61s);
  Exchange(*pacing, {{"p", Unit::kRequests, {}, {}, 0, 10min}});
  EXPECT_EQ(Name(pacing->WaitOf(kOne, Now())->what), "announced_limit");
  EXPECT_EQ(pacing->WaitOf(kOne, Now())->until, pacing->NextAdmission(kOne, Now()));
}

class AnnouncedToDestination : public DeliveryTest {
 protected:
  void AcceptSaying(const FakeUploader::Sent& sent, const std::string& policy, const std::string& left) {
    upload::Response response = Reply(200, R"({"accepted":1})");
    response.headers.emplace_back("ratelimit-policy", policy);
    response.headers.emplace_back("ratelimit", left);
    sent.done(std::move(response));
  }
};

TEST_F(AnnouncedToDestination, LimitIsKeptAndShownAndIsNoTrouble) {
  Append(R"({"n":1})");
  AcceptSaying(Next(), R"("p";q=100;w=60)", R"("p";r=0;t=30)");
  ASSERT_TRUE(Settled(1));
  Append(R"({"n":2})");
  EXPECT_FALSE(SendsNow());
  const DestinationStatus status = destination_->Snapshot(clock_.Mono());
  EXPECT_EQ(status.state, limit::CircuitState::kOk);
  EXPECT_EQ(status.learnt_requests_per_second, 0);
  ASSERT_EQ(status.announced.size(), 1U);
  EXPECT_EQ(status.announced.front().count, 100U);
  clock_.Advance(29s);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(1s);
  EXPECT_TRUE(SendsNow());
}

TEST_F(AnnouncedToDestination, LimitOutlivesAReloadAndARestart) {
  Append(R"({"n":1})");
  AcceptSaying(Next(), R"("p";q=100;w=60)", R"("p";r=0;t=30)");
  ASSERT_TRUE(Settled(1));
  const std::unique_ptr<Destination> old = std::move(destination_);
  Append(R"({"n":2})");
  for (const bool reload : {true, false}) {
    Rebuild();
    if (reload) {
      destination_->TakeOver(*old);
    } else {
      destination_->Restore(old->ToKeep());
    }
    EXPECT_FALSE(SendsNow()) << reload;
  }
  clock_.Advance(31s);
  EXPECT_TRUE(SendsNow());
}

TEST_F(AnnouncedToDestination, StatusSaysWhenTheNextRequestGoesAndWhatItWaitsFor) {
  Append(R"({"n":1})");
  AcceptSaying(Next(), R"("p";q=100;w=60)", R"("p";r=0;t=30)");
  ASSERT_TRUE(Settled(1));
  EXPECT_FALSE(destination_->Snapshot(clock_.Mono()).next_attempt_in) << "nothing waits";
  Append(R"({"n":2})");
  EXPECT_FALSE(SendsNow());
  clock_.Advance(10s);
  const DestinationStatus status = destination_->Snapshot(clock_.Mono());
  EXPECT_EQ(status.next_attempt_in, 20s);
  EXPECT_EQ(status.waits_for, WaitsFor::kAnnouncedLimit);
  clock_.Advance(20s);
  EXPECT_TRUE(SendsNow());
  EXPECT_FALSE(destination_->Snapshot(clock_.Mono()).waits_for);
}

TEST_F(AnnouncedToDestination, ResumeForgetsWhatWasAnnouncedAndLearnt) {
  Append(R"({"n":1})");
  AcceptSaying(Next(), R"("p";q=100;w=60)", R"("p";r=0;t=30)");
  ASSERT_TRUE(Settled(1));
  Kept kept = destination_->ToKeep();
  kept.pacing.rate.per_second = 0.01;
  destination_->Restore(kept);
  Append(R"({"n":2})");
  EXPECT_FALSE(SendsNow());
  const Pacing::Forgotten forgotten = destination_->Resume(clock_.Mono());
  EXPECT_EQ(forgotten.requests_per_second, 0.01);
  EXPECT_EQ(forgotten.announced, 1U);
  EXPECT_TRUE(SendsNow());
  EXPECT_EQ(destination_->ToKeep().pacing, Pacing::Kept{});
}

TEST_F(AnnouncedToDestination, AnotherHostHasOtherLimits) {
  Append(R"({"n":1})");
  AcceptSaying(Next(), R"("p";q=100;w=60)", R"("p";r=0;t=30)");
  ASSERT_TRUE(Settled(1));
  const std::unique_ptr<Destination> old = std::move(destination_);
  for (const bool reload : {true, false}) {
    for (const bool other : {true, false}) {
      url_ = other ? "https://other.invalid/v2" : "https://cloud.invalid/v2";
      Rebuild();
      if (reload) {
        destination_->TakeOver(*old);
      } else {
        destination_->Restore(old->ToKeep());
      }
      EXPECT_EQ(destination_->Snapshot(clock_.Mono()).announced.empty(), other) << reload;
    }
  }
}

TEST_F(AnnouncedToDestination, QuestionsKeepTheLimitsToo) {
  Append(R"({"n":1})");
  AcceptSaying(Next(), R"("p";q=100;w=60)", R"("p";r=0;t=30)");
  ASSERT_TRUE(Settled(1));
  bool answered = false;
  destination_->Ask({"/counts", {}}, clock_.Mono() + 10min, [&](const auto&) { answered = true; });
  EXPECT_FALSE(SendsNow());
  clock_.Advance(31s);
  ASSERT_TRUE(SendsNow());
  upload::Response response = Reply(200, "{}");
  response.headers.emplace_back("ratelimit", R"("p";r=0;t=60)");
  Next().done(std::move(response));
  EXPECT_TRUE(answered);
  Append(R"({"n":2})");
  EXPECT_FALSE(SendsNow()) << "what a question is told holds for records, too";
}

}  // namespace
}  // namespace packhorse::delivery
