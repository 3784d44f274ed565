#include "limit/concurrency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>

#include "times.h"

namespace packhorse::limit {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// A server that works on so many requests at once; others wait for their turn, or are refused at once.
struct ServerModel {
  std::uint32_t workers = 8;
  milliseconds takes = 100ms;
  bool refuses = false;  // instead of letting wait
  double noise = 0;      // standard deviation of the logarithm of what a request takes
  double outliers = 0;   // share of requests that take five times as long
  microseconds per_kilobyte{0};
};

// A sender with a backlog that never ends, over a way of 2 ms.
class BacklogSender {
 public:
  BacklogSender(std::uint32_t most, ServerModel server)
      : concurrency(most), server_(server), free_at_(server.workers) {}

  void Run(nanoseconds time) {
    const MonoTime end = now_ + time;
    passed = refused = 0;
    limits_.clear();
    while (now_ < end) {
      while (going_.size() < concurrency.limit() && now_ >= waits_until_) {
        Send();
      }
      if (going_.empty()) {
        now_ = waits_until_;
        continue;
      }
      limits_[concurrency.limit()] += std::min(going_.begin()->first, end) - now_;
      now_ = std::min(going_.begin()->first, end);
      if (now_ < end) {
        Answer();
      }
    }
  }
  // The mean over the time of the last run.
  double MeanLimit() const {
    double sum = 0;
    double time = 0;
    for (const auto& [limit, spent] : limits_) {
      sum += limit * static_cast<double>(spent.count());
      time += static_cast<double>(spent.count());
    }
    return sum / time;
  }
  std::uint32_t MostAtOnce() const { return limits_.rbegin()->first; }
  void Become(ServerModel server) {
    server_ = server;
    free_at_.assign(server.workers, now_);
  }

  Concurrency concurrency;
  std::uint64_t passed = 0;
  std::uint64_t refused = 0;
  std::uint64_t bytes = 50'000;

 private:
  struct Going {
    Concurrency::Flight flight = 0;
    MonoTime sent{};
    std::uint64_t bytes = 0;
    bool refused = false;
  };

  void Send() {
    const MonoTime arrives = now_ + kWay;
    const auto worker = std::min_element(free_at_.begin(), free_at_.end());
    Going going{0, now_, bytes / 2 + random_() % bytes, server_.refuses && *worker > arrives};
    MonoTime end = arrives;
    if (!going.refused) {
      double factor = std::exp(server_.noise * normal_(random_));
      factor *= std::bernoulli_distribution(server_.outliers)(random_) ? 5 : 1;
      const double nanos =
          static_cast<double>(nanoseconds(server_.takes).count()) +
          static_cast<double>(nanoseconds(server_.per_kilobyte).count()) * static_cast<double>(going.bytes) / 1'000;
      end = std::max(arrives, *worker) + nanoseconds(static_cast<std::int64_t>(nanos * factor));
      *worker = end;
    }
    going.flight = concurrency.Start(static_cast<std::uint32_t>(going_.size()) + 1);
    going_.emplace(end + kWay, going);
  }
  void Answer() {
    const Going going = going_.begin()->second;
    going_.erase(going_.begin());
    if (going.refused) {
      ++refused;
      concurrency.Refused(going.flight, now_);
      waits_until_ = now_ + 1s;
    } else {
      ++passed;
      concurrency.Passed(going.flight, std::chrono::duration_cast<microseconds>(now_ - going.sent), going.bytes, now_);
    }
  }

