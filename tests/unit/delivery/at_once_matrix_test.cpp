// Order any under random faults: every request of several at once gets a random answer, in random order. Once the API
// is honest, each record has arrived, none was given up, the ledger balances, and nothing goes a second time without
// cause.

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "api_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class FaultsAtOnce : public ApiTest, public ::testing::WithParamInterface<std::tuple<const char*, int>> {
 protected:
  FaultsAtOnce() : random_(static_cast<unsigned>(std::get<1>(GetParam()))) {
    any_order_ = true;
    max_in_flight_ = static_cast<std::uint32_t>(2 + random_() % 7);
    max_records_ = static_cast<std::uint32_t>(1 + random_() % 4);
    hop_ = 10min;
    Use(MakeModel(std::get<0>(GetParam())));
  }

  std::size_t Chance(std::size_t of) { return random_() % of; }

  // Some of what is on its way, in any order.
  void AnswerSome(const ApiScript& script) {
    std::shuffle(uploader_.sent.begin(), uploader_.sent.end(), random_);
    for (std::size_t count = 1 + Chance(uploader_.sent.size()); count > 0; --count) {
      FakeUploader::Sent sent = std::move(uploader_.sent.back());
      uploader_.sent.pop_back();
      const auto [known, fresh] = bodies_.emplace(sent.Header("Idempotency-Key"), sent.body);
      EXPECT_TRUE(fresh || known->first.empty() || known->second == sent.body) << "other bytes under the same key";
      clock_.Advance(std::chrono::milliseconds(1 + Chance(300)));
      upload::Response response = script(model_->Read(sent.body));
      response.connection = 1 + Chance(8);
      response.elapsed = std::chrono::milliseconds(10 + Chance(200));
      sent.done(std::move(response));
    }
  }
  bool Run(const ApiScript& script, std::chrono::seconds most, const std::function<bool()>& done) {
    const MonoTime end = clock_.Mono() + most;
    while (!done()) {
      if (clock_.Mono() >= end) {
        return false;
      }
      queue_->Poll();
      const MonoTime next = destination_->Step(clock_.Mono());
      if (!uploader_.sent.empty() && (Chance(3) > 0 || uploader_.sent.size() >= max_in_flight_)) {
        AnswerSome(script);
      } else if (uploader_.sent.empty() && destination_->idle()) {
        const MonoTime now = clock_.Mono();
        clock_.Advance(
            std::chrono::duration_cast<std::chrono::microseconds>(std::clamp(next, now + 1ms, now + hop_) - now));
      }
    }
    return true;
  }

  upload::Response Wrong(const Items& items) {
    constexpr std::array kStatuses = {401, 403, 404, 408, 409, 429, 500, 502, 503, 504};
    constexpr std::array kMoments = {upload::Transport::kConnect, upload::Transport::kReset,
                                     upload::Transport::kTimeout, upload::Transport::kSendFailed};
    const std::size_t kind = Chance(4);
    if (kind == 0) {
      const upload::Transport moment = kMoments[Chance(kMoments.size())];
      if (upload::OutcomeUnknown(moment) && Chance(2) == 0) {
        Store(items);
      }
      return Broken(moment);
    }
    if (kind == 1) {
      return Partly(items);
    }
    upload::Response reply = Reply(kStatuses[Chance(kStatuses.size())], Chance(2) == 0 ? model_->Failure(500) : "");
    if (Chance(4) == 0) {
      reply.headers.emplace_back("retry-after", std::to_string(1 + Chance(20)));
    }
    return reply;
  }
  upload::Response Partly(const Items& items) {
    std::vector<ApiModel::Fate> fates;
    for (std::size_t i = 0; i < items.size(); ++i) {
      fates.push_back(Chance(2) == 0 ? ApiModel::Fate::kTaken : ApiModel::Fate::kAgain);
    }
    std::optional<upload::Response> response = model_->Partly(items, fates);
    if (!response) {
      return Reply(500, model_->Failure(500));
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (fates[i] == ApiModel::Fate::kTaken) {
        Store({items[i]});
      }
    }
    return *std::move(response);
  }

  std::mt19937 random_;
  std::map<std::string, std::string> bodies_;  // by idempotency key
};

TEST_P(FaultsAtOnce, NothingIsLostGivenUpOrSentAgainWithoutCause) {
  const auto honest = [&](const Items& items) { return Honest(items); };
  for (int i = 0; i < 10 + static_cast<int>(Chance(60)); ++i) {
    AppendNext();
  }
  const std::size_t share = 1 + Chance(10);  // one in so many requests goes wrong
  Run([&](const Items& items) { return Chance(share) == 0 ? Wrong(items) : Honest(items); }, 5min,
      [&] { return AllEnded() || Chance(400) == 0; });
  if (Chance(2) == 0) {
    Restart();
    Begin();
  }
  EXPECT_TRUE(Run(honest, 12h, [&] { return AllEnded(); }))
      << Now().pending << " wait, " << Suspects() << " suspects; " << Now().reason;
  EXPECT_EQ(Dead(), 0U);
  EXPECT_EQ(Row().delivered, static_cast<std::uint64_t>(next_));
  EXPECT_TRUE(queue_->VerifyLedger()->empty());
  for (int n = 0; n < next_; ++n) {
    EXPECT_TRUE(kept_.contains(n)) << n << " is lost";
  }
  // Nothing is wrong any more: each goes once.
  const int from = next_;
  for (int i = 0; i < 40; ++i) {
    AppendNext();
  }
  EXPECT_TRUE(Run(honest, 1h, [&] { return AllEnded(); }));
  for (int n = from; n < next_; ++n) {
    EXPECT_EQ(kept_[n], 1) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FaultsAtOnce,
                         ::testing::Combine(::testing::Values("Ingest", "Influx", "Elasticsearch", "Kinesis"),
                                            ::testing::Range(1, 31)),
                         [](const auto& entry) {
                           return std::string(std::get<0>(entry.param)) + std::to_string(std::get<1>(entry.param));
                         });

}  // namespace
}  // namespace packhorse::delivery
