// What outlives a change: of the secret while requests are in flight, and of the destination by a reload.
#include <gtest/gtest.h>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class Handover : public DeliveryTest {
 protected:
  void UseKeys() {
    test::WriteAll(dir_ / "current", "old-key-0001\n", 0600);
    test::WriteAll(dir_ / "next", "new-key-0002\n", 0600);
    auth::AuthOptions options;
    options.scheme = "bearer";
    options.secrets["token"] = {{auth::SecretSource::Kind::kFile, dir_ / "current"},
                                {auth::SecretSource::Kind::kFile, dir_ / "next"}};
    auto made = auth::Authorizer::Make(options);
    ASSERT_TRUE(made) << made.error().message;
    authorizer_ = std::move(made).value();
    queue_streams_ = {{"telemetry", Lane::kNormal, {"cloud"}}, {"alarms", Lane::kUrgent, {"cloud"}}};
    Restart();
  }
  upload::Response Busy(const std::string& seconds) {
    upload::Response reply = Reply(429);
    reply.headers.emplace_back("retry-after", seconds);
    return reply;
  }
};

TEST_F(Handover, LateRefusalOfTheOldKeySaysNothingOfTheNewOne) {
  UseKeys();
  Hear();
  Append(R"({"a":1})");
  Append(R"({"a":2})", "alarms");
  const auto first = Next();
  const auto second = Next();
  EXPECT_EQ(first.Header("Authorization"), "Bearer old-key-0001");
  EXPECT_EQ(second.Header("Authorization"), "Bearer old-key-0001");
  first.done(Reply(401));
  const auto again = Next();
  EXPECT_EQ(again.Header("Authorization"), "Bearer new-key-0002");
  second.done(Reply(401));
  const auto second_again = Next();
  EXPECT_EQ(second_again.Header("Authorization"), "Bearer new-key-0002");
  EXPECT_NE(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kHeld);
  Accept(again);
  Accept(second_again);
  EXPECT_TRUE(Settled(2));
  Append(R"({"a":3})");
  const auto later = Next();
  EXPECT_EQ(later.Header("Authorization"), "Bearer new-key-0002");
  later.done(Reply(403));
  EXPECT_EQ(Next().Header("Authorization"), "Bearer old-key-0001") << "refused by itself, the other one is tried";
}

TEST_F(Handover, PayloadThatIsForbiddenWithBothKeysLeavesTheGoodOneInUse) {
  UseKeys();
  Append(R"({"a":1})");
  Accept(Next());
  ASSERT_TRUE(Settled(1));
  Append(R"({"a":2})");
  const auto forbidden = Next();
  Append(R"({"a":3})");
  EXPECT_FALSE(SendsNow()) << "one request of a lane at a time";
  forbidden.done(Reply(403));
  const auto again = Next();
  EXPECT_EQ(again.Header("Authorization"), "Bearer new-key-0002");
  again.done(Reply(403));
  const auto other = Next();
  EXPECT_NE(other.body, forbidden.body);
  EXPECT_EQ(other.Header("Authorization"), "Bearer old-key-0001");
  Accept(other);
  EXPECT_TRUE(Settled(2));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kOk);
}

TEST_F(Handover, HeldForBothKeysAProbeTriesBoth) {
  UseKeys();
  Append(R"({"a":1})");
  Next().done(Reply(401));
  Next().done(Reply(401));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kHeld);
  clock_.Advance(70s);
  const auto probe = Next();
  EXPECT_EQ(probe.Header("Authorization"), "Bearer old-key-0001");
  probe.done(Reply(401));
  const auto other = Next();
  EXPECT_EQ(other.Header("Authorization"), "Bearer new-key-0002") << "it may be valid by now";
  Accept(other);
  EXPECT_TRUE(Settled(1));
}

TEST_F(Handover, ChangedDestinationKeepsTheWaitThatWasAskedFor) {
  limits_ = {{limit::Window::Unit::kRequests, 2, 60s}};
  Rebuild();
  Append(R"({"a":1})");
  Next().done(Busy("600"));
  const std::unique_ptr<Destination> old = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*old);
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kThrottled);
  clock_.Advance(599s);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(601s);
  Accept(Next());
  EXPECT_TRUE(Settled(1));
}

TEST_F(Handover, ChangedDestinationKeepsWhatItsLimitsHaveAdmitted) {
  limits_ = {{limit::Window::Unit::kRequests, 2, 60s}};
  Rebuild();
  for (int i = 0; i < 2; ++i) {
    Append(R"({"a":1})");
    Accept(Next());
    ASSERT_TRUE(Settled(static_cast<std::uint64_t>(i) + 1));
  }
  const std::unique_ptr<Destination> old = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*old);
  Append(R"({"a":1})");
  EXPECT_FALSE(SendsNow());
  clock_.Advance(62s);
  Accept(Next());
  EXPECT_TRUE(Settled(3));
}

TEST_F(Handover, ChangedDestinationKnowsThatItWasReachedWhereItsAddressIsTheSame) {
  Append(R"({"a":1})");
  Next().done(Reply(207, "{}"));
  ASSERT_TRUE(destination_->Snapshot(clock_.Mono()).reached);
  std::unique_ptr<Destination> old = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*old);
  EXPECT_TRUE(destination_->Snapshot(clock_.Mono()).reached);
  old = std::move(destination_);
  url_ = "https://other.invalid";
  Rebuild();
  destination_->TakeOver(*old);
  EXPECT_FALSE(destination_->Snapshot(clock_.Mono()).reached);
}

TEST_F(Handover, BatchWhoseReplyCameBeforeIsNoPossibleDuplicateAfterIt) {
  Append(R"({"a":1})");
  Next().done(Reply(503));
  EXPECT_FALSE(SendsNow());
  const std::unique_ptr<Destination> old = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*old);
  clock_.Advance(5s);
  Accept(Next());
  EXPECT_TRUE(Settled(1));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).possible_duplicates, 0U);
}

TEST_F(Handover, ResumeTriesAtOnceWhatWasToldToWaitADay) {
  Append(R"({"a":1})");
  Next().done(Busy("86400"));
  EXPECT_FALSE(SendsNow());
  destination_->Resume(clock_.Mono());
  Next().done(Busy("86400"));
  clock_.Advance(60s);
  EXPECT_FALSE(SendsNow()) << "once";
  destination_->Nudge(clock_.Mono());
  Accept(Next());
  EXPECT_TRUE(Settled(1));
}

TEST_F(Handover, OddReplyIsTakenAndSaid) {
  Append(R"({"a":1})");
  upload::Response reply = Reply(200, R"({"accepted":1})");
  reply.undecodable = "utf-8";
  reply.headers_left_out = 20;
  Next().done(reply);
  EXPECT_TRUE(Settled(1));
  ASSERT_EQ(events_.Open().size(), 1U);
  EXPECT_EQ(events_.Open().front().name, "odd_reply");
}

}  // namespace
}  // namespace packhorse::delivery