  static constexpr auto kWay = 2ms;
  ServerModel server_;
  std::vector<MonoTime> free_at_;
  MonoTime now_ = kStart;
  MonoTime waits_until_{};
  std::multimap<MonoTime, Going> going_;
  std::map<std::uint32_t, nanoseconds> limits_;
  std::mt19937 random_{20'261'130};
  std::normal_distribution<double> normal_;
};

TEST(Concurrency, ServerThatLetsWaitIsFoundWithinSomeRequestsAndKeptBusy) {
  for (const std::uint32_t workers : {3U, 6U, 8U, 12U, 20U}) {
    BacklogSender sender(32, ServerModel{.workers = workers, .noise = 0.2});
    sender.Run(2min);
    sender.Run(30min);
    EXPECT_GE(sender.MeanLimit(), workers * 0.9) << workers;
    EXPECT_LE(sender.MeanLimit(), workers * 1.1 + 2.5) << workers;
    const double bears = workers * 10 * 60 * 30;
    EXPECT_GE(static_cast<double>(sender.passed), 0.92 * bears) << workers;
  }
}

TEST(Concurrency, ServerThatRefusesTheFifthGetsFourAndIsSeldomTriedAgain) {
  BacklogSender sender(16, ServerModel{.workers = 4, .refuses = true});
  sender.Run(1h);
  EXPECT_LE(sender.refused, 12U);
  sender.Run(6h);
  EXPECT_LE(sender.refused, 8U);
  EXPECT_NEAR(sender.MeanLimit(), 4, 0.1);
}

TEST(Concurrency, ServerThatRefusesAboveNIsFoundExactly) {
  for (const std::uint32_t workers : {2U, 7U, 11U, 24U}) {
    BacklogSender sender(32, ServerModel{.workers = workers, .refuses = true, .noise = 0.1});
    sender.Run(15min);
    sender.Run(40min);
    EXPECT_GE(sender.MeanLimit(), workers * 0.95) << workers;
    EXPECT_LE(sender.MeanLimit(), workers * 1.05) << workers;
    EXPECT_LE(sender.refused, 10U) << workers;
  }
}

TEST(Concurrency, ServerThatBearsMoreLaterIsFoundAgain) {
  BacklogSender sender(16, ServerModel{.workers = 4, .refuses = true});
  sender.Run(20min);
  sender.Become(ServerModel{.workers = 16});
  sender.Run(1h);
  sender.Run(1min);
  EXPECT_GE(sender.MeanLimit(), 15);
}

TEST(Concurrency, FastServerGetsTheMaximumSoon) {
  BacklogSender sender(32, ServerModel{.workers = 64, .takes = 1ms, .noise = 0.5, .outliers = 0.02});
  sender.Run(5s);
  sender.Run(10s);
  EXPECT_GE(sender.MeanLimit(), 31);
}

TEST(Concurrency, NoiseDoesNotMakeItCollapse) {
  for (const double noise : {0.1, 0.3, 0.6}) {
    BacklogSender sender(16, ServerModel{.workers = 32, .noise = noise, .outliers = 0.1});
    sender.Run(2min);
    sender.Run(1h);
    EXPECT_GE(sender.MeanLimit(), noise > 0.5 ? 10 : 14) << noise;
  }
}

TEST(Concurrency, SizesOfBodiesAreNoLatency) {
  BacklogSender sender(16, ServerModel{.workers = 32, .takes = 20ms, .per_kilobyte = 2ms});
  sender.Run(2min);
  sender.Run(10min);
  EXPECT_GE(sender.MeanLimit(), 15);
  sender.bytes = 800'000;  // sixteen times as many
  sender.Run(10min);
  EXPECT_GE(sender.MeanLimit(), 15);
}

TEST(Concurrency, LongerWayIsLearntWithinSomeMinutes) {
  BacklogSender sender(16, ServerModel{.workers = 32});
  sender.Run(10min);
  sender.Become(ServerModel{.workers = 32, .takes = 400ms});
  sender.Run(10min);
  sender.Run(5min);
  EXPECT_GE(sender.MeanLimit(), 14);
}

// --- single rules ---
class ConcurrencyRules : public ::testing::Test {
 protected:
  std::vector<Concurrency::Flight> Start(std::uint32_t count) {
    std::vector<Concurrency::Flight> flights;
    for (std::uint32_t i = 1; i <= count; ++i) {
      flights.push_back(concurrency_.Start(i));
    }
    return flights;
  }
  void Pass(std::uint32_t at_once, int rounds = 1) {
    for (int i = 0; i < rounds; ++i) {
      for (const Concurrency::Flight flight : Start(at_once)) {
        concurrency_.Passed(flight, 50ms, 1'000, kStart);
      }
    }
  }

  Concurrency concurrency_{16};
};

TEST_F(ConcurrencyRules, BeginsWithFourOrTheMaximum) {
  EXPECT_EQ(concurrency_.limit(), 4U);
  EXPECT_EQ(Concurrency(2).limit(), 2U);
  EXPECT_EQ(Concurrency(0).limit(), 1U);
  EXPECT_EQ(Concurrency(99).most(), 32U);
}

TEST_F(ConcurrencyRules, GrowsByOneAfterAsManySuccessesAsAreOnTheWay) {
  Pass(4);
  EXPECT_EQ(concurrency_.limit(), 5U);
  Pass(5);
  EXPECT_EQ(concurrency_.limit(), 6U);
}

TEST_F(ConcurrencyRules, DoesNotGrowWhileFewerAreOnTheWay) {
  Pass(3, 100);
  EXPECT_EQ(concurrency_.limit(), 4U);
}

TEST_F(ConcurrencyRules, OneAloneIsNeverTooMuch) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(concurrency_.Refused(concurrency_.Start(1), kStart));
    concurrency_.TimedOut(concurrency_.Start(1));
  }
  EXPECT_EQ(concurrency_.limit(), 4U);
}

