// Budgets, windows, and a proxy: what waits for the link, and what is never held against a record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kNormal = static_cast<std::size_t>(Lane::kNormal);
constexpr std::size_t kBulk = static_cast<std::size_t>(Lane::kBulk);

// The clock begins at 08:15:31 UTC.
class MeteredTest : public DeliveryTest {
 protected:
  void Budget(std::uint64_t bytes, limit::BudgetOptions::Per per = limit::BudgetOptions::Per::kDay) {
    budget_ = limit::BudgetOptions{bytes, per};
    Rebuild();
  }
  // One message goes, and is counted with these bytes.
  void Deliver(std::uint64_t bytes) {
    Append("{}");
    const FakeUploader::Sent sent = Next();
    ASSERT_TRUE(sent.done);
    upload::Response reply = Reply(200, R"({"accepted":1})");
    reply.bytes_sent = bytes;
    sent.done(std::move(reply));
    ++delivered_;
    ASSERT_TRUE(Settled(delivered_));
  }
  std::vector<std::string> Open() {
    std::vector<std::string> open;
    for (const health::Event& event : events_.Open()) {
      open.push_back(event.name);
    }
    return open;
  }
  DestinationStatus Shown() { return destination_->Snapshot(clock_.Mono()); }

  std::uint64_t delivered_ = 0;
};

