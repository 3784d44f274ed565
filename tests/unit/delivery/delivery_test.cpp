#include "delivery/delivery.h"

#include <gtest/gtest.h>

#include <set>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

TEST_F(DeliveryTest, MessageIsSentWithKeyTraceAndContractAndCountedDelivered) {
  Append(R"({"temperature":21.5})");
  const FakeUploader::Sent sent = Next();
  EXPECT_EQ(sent.request.method, "POST");
  EXPECT_EQ(sent.request.path, "/v1/telemetry");
  EXPECT_EQ(sent.Header("Idempotency-Key").size(), 28U);
  EXPECT_EQ(sent.Header("Idempotency-Key").front(), '"');
  EXPECT_EQ(sent.Header("traceparent").size(), 55U);
  EXPECT_NE(sent.body.find("\"device_id\":\"17\""), std::string::npos) << sent.body;
  Accept(sent);
  EXPECT_TRUE(Settled(1));
  EXPECT_TRUE(Turn([&] { return destination_->idle(); }));
}

TEST_F(DeliveryTest, TransientFailureIsRetriedWithIdenticalBytesAndKeyAfterBackoff) {
  Append(R"({"a":1})");
  const FakeUploader::Sent first = Next();
  first.done(Reply(503));
  EXPECT_FALSE(SendsNow());
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kRetrying);
  clock_.Advance(2s);
  const FakeUploader::Sent second = Next();
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(second.Header("Idempotency-Key"), first.Header("Idempotency-Key"));
  Accept(second);
  EXPECT_TRUE(Settled(1));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).retries, 1U);
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kOk);
}

TEST_F(DeliveryTest, BatchesOfALaneGoInTheOrderOfArrivalAlsoAfterAFailure) {
  max_records_ = 1;
  Rebuild();
  for (const char* n : {"1", "2", "3"}) {
    Append("{\"n\":" + std::string(n) + "}");
  }
  Next().done(Reply(503));
  EXPECT_FALSE(SendsNow());  // the second is prepared meanwhile
  clock_.Advance(2s);
  std::string order;
  for (int i = 0; i < 3; ++i) {
    const FakeUploader::Sent sent = Next();
    order += sent.body.substr(sent.body.find("\"n\":{\"value\":") + 13, 1);
    Accept(sent);
  }
  EXPECT_EQ(order, "123");
  EXPECT_TRUE(Settled(3));
}

TEST_F(DeliveryTest, RestartSendsTheSameBytesUnderTheSameKey) {
  Append(R"({"a":1})");
  const FakeUploader::Sent first = Next();
  Restart();
  const FakeUploader::Sent second = Next();
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(second.Header("Idempotency-Key"), first.Header("Idempotency-Key"));
  Accept(second);
  EXPECT_TRUE(Settled(1));
}

TEST_F(DeliveryTest, BatchThatARestartInterruptedIsAPossibleDuplicateOnceItIsSentAgain) {
  const auto counted = [&] { return destination_->Snapshot(clock_.Mono()).possible_duplicates; };
  Append(R"({"a":1})");
  Next();
  Restart();
  EXPECT_EQ(counted(), 0U);
  Next().done(Reply(503));
  EXPECT_EQ(counted(), 1U);
  clock_.Advance(2s);
  Accept(Next());
  EXPECT_TRUE(Settled(1));
  EXPECT_EQ(counted(), 1U);
}

TEST_F(DeliveryTest, RebuiltDestinationTakesUpItsBatchAndIgnoresTheOldAnswer) {
  Append(R"({"a":1})");
  const FakeUploader::Sent first = Next();
  Rebuild();
  Accept(first);
  const FakeUploader::Sent second = Next();
  EXPECT_EQ(second.body, first.body);
  Accept(second);
  EXPECT_TRUE(Settled(1));
}

TEST_F(DeliveryTest, TimeoutIsAPossibleDuplicateAndSentAgain) {
  Append(R"({"a":1})");
  Next().done(Broken(upload::Transport::kTimeout));
  clock_.Advance(2s);
  Accept(Next());
  EXPECT_TRUE(Settled(1));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).possible_duplicates, 1U);
}

TEST_F(DeliveryTest, WrongUrlHoldsWithoutLosingAndNudgeProbesAtOnce) {
  Append(R"({"a":1})");
  Next().done(Reply(404, "not here", "text/plain"));
  EXPECT_FALSE(SendsNow());
  DestinationStatus status = destination_->Snapshot(clock_.Mono());
  EXPECT_EQ(status.state, limit::CircuitState::kHeld);
  EXPECT_NE(status.reason.find("404"), std::string::npos);
  EXPECT_EQ(status.pending, 1U);
  ASSERT_FALSE(events_.Open().empty());
  EXPECT_EQ(events_.Open().front().name, "destination_held");
  clock_.Advance(30s);
  EXPECT_FALSE(SendsNow()) << "the first probe comes after a minute";
  destination_->Nudge(clock_.Mono());
  Accept(Next());
  EXPECT_TRUE(Settled(1));
  EXPECT_TRUE(events_.Open().empty());
}