TEST_F(ConcurrencyRules, RefusalsOfOneRoundAreOneDecrease) {
  Pass(4, 3);
  const std::uint32_t before = concurrency_.limit();
  for (const Concurrency::Flight flight : Start(before)) {
    concurrency_.Refused(flight, kStart);
  }
  EXPECT_EQ(concurrency_.limit(), static_cast<std::uint32_t>(before * 0.7));
}

TEST_F(ConcurrencyRules, TimeoutsOfOneRoundHalveItOnceAndNeverBelowOne) {
  for (const Concurrency::Flight flight : Start(4)) {
    concurrency_.TimedOut(flight);
  }
  EXPECT_EQ(concurrency_.limit(), 2U);
  for (int i = 0; i < 5; ++i) {
    for (const Concurrency::Flight flight : Start(2)) {
      concurrency_.TimedOut(flight);
    }
  }
  EXPECT_EQ(concurrency_.limit(), 1U);
}

TEST_F(ConcurrencyRules, ANumberThatWasBorneDoesNotExplainARefusalAndANewOneDoes) {
  Pass(4);
  EXPECT_EQ(concurrency_.limit(), 5U);
  const auto five = Start(5);
  EXPECT_TRUE(concurrency_.Refused(five.back(), kStart));
  EXPECT_EQ(concurrency_.limit(), 3U);
  for (const Concurrency::Flight flight : Start(3)) {
    concurrency_.Passed(flight, 50ms, 1'000, kStart);
  }
  Pass(4, 5);
  EXPECT_EQ(concurrency_.limit(), 4U) << "five are not tried for a while";
  EXPECT_FALSE(concurrency_.Refused(Start(4).front(), kStart)) << "it is their rate";
}

TEST_F(ConcurrencyRules, RefusalsWhileNothingPassesExplainNothing) {
  EXPECT_FALSE(concurrency_.Refused(Start(4).front(), kStart));
}

TEST_F(ConcurrencyRules, SuccessorKeepsWhatWasLearnt) {
  Pass(4, 2);
  Concurrency next(3);
  next.TakeOver(concurrency_);
  EXPECT_EQ(next.limit(), 3U);
  EXPECT_EQ(next.most(), 3U);
}

TEST_F(ConcurrencyRules, WhatIsRefusedIsKnownAfterARestart) {
  Pass(4);
  concurrency_.Refused(Start(5).back(), kStart);
  Concurrency next(16);
  next.Restore(concurrency_.ToKeep(), kStart);
  EXPECT_EQ(next.limit(), 4U);
  std::swap(concurrency_, next);
  Pass(4, 10);
  EXPECT_EQ(concurrency_.limit(), 4U) << "five are not tried for a while";
  Concurrency narrow(16);
  narrow.Restore({2}, kStart);
  EXPECT_EQ(narrow.limit(), 2U);
}

TEST_F(ConcurrencyRules, EndOfWhatIsNotKnownDoesNothing) {
  concurrency_.Ended(77);
  concurrency_.Passed(77, 1ms, 1, kStart);
  EXPECT_FALSE(concurrency_.Refused(77, kStart));
  EXPECT_EQ(concurrency_.limit(), 4U);
}

}  // namespace
}  // namespace packhorse::limit
