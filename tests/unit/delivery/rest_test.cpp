// Replies that take a little of a request and ask for the rest again.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "api_fixture.h"
#include "sizes.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

const int kOfARequest = SmallTests() ? 60 : 500;

class Rest : public ApiTest, public ::testing::WithParamInterface<const char*> {
 protected:
  Rest() {
    max_records_ = 500;
    Use(MakeModel(GetParam()));
  }
  // Takes the first and asks for the others again.
  upload::Response OneOnly(const Items& items) {
    sent_at_.push_back(clock_.Mono());
    std::vector<ApiModel::Fate> fates(items.size(), ApiModel::Fate::kAgain);
    fates.front() = ApiModel::Fate::kTaken;
    Store({items.front()});
    return *model_->Partly(items, fates);
  }
  std::vector<MonoTime> sent_at_;
};

TEST_P(Rest, OfFiveHundredIsAskedForLaterEachTimeWithinTheRetryBudget) {
  for (int i = 0; i < kOfARequest; ++i) {
    AppendNext();
  }
  Play(Reading([&](const Items& items) { return OneOnly(items); }), SmallTests() ? 10min : 30min);
  ASSERT_GE(sent_at_.size(), 20U);
  // Waits are random, from a quarter of a step on that doubles from one second to 32: in the mean they grow.
  const auto mean = [&](std::size_t from, std::size_t to) { return (sent_at_[to] - sent_at_[from]) / (to - from); };
  EXPECT_LT(mean(0, 2), 2s);
  EXPECT_GT(mean(2, 4), mean(0, 2));
  EXPECT_GT(mean(6, 16), mean(2, 4));
  EXPECT_GT(mean(6, 16), 8s);
  EXPECT_LE(sent_at_.size(), 120U) << "four a minute, of the thirty that the retry budget has room for at least";
  EXPECT_EQ(Dead() + Suspects(), 0U);

  sent_at_.clear();
  EXPECT_TRUE(Play(Reading([&](const Items& items) { return Honest(items); }), 10min, [&] { return AllEnded(); }));
  EXPECT_EQ(kept_.size(), static_cast<std::size_t>(kOfARequest));
  EXPECT_EQ(Row().delivered, static_cast<std::uint64_t>(kOfARequest));
}

std::vector<const char*> Apis() {
  return SmallTests() ? std::vector{"Ingest"} : std::vector{"Ingest", "Elasticsearch", "Kinesis"};
}

INSTANTIATE_TEST_SUITE_P(All, Rest, ::testing::ValuesIn(Apis()),
                         [](const auto& entry) { return std::string(entry.param); });

}  // namespace
}  // namespace packhorse::delivery
