#include "observer/observer.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "support/manual_clock.h"

namespace packhorse::observer {
namespace {

using namespace std::chrono_literals;

class ObserverTest : public ::testing::Test {
 protected:
  Observer::Hooks MakeHooks() {
    Observer::Hooks hooks;
    hooks.decode = [this](Lane, const queue::StoredMessage&) {
      clock_.Advance(decoding_takes_);
      while_decoding_();
      return contract::Decoded{};
    };
    hooks.attach = [this](std::shared_ptr<const Observer::Tap> tap) { tap_ = std::move(tap); };
    hooks.wake = [this] { ++wakes_; };
    return hooks;
  }
  Observer::FollowerId Follow() {
    return observer_.Follow([this](const Observation& seen) {
      seen_.push_back(std::string(1, Letter(seen.lane)) + std::to_string(seen.stored.sequence) + " " +
                      seen.stored.message.payload);
    });
  }
  void Arrive(Sequence sequence, std::string payload = "x") {
    RawMessage message;
    message.payload = std::move(payload);
    (*tap_)(Lane::kUrgent, sequence, message);
  }

  test::ManualClock clock_;
  std::chrono::microseconds decoding_takes_{0};
  std::function<void()> while_decoding_ = [] {};
  std::shared_ptr<const Observer::Tap> tap_;
  int wakes_ = 0;
  std::vector<std::string> seen_;
  Observer observer_{MakeHooks(), clock_, Limits{5, 10'000, 2ms}};
};

TEST_F(ObserverTest, EachMessageIsDecodedOnceForAllWhoFollow) {
  int decoded = 0;
  while_decoding_ = [&] { ++decoded; };
  Follow();
  Follow();
  Arrive(1, "one");
  Arrive(2, "two");
  EXPECT_EQ(wakes_, 1);
  EXPECT_FALSE(observer_.Observe());
  EXPECT_EQ(seen_, (std::vector<std::string>{"u1 one", "u1 one", "u2 two", "u2 two"}));
  EXPECT_EQ(decoded, 2);
  EXPECT_EQ(observer_.Snapshot().observed, 2U);
}

TEST_F(ObserverTest, NobodyWhoFollowsMeansNoTap) {
  EXPECT_EQ(tap_, nullptr);
  const auto first = Follow();
  const auto second = Follow();
  const auto late = tap_;
  observer_.Unfollow(first);
  EXPECT_NE(tap_, nullptr);
  Arrive(1);
  observer_.Unfollow(second);
  EXPECT_EQ(tap_, nullptr);
  EXPECT_FALSE(observer_.Observe());
  (*late)(Lane::kNormal, 2, {});  // a receive thread still had it
  Follow();
  EXPECT_FALSE(observer_.Observe());
  EXPECT_TRUE(seen_.empty()) << "one sees what comes after one follows";
  EXPECT_EQ(observer_.Snapshot().observed, 0U);
}

TEST_F(ObserverTest, MoreMessagesThanTheRingHoldsAreShedAndCounted) {
  const auto follower = Follow();
  for (Sequence sequence = 1; sequence <= 7; ++sequence) {
    Arrive(sequence);
  }
  EXPECT_EQ(observer_.Snapshot().shed, 2U);
  EXPECT_FALSE(observer_.Observe());
  EXPECT_EQ(seen_.size(), 5U);
  EXPECT_EQ(seen_.back(), "u5 x") << "the newest are shed";
  Arrive(8);
  EXPECT_FALSE(observer_.Observe());
  EXPECT_EQ(seen_.back(), "u8 x");
  observer_.Unfollow(follower);
  EXPECT_EQ(observer_.Snapshot().shed, 2U) << "counted since the start";
  EXPECT_EQ(observer_.Snapshot().observed, 6U);
}

TEST_F(ObserverTest, MoreBytesThanTheRingHoldsAreShedAndCounted) {
  Follow();
  for (Sequence sequence = 1; sequence <= 3; ++sequence) {
    Arrive(sequence, std::string(4'000, 'x'));
  }
  EXPECT_EQ(observer_.Snapshot().shed, 1U);
  Arrive(4);
  EXPECT_EQ(observer_.Snapshot().shed, 1U) << "a small one fits";
  EXPECT_FALSE(observer_.Observe());
  EXPECT_EQ(seen_.size(), 3U);
  Arrive(5, std::string(10'000, 'x'));
  EXPECT_EQ(observer_.Snapshot().shed, 2U) << "more than fits into an empty one";
  Arrive(6, std::string(9'000, 'x'));
  EXPECT_EQ(observer_.Snapshot().shed, 2U) << "the room of what was shown is free again";
}

TEST_F(ObserverTest, AnIterationTakesABoundedTimeAndGoesOnInTheNext) {
  decoding_takes_ = 800us;
  Follow();
  for (Sequence sequence = 1; sequence <= 5; ++sequence) {
    Arrive(sequence);
  }
  EXPECT_TRUE(observer_.Observe());
  EXPECT_EQ(seen_.size(), 3U);
  EXPECT_FALSE(observer_.Observe());
  EXPECT_EQ(seen_.size(), 5U);
  decoding_takes_ = 1s;  // at least one goes in each iteration
  Arrive(6);
  EXPECT_FALSE(observer_.Observe());
  EXPECT_EQ(seen_.size(), 6U);
}

TEST_F(ObserverTest, TheReceiveThreadNeverWaitsForADecoder) {
  Follow();
  Arrive(1);
  while_decoding_ = [&] {
    std::thread receiver([&] { Arrive(2); });
    receiver.join();  // hangs if it had to wait
    while_decoding_ = [] {};
  };
  EXPECT_FALSE(observer_.Observe());
  EXPECT_EQ(seen_, (std::vector<std::string>{"u1 x", "u2 x"}));
}

}  // namespace
}  // namespace packhorse::observer