TEST_F(MeteredTest, WhatTheBudgetHasNoRoomForWaitsForTheNextDay) {
  Budget(10'000);
  Deliver(9'500);
  EXPECT_EQ(Shown().budget->used, 9'500U);
  EXPECT_FALSE(Shown().budget->spent);
  Append("{}");
  EXPECT_FALSE(SendsNow());
  EXPECT_TRUE(Shown().budget->spent);
  EXPECT_EQ(Shown().state, limit::CircuitState::kOk);
  EXPECT_THAT(Open(), ElementsAre("budget_spent"));
  EXPECT_THAT(events_.Open()[0].message, HasSubstr("uploads wait until 2026-11-21T00:00Z"));
  EXPECT_EQ(Shown().budget->ends, WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21)));
  clock_.Advance(15h + 44min);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(29s);
  EXPECT_TRUE(SendsNow());
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_LT(Shown().budget->used, 9'500U);
}

TEST_F(MeteredTest, TheStepSaysWhenThePeriodEnds) {
  Budget(10'000);
  Deliver(9'900);
  Append("{}");
  ASSERT_FALSE(SendsNow());
  const MonoTime next = destination_->Step(clock_.Mono());
  EXPECT_LE(next, clock_.Mono() + 15h + 44min + 29s);
  EXPECT_GT(next, clock_.Mono());
}

TEST_F(MeteredTest, WhatIsUnderWayIsCountedBeforeItsReply) {
  queue_streams_ = {{"telemetry", Lane::kNormal, {"cloud"}}, {"alarms", Lane::kUrgent, {"cloud"}}};
  Restart();
  Budget(2'500);
  Append("{}");
  Append("{}", "alarms");
  ASSERT_TRUE(SendsNow());
  EXPECT_EQ(uploader_.sent.size(), 1U) << "two together do not fit";
}

TEST_F(MeteredTest, AReplyThatNeverCameCountsWhatWasSent) {
  Budget(100'000);
  Append("{}");
  const FakeUploader::Sent sent = Next();
  upload::Response lost = Broken(upload::Transport::kTimeout);
  lost.bytes_sent = 777;
  sent.done(std::move(lost));
  EXPECT_EQ(Shown().budget->used, 777U);
}

TEST_F(MeteredTest, ARestartKnowsWhatWasUsed) {
  Budget(10'000, limit::BudgetOptions::Per::kMonth);
  Deliver(9'500);
  const Kept kept = destination_->ToKeep();
  Restart();
  destination_->Restore(kept);
  Append("{}");
  EXPECT_FALSE(SendsNow());
  EXPECT_EQ(Shown().budget->used, 9'500U);
}

TEST_F(MeteredTest, AReloadThatRaisesTheBudgetSendsAtOnce) {
  Budget(10'000);
  Deliver(9'500);
  Append("{}");
  ASSERT_FALSE(SendsNow());
  const std::unique_ptr<Destination> before = std::move(destination_);
  Budget(20'000);
  destination_->TakeOver(*before);
  EXPECT_TRUE(SendsNow());
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_GE(Shown().budget->used, 9'500U);
}

TEST_F(MeteredTest, AReloadWithoutABudgetEndsTheEvent) {
  Budget(10'000);
  Deliver(9'500);
  Append("{}");
  ASSERT_FALSE(SendsNow());
  const std::unique_ptr<Destination> before = std::move(destination_);
  budget_.reset();
  Rebuild();
  destination_->TakeOver(*before);
  EXPECT_TRUE(SendsNow());
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(MeteredTest, ALaneWaitsForItsWindowAndTheOthersDoNot) {
  queue_streams_ = {{"telemetry", Lane::kNormal, {"cloud"}}, {"history", Lane::kBulk, {"cloud"}}};
  windows_.at(kBulk) = {{22h, 6h}};
  Restart();
  Append(R"({"old":1})", "history");
  EXPECT_FALSE(SendsNow());
  Append(R"({"new":1})");
  const FakeUploader::Sent sent = Next();
  EXPECT_THAT(sent.body, HasSubstr("new"));
  Accept(sent);
  ASSERT_TRUE(Settled(1));
  EXPECT_FALSE(SendsNow());
  const DestinationStatus shown = Shown();
  EXPECT_FALSE(shown.opens.at(kNormal));
  ASSERT_TRUE(shown.opens.at(kBulk));
  EXPECT_EQ(FormatUtc(*shown.opens.at(kBulk)), "2026-11-20T22:00:00.000000Z");
  clock_.Advance(13h + 44min + 28s);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(1s);
  const FakeUploader::Sent late = Next();
  EXPECT_THAT(late.body, HasSubstr("old"));
  EXPECT_FALSE(Shown().opens.at(kBulk));
  Accept(late);
  EXPECT_TRUE(Settled(2));
}

TEST_F(MeteredTest, AClosedProxyDelaysAndCondemnsNothing) {
  Append("{}");
  for (int i = 0; i < 40; ++i) {
    const FakeUploader::Sent sent = Next();
    ASSERT_TRUE(sent.done);
    sent.done(Broken(upload::Transport::kProxy));
    clock_.Advance(5min);
  }
  EXPECT_EQ(Shown().replies.at("proxy"), 40U);
  EXPECT_EQ(Shown().state, limit::CircuitState::kRetrying);
  EXPECT_EQ(Shown().suspects, 0U);
  EXPECT_EQ(Shown().possible_duplicates, 0U);
  const queue::LedgerRow row = Row();
  EXPECT_EQ(row.pending, 1U);
  EXPECT_EQ(row.rejected, 0U);
  Accept(Next());
  EXPECT_TRUE(Settled(1));
}

TEST_F(MeteredTest, ThePasswordOfTheProxyIsReadAgainWithAReload) {
  const std::string file = dir_ / "proxy.password";
  test::WriteAll(file, "first-pass\n", 0600);
  proxy_password_ = {auth::SecretSource::Kind::kFile, file};
  Rebuild();
  Append("{}");
  Accept(Next());
  EXPECT_EQ(uploader_.proxy_password, "first-pass");
  test::WriteAll(file, "second-pass\n", 0600);
  destination_->Nudge(clock_.Mono());
  Append("{}");
  Accept(Next());
  EXPECT_EQ(uploader_.proxy_password, "second-pass");
  test::WriteAll(file, "", 0600);
  destination_->Nudge(clock_.Mono());
  EXPECT_THAT(Open(), ElementsAre("secret_unreadable"));
  Append("{}");
  Accept(Next());
  EXPECT_EQ(uploader_.proxy_password, "second-pass") << "the one in use is kept";
}

TEST_F(MeteredTest, LearntSizesSurviveARestart) {
  max_records_ = 8;
  Rebuild();
  for (int i = 0; i < 8; ++i) {
    Append("{}");
  }
  Next().done(Reply(413));
  ASSERT_TRUE(Turn([&] { return Shown().learnt_max_records > 0 || Shown().learnt_max_bytes > 0; }));
  const Kept kept = destination_->ToKeep();
  const DestinationStatus before = Shown();
  Restart();
  destination_->Restore(kept);
  EXPECT_EQ(Shown().learnt_max_records, before.learnt_max_records);
  EXPECT_EQ(Shown().learnt_max_bytes, before.learnt_max_bytes);
}

}  // namespace
}  // namespace packhorse::delivery
