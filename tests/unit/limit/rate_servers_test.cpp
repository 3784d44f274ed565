// Our limits against those of APIs, as they enforce them: requests and replies take unequally long, several are under
// way at the same time, and there is always more to send.

#include "support/rate_servers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "limit/announced_limits.h"
#include "times.h"

namespace packhorse::limit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ServerKind;

enum class Told { kConfigured, kPolicy, kPolicyAndLeft, kWholeWindowUntilReset };

struct Size {
  std::uint64_t count;
  seconds per;
};

struct Shares {
  double taken = 0;  // of what the API allows
  std::uint64_t refused = 0;
};

class LimitedSender {
 public:
  LimitedSender(ServerKind server, const Size& size, Told told, std::size_t at_once)
      : size_(size),
        told_(told),
        at_once_(at_once),
        server_(test::MakeServer(server, "p", size.count, size.per)),
        configured_(told == Told::kConfigured ? std::vector<Window>{{Window::Unit::kRequests, size.count, size.per}}
                                              : std::vector<Window>{}) {}

  Shares Run(seconds time) {
    const MonoTime end = now_ + time;
    std::uint64_t taken = 0;
    Shares shares;
    while (now_ < end) {
      const MonoTime at = std::max(announced_.NextAdmission(kOne, now_), configured_.NextAdmission(kOne, now_));
      if (at <= now_ && under_way_ < at_once_) {
        Send(taken, shares.refused);
        continue;
      }
      const MonoTime due = under_way_ < at_once_ ? at : end;
      now_ = std::max(now_, events_.empty() ? due : std::min(due, events_.begin()->first));
      while (!events_.empty() && events_.begin()->first <= now_) {
        const auto happens = std::move(events_.extract(events_.begin()).mapped());
        happens();
      }
    }
    shares.taken = static_cast<double>(taken) / (server_->per_second() * static_cast<double>(time.count()));
    return shares;
  }

 private:
  static constexpr Cost kOne{1, 0, 0};

  milliseconds Latency() { return milliseconds(10 + random_() % 90); }

  void Send(std::uint64_t& taken, std::uint64_t& refused) {
    const MonoTime sent = now_;
    announced_.Admit(kOne, sent);
    configured_.Admit(kOne, sent);
    ++under_way_;
    events_.emplace(now_ + Latency(), [this, sent, &taken, &refused] {
      const bool room = server_->Left(now_) > 0;
      ++(room ? taken : refused);
      if (room) {
        server_->Take(now_);
      }
      events_.emplace(now_ + Latency(), [this, sent, said = Says()] {
        --under_way_;
        configured_.Arrived(sent, now_);
        announced_.Answered(kOne, sent, true, now_);
        announced_.Note(said, sent, now_);
      });
    });
  }

  std::vector<Announcement> Says() {
    if (told_ == Told::kConfigured) {
      return {};
    }
    Announcement said{"p", Window::Unit::kRequests, size_.count, size_.per, {}, {}};
    if (told_ != Told::kPolicy) {
      said.left = server_->Left(now_);
      said.resets =
          told_ == Told::kWholeWindowUntilReset ? size_.per : std::chrono::ceil<seconds>(server_->Resets(now_));
    }
    return {said};
  }

  const Size size_;
  const Told told_;
  const std::size_t at_once_;
  std::unique_ptr<test::RateServer> server_;
  RateLimit configured_;
  AnnouncedLimits announced_;
  MonoTime now_ = kStart;
  std::mt19937_64 random_{3};
  std::multimap<MonoTime, std::function<void()>> events_;
  std::size_t under_way_ = 0;
};

class Against : public testing::TestWithParam<std::tuple<ServerKind, Told>> {};

TEST_P(Against, NothingIsRefusedAndNearlyAllOfTheRateIsUsed) {
  for (const Size& size :
       {Size{60, seconds(600)}, Size{20, seconds(10)}, Size{100, seconds(60)}, Size{10, seconds(1)}}) {
    for (const std::size_t at_once : {1U, 4U, 8U}) {
      const Shares shares = LimitedSender(std::get<0>(GetParam()), size, std::get<1>(GetParam()), at_once)
                                .Run(std::max(seconds(1'000), 20 * size.per));
      const std::string what = std::to_string(size.count) + " in " + std::to_string(size.per.count()) + " s, " +
                               std::to_string(at_once) + " at once";
      EXPECT_EQ(shares.refused, 0U) << what;
      // In a window of a second the time that requests take to arrive is a large part of it.
      EXPECT_GE(shares.taken, size.per > seconds(1) ? 0.95 : 0.7) << what;
    }
  }
}

std::string Named(const testing::TestParamInfo<std::tuple<ServerKind, Told>>& each) {
  constexpr const char* kServers[] = {"Fixed", "Sliding", "Bucket"};
  constexpr const char* kTold[] = {"Configured", "Policy", "PolicyAndLeft", "WholeWindowUntilReset"};
  return std::string(kTold[static_cast<std::size_t>(std::get<1>(each.param))]) +
         kServers[static_cast<std::size_t>(std::get<0>(each.param))];
}

INSTANTIATE_TEST_SUITE_P(Servers, Against,
                         testing::Combine(testing::Values(ServerKind::kFixed, ServerKind::kSliding,
                                                          ServerKind::kBucket),
                                          testing::Values(Told::kConfigured, Told::kPolicy, Told::kPolicyAndLeft)),
                         Named);
INSTANTIATE_TEST_SUITE_P(Reset, Against,
                         testing::Values(std::tuple(ServerKind::kSliding, Told::kWholeWindowUntilReset)), Named);

}  // namespace
}  // namespace packhorse::limit