TEST_F(DeliveryTest, HeldDestinationHealsByItselfThroughAProbe) {
  Append(R"({"a":1})");
  Next().done(Reply(401));
  clock_.Advance(70s);
  Accept(Next());
  EXPECT_TRUE(Settled(1));
}

TEST_F(DeliveryTest, ThrottledWaitsAsToldAndIsNotAFailure) {
  Append(R"({"a":1})");
  upload::Response reply = Reply(429);
  reply.headers.emplace_back("retry-after", "7");
  Next().done(reply);
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kThrottled);
  clock_.Advance(6s);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(8s);
  Accept(Next());
  EXPECT_TRUE(Settled(1));
}

TEST_F(DeliveryTest, PartialSuccessSetsTheRejectedAsideAndSendsTheRestUnderANewKey) {
  destination_->Pause(std::nullopt, clock_.Mono());
  for (int i = 0; i < 3; ++i) {
    Append("{\"a\":" + std::to_string(i) + "}");
  }
  destination_->Resume(clock_.Mono());
  Turn([&] { return !uploader_.sent.empty(); });
  // All three may be in one batch or in two; the test needs them in one.
  while (uploader_.sent.front().body.find("\"records\":3") == std::string::npos) {
    Accept(Next());
    for (int i = 0; i < 3; ++i) {
      Append("{\"a\":" + std::to_string(i) + "}");
    }
    Turn([&] { return !uploader_.sent.empty(); });
  }
  const FakeUploader::Sent sent = Next();
  const queue::LedgerRow before = Row();
  std::vector<std::string> ids;
  for (std::size_t at = sent.body.find("\"record_id\":\""); at != std::string::npos;
       at = sent.body.find("\"record_id\":\"", at + 1)) {
    ids.push_back(sent.body.substr(at + 13, sent.body.find('"', at + 13) - at - 13));
  }
  ASSERT_EQ(ids.size(), 3U);
  sent.done(Reply(207, R"({"accepted":1,"rejected":[{"record_id":")" + ids[1] +
                           R"(","error":{"type":"about:blank","title":"no such tag"}}],"retry":[")" + ids[2] +
                           R"("]})"));
  clock_.Advance(1s);
  const FakeUploader::Sent rest = Next();
  EXPECT_NE(rest.Header("Idempotency-Key"), sent.Header("Idempotency-Key"));
  EXPECT_NE(rest.body.find(ids[2]), std::string::npos);
  EXPECT_EQ(rest.body.find(ids[0]), std::string::npos);
  Accept(rest);
  EXPECT_TRUE(Turn([&] { return Row().pending == 1; }));
  EXPECT_EQ(Row().rejected, before.rejected);
  const auto suspects = queue_->Suspects("cloud", 10, 0);
  ASSERT_EQ(suspects->size(), 1U);
  EXPECT_EQ(suspects->front().record_id, ids[1]);
  EXPECT_NE(suspects->front().suspicion.detail.find("no such tag"), std::string::npos);
}

// Answers 422 to any batch that holds a poisoned record, while others go on coming, until nothing is pending.
TEST_F(DeliveryTest, OnePoisonedRecordIsFoundByHalvingAndOnlyItIsBuried) {
  const auto answer = [&](const FakeUploader::Sent& sent) {
    if (sent.body.find("poison") != std::string::npos) {
      sent.done(Reply(422, R"({"title":"bad record"})", "application/problem+json"));
    } else {
      Accept(sent);
    }
  };
  for (int i = 0; i < 40; ++i) {
    Append(i == 17 ? R"({"poison":1})" : R"({"a":1})");
  }
  std::uint64_t good = 39;
  MonoTime last = clock_.Mono();
  const bool done = Turn([&] {
    while (!uploader_.sent.empty()) {
      FakeUploader::Sent sent = std::move(uploader_.sent.front());
      uploader_.sent.erase(uploader_.sent.begin());
      answer(sent);
    }
    clock_.Advance(500ms);
    if (Row().rejected == 0 && clock_.Mono() - last >= 5s) {
      last = clock_.Mono();
      Append(R"({"a":1})");
      ++good;
    }
    return Row().pending == 0;
  });
  ASSERT_TRUE(done);
  EXPECT_EQ(Row().delivered, good);
  EXPECT_EQ(Row().rejected, 1U);
  EXPECT_EQ(queue_->DeadLetters(10, 0)->front().message.payload, R"({"poison":1})");
  EXPECT_TRUE(queue_->VerifyLedger()->empty());
}

