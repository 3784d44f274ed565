// What is in quarantine for want of its stream comes back.

#include <gmock/gmock.h>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using testing::HasSubstr;
using Retried = Destination::Retried;

class QuarantineTest : public DeliveryTest {
 protected:
  // Three messages of a stream of which nothing is known.
  void HoldBack() {
    const Streams known = std::exchange(streams_, {});
    for (int i = 0; i < 3; ++i) {
      Append("{\"v\":" + std::to_string(i) + "}");
    }
    ASSERT_TRUE(Turn([&] { return Row().quarantined == 3; }));
    streams_ = known;
    bool checkpointed = false;
    queue_->Checkpoint([&](const Status&) { checkpointed = true; });
    ASSERT_TRUE(Turn([&] { return checkpointed; }));
  }

  Retried Retry() {
    const auto page = queue_->QuarantinedFor("cloud", true, {Lane::kUrgent, 0}, 100);
    EXPECT_TRUE(page);
    std::optional<Result<Retried>> result;
    destination_->RetryQuarantined(*page, [&](Result<Retried> done) { result = std::move(done); });
    EXPECT_TRUE(Turn([&] { return result.has_value(); }));
    EXPECT_TRUE(*result) << result->error().message;
    return **result;
  }
};

TEST_F(QuarantineTest, OnceItsStreamIsKnownItIsSentAlsoInParts) {
  HoldBack();
  const Retried retried = Retry();
  EXPECT_EQ(retried.looked_at, 3U);
  EXPECT_EQ(retried.sent, 3U);
  EXPECT_EQ(Row().quarantined, 0U);
  EXPECT_EQ(Row().pending, 3U);
  const FakeUploader::Sent whole = Next();
  EXPECT_THAT(whole.body, HasSubstr(".n.3\""));
  whole.done(Reply(413, ""));
  for (std::uint64_t delivered = 0; delivered < 3;) {
    const FakeUploader::Sent part = Next();
    Accept(part);
    ASSERT_TRUE(Turn([&] { return Row().delivered > delivered; }));
    delivered = Row().delivered;
  }
  EXPECT_EQ(Row().pending, 0U);
}

TEST_F(QuarantineTest, WhatCannotBeDecodedStillStaysAndSaysWhy) {
  HoldBack();
  streams_.Clear();
  const Retried retried = Retry();
  EXPECT_EQ(retried.looked_at, 3U);
  EXPECT_EQ(retried.sent, 0U);
  EXPECT_THAT(retried.still_because, HasSubstr("unknown_stream"));
  EXPECT_EQ(Row().quarantined, 3U);
}

// The configuration and all that is kept of it are gone: the bytes that were sent are there.
TEST_F(QuarantineTest, ABatchThatNothingDecodesAnyMoreIsSplitFromItsOwnBytes) {
  for (int i = 0; i < 4; ++i) {
    Append("{\"text\":\"a \\\"quoted\\\" ] } , \",\"list\":[{\"v\":" + std::to_string(i) + "}]}");
  }
  const FakeUploader::Sent whole = Next();
  streams_.Clear();
  whole.done(Reply(413, ""));
  const auto records = [](const std::string& body) {
    const std::size_t from = body.find("\"records\":[") + 11;
    return body.substr(from, body.size() - 2 - from);
  };
  std::string parts;
  for (std::uint64_t delivered = 0; delivered < 4;) {
    const FakeUploader::Sent part = Next();
    parts += (parts.empty() ? "" : ",") + records(part.body);
    Accept(part);
    ASSERT_TRUE(Turn([&] { return Row().delivered > delivered; }));
    delivered = Row().delivered;
  }
  EXPECT_EQ(parts, records(whole.body));
  EXPECT_EQ(Row().pending, 0U);
}

}  // namespace
}  // namespace packhorse::delivery
