// What may be on its way before the API has said what it allows, and what it says of requests at the same time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class FirstReply : public DeliveryTest {
 protected:
  FirstReply() {
    any_order_ = true;
    max_records_ = 1;
    Rebuild();
    for (int i = 0; i < 20; ++i) {
      Append("{\"n\":" + std::to_string(i) + "}");
    }
  }

  // So many go, and no more.
  std::vector<FakeUploader::Sent> Exactly(std::size_t count) {
    EXPECT_TRUE(Turn([&] { return uploader_.sent.size() >= count; })) << uploader_.sent.size();
    SendsNow();
    EXPECT_EQ(uploader_.sent.size(), count);
    return std::exchange(uploader_.sent, {});
  }
  static void AcceptSaying(const FakeUploader::Sent& sent, const std::string& policy) {
    upload::Response response = Reply(200, R"({"accepted":1})");
    response.headers.emplace_back("ratelimit-policy", policy);
    sent.done(std::move(response));
  }
  DestinationStatus Shown() { return destination_->Snapshot(clock_.Mono()); }
};

TEST_F(FirstReply, UntilItCameOneRequestGoesAndThenAsManyAsItAllows) {
  std::vector<FakeUploader::Sent> sent = Exactly(1);
  EXPECT_EQ(Shown().waits_for, WaitsFor::kFirstReply);
  AcceptSaying(sent[0], R"("p";q=1;w=60)");
  ASSERT_TRUE(Settled(1));
  EXPECT_FALSE(SendsNow());
  EXPECT_EQ(Shown().waits_for, WaitsFor::kAnnouncedLimit);
}

TEST_F(FirstReply, ThatAnnouncesNothingLetsSeveralGo) {
  Accept(Exactly(1)[0]);
  Exactly(4);
}

TEST_F(FirstReply, OutcomeThatIsUnknownIsNone) {
  Exactly(1)[0].done(Broken(upload::Transport::kTimeout));
  clock_.Advance(1min);
  FakeUploader::Sent again = Exactly(1)[0];
  EXPECT_FALSE(SendsNow());
  Accept(again);
  Exactly(4);
}

TEST_F(FirstReply, AfterARestartItIsAwaitedAgainUnlessLimitsAreKnown) {
  AcceptSaying(Exactly(1)[0], R"("p";q=6000;w=60)");
  ASSERT_TRUE(Settled(1));
  const Kept kept = destination_->ToKeep();
  Restart();
  for (FakeUploader::Sent& one : Exactly(1)) {
    Accept(one);
  }
  Restart();
  destination_->Restore(kept);
  SendsNow();
  clock_.Advance(1s);
  SendsNow();
  clock_.Advance(1s);
  SendsNow();
  EXPECT_GT(uploader_.sent.size(), 1U);
}

TEST_F(FirstReply, ReloadKnowsThatItCame) {
  Accept(Exactly(1)[0]);
  Exactly(4);
  const std::unique_ptr<Destination> before = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*before);
  Exactly(4);
}

TEST_F(FirstReply, QuestionsWaitForItToo) {
  const FakeUploader::Sent first = Exactly(1)[0];
  destination_->Ask({"/counts", {}}, clock_.Mono() + 10min, [](const auto&) {});
  EXPECT_FALSE(SendsNow());
  Accept(first);
  EXPECT_THAT(Next().request.path, ::testing::HasSubstr("/counts"));
}

TEST_F(FirstReply, RequestsAtTheSameTimeAreNoMoreThanTheApiAnnounces) {
  AcceptSaying(Exactly(1)[0], R"("c";q=2;qu="concurrent-requests")");
  std::vector<FakeUploader::Sent> sent = Exactly(2);
  EXPECT_EQ(Shown().waits_for, WaitsFor::kAnnouncedLimit);
  ASSERT_EQ(Shown().announced.size(), 1U);
  EXPECT_TRUE(Shown().announced.front().at_once);
  destination_->Ask({"/counts", {}}, clock_.Mono() + 10min, [](const auto&) {});
  EXPECT_FALSE(SendsNow()) << "a question is a request, too";
  Accept(sent[1]);
  sent = Exactly(1);
  EXPECT_THAT(sent[0].request.path, ::testing::HasSubstr("/counts")) << "it has its turn among the batches";
  const std::unique_ptr<Destination> before = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*before);
  Exactly(2);
}

}  // namespace
}  // namespace packhorse::delivery