TEST_F(DeliveryTest, WhenEveryRecordIsRefusedTheDestinationHoldsInsteadOfBurying) {
  for (int i = 0; i < 8; ++i) {
    Append(R"({"a":1})");
  }
  const bool held = Turn([&] {
    while (!uploader_.sent.empty()) {
      FakeUploader::Sent sent = std::move(uploader_.sent.front());
      uploader_.sent.erase(uploader_.sent.begin());
      sent.done(Reply(422, R"({"title":"schema changed"})", "application/problem+json"));
    }
    clock_.Advance(100ms);
    return destination_->Snapshot(clock_.Mono()).state == limit::CircuitState::kHeld;
  });
  EXPECT_TRUE(held);
  EXPECT_EQ(Row().rejected, 0U);
  EXPECT_EQ(Row().pending, 8U);
  destination_->Nudge(clock_.Mono());
  const bool healed = Turn([&] {
    while (!uploader_.sent.empty()) {
      FakeUploader::Sent sent = std::move(uploader_.sent.front());
      uploader_.sent.erase(uploader_.sent.begin());
      Accept(sent);
    }
    clock_.Advance(100ms);
    return Row().pending == 0;
  });
  EXPECT_TRUE(healed);
  EXPECT_EQ(Row().delivered, 8U);
  EXPECT_EQ(Row().rejected, 0U) << "what was only suspected is delivered once the other side is mended";
}

TEST_F(DeliveryTest, TooLargeIsHalvedAndTheLimitIsKept) {
  for (int i = 0; i < 60; ++i) {
    Append(R"({"a":1})");
  }
  std::size_t refused = 0;
  const bool done = Turn([&] {
    while (!uploader_.sent.empty()) {
      FakeUploader::Sent sent = std::move(uploader_.sent.front());
      uploader_.sent.erase(uploader_.sent.begin());
      if (sent.body.size() > 6000) {
        ++refused;
        sent.done(Reply(413, "<html>too large</html>", "text/html"));
      } else {
        Accept(sent);
      }
    }
    clock_.Advance(10ms);
    return Row().pending == 0;
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(Row().delivered, 60U);
  EXPECT_LT(refused, 12U);
}

TEST_F(DeliveryTest, WrongAcceptedCountIsSentOnceMoreThenHeld) {
  Append(R"({"a":1})");
  const FakeUploader::Sent first = Next();
  first.done(Reply(200, R"({"accepted":0})"));
  clock_.Advance(2s);
  const FakeUploader::Sent second = Next();
  EXPECT_EQ(second.body, first.body);
  second.done(Reply(200, "<html>login</html>", "text/html"));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kHeld);
  EXPECT_EQ(Row().pending, 1U);
}

TEST_F(DeliveryTest, UndecodableMessageIsQuarantinedAndDoesNotStopTheOthers) {
  Append("{broken");
  Append(R"({"a":1})");
  Accept(Next());
  EXPECT_TRUE(Turn([&] { return Row().delivered == 1 && Row().quarantined == 1; }));
  EXPECT_EQ(queue_->Quarantined(10, 0)->front().message.payload, "{broken");
}

TEST_F(DeliveryTest, MessageWithMoreRecordsThanABatchHoldsIsSplitAndCountedOnce) {
  max_records_ = 4;
  Rebuild();
  std::string payload = "[";
  for (int i = 0; i < 10; ++i) {
    payload += std::string(i == 0 ? "" : ",") + "{\"v\":" + std::to_string(i) + "}";
  }
  Append(payload + "]");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Row().pending, 1U);
    Accept(Next());
  }
  EXPECT_TRUE(Settled(1));
  EXPECT_EQ(Row().records_delivered, 10U);
  EXPECT_TRUE(queue_->VerifyLedger()->empty());
}

TEST_F(DeliveryTest, ClientSideLimitSpacesRequests) {
  limits_ = {{limit::Window::Unit::kRequests, 1, 10s}};
  max_records_ = 1;
  Rebuild();
  Append(R"({"a":1})");
  Append(R"({"a":2})");
  Accept(Next());
  ASSERT_TRUE(Settled(1));
  clock_.Advance(5s);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(6s);
  Accept(Next());
  EXPECT_TRUE(Settled(2));
}

TEST_F(DeliveryTest, PausedDestinationSendsNothingUntilResumed) {
  destination_->Pause(std::nullopt, clock_.Mono());
  Append(R"({"a":1})");
  EXPECT_FALSE(SendsNow());
  clock_.Advance(1h);
  EXPECT_FALSE(SendsNow());
  destination_->Resume(clock_.Mono());
  Accept(Next());
  EXPECT_TRUE(Settled(1));
}

// The cloud works while the next batch is made.
TEST_F(DeliveryTest, BatchThatIsReadyGoesOutBeforeTheNextIsMade) {
  max_records_ = 1;
  Rebuild();
  const auto unprepared = [this] { return queue_->Waiting("cloud", Lane::kNormal).messages; };
  for (int i = 0; i < 4; ++i) {
    Append("{\"a\":1}");
  }
  const FakeUploader::Sent first = Next();
  ASSERT_TRUE(Turn([&] { return unprepared() == 2; })) << "the second is ready beside the one that is on its way";
  Accept(first);
  ASSERT_TRUE(Turn([&] { return !uploader_.sent.empty(); }));
  EXPECT_EQ(unprepared(), 2U);
  EXPECT_TRUE(Turn([&] { return unprepared() == 1; })) << "the third, while the second is on its way";
}

}  // namespace
}  // namespace packhorse::delivery
