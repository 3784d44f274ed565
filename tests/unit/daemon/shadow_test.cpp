// A destination that gets a copy and owes nothing.

#include <gmock/gmock.h>

#include "app_fixture.h"
#include "base/file.h"
#include "bridge/shadows.h"
#include "support/manual_clock.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using bridge::ShadowQueue;
using ::testing::HasSubstr;

queue::StoredMessage Stored(Sequence sequence, std::string payload = "{}") {
  queue::StoredMessage stored{sequence, {}};
  stored.message.payload = std::move(payload);
  stored.message.received_at = WallTime(std::chrono::seconds(1'000 + sequence));
  return stored;
}

std::unique_ptr<queue::PreparedBatch> BatchOf(const std::vector<Sequence>& sequences) {
  auto batch = std::make_unique<queue::PreparedBatch>();
  batch->body = "x";
  for (const Sequence sequence : sequences) {
    batch->members.push_back(queue::Member{sequence, 0, 0, 1, 1, 0});
    ++batch->records;
  }
  return batch;
}

class ShadowQueueTest : public ::testing::Test {
 protected:
  queue::BatchId Prepare(Sequence from, Sequence through, const std::vector<Sequence>& sequences) {
    queue::PrepareRequest request{"shadow", Lane::kNormal, from, through, {}, {}};
    request.batches.push_back(BatchOf(sequences));
    queue::BatchId id = 0;
    queue_.Prepare(std::move(request), [&](const Result<std::vector<queue::BatchId>>& ids) { id = ids->front(); });
    EXPECT_EQ(id, 0) << "answers come with Poll()";
    queue_.Poll();
    return id;
  }
  void Settle(queue::Settlement settlement) {
    bool done = false;
    queue_.Settle(std::move(settlement), [&](const auto& ids) { done = ids.has_value(); });
    queue_.Poll();
    EXPECT_TRUE(done);
  }
  std::vector<Sequence> Waiting() {
    std::vector<Sequence> sequences;
    const Result<queue::Pending> pending = queue_.Peek("shadow", Lane::kNormal, 100, 1 << 20);
    for (const queue::StoredMessage& stored : pending->messages) {
      sequences.push_back(stored.sequence);
    }
    return sequences;
  }

  queue::QueueIds ids_{"abc", {}};
  test::ManualClock clock_;
  ShadowQueue queue_{ids_, clock_, {4, 1'000}};
};

TEST_F(ShadowQueueTest, MessagesStayUntilTheirBatchHasAnAnswer) {
  for (const Sequence sequence : {1U, 2U, 3U}) {
    queue_.Add(Lane::kNormal, Stored(sequence));
  }
  EXPECT_EQ(Waiting(), (std::vector<Sequence>{1, 2, 3}));
  const queue::BatchId id = Prepare(1, 2, {1, 2});
  EXPECT_EQ(Waiting(), std::vector<Sequence>{3});
  EXPECT_TRUE(queue_.Read(Lane::kNormal, 2)) << "it may have to be rendered again";
  EXPECT_EQ(queue_.HighestTaken("shadow", Lane::kNormal), 2U);
  queue::Settlement settlement;
  settlement.batch = id;
  settlement.dead.push_back(queue::DeadRecord{2, 0, "rejected", "too hot", "", 422});
  Settle(std::move(settlement));
  EXPECT_FALSE(queue_.Read(Lane::kNormal, 2));
  EXPECT_EQ(queue_.size(), 1U);
  EXPECT_EQ(queue_.counts().accepted, 1U);
  EXPECT_EQ(queue_.counts().refused, 1U);
  EXPECT_EQ(queue_.counts().last_words, "too hot");
}

TEST_F(ShadowQueueTest, PartsOfABatchKeepTheirMessages) {
  queue_.Add(Lane::kNormal, Stored(1));
  queue_.Add(Lane::kNormal, Stored(2));
  queue::Settlement settlement;
  settlement.batch = Prepare(1, 2, {1, 2});
  settlement.successors.push_back(BatchOf({1}));
  settlement.successors.push_back(BatchOf({2}));
  Settle(std::move(settlement));
  EXPECT_EQ(queue_.size(), 2U);
  EXPECT_EQ(queue_.counts().accepted, 0U);
  for (const queue::BatchId part : {2, 3}) {
    queue::Settlement end;
    end.batch = part;
    Settle(std::move(end));
  }
  EXPECT_EQ(queue_.size(), 0U);
  EXPECT_EQ(queue_.counts().accepted, 2U);
}

TEST_F(ShadowQueueTest, TheOldestThatWaitsIsMissedWhereThereIsNoRoom) {
  for (const Sequence sequence : {1U, 2U, 3U, 4U, 5U, 6U}) {
    queue_.Add(Lane::kNormal, Stored(sequence));
  }
  EXPECT_EQ(Waiting(), (std::vector<Sequence>{3, 4, 5, 6}));
  EXPECT_EQ(queue_.counts().missed, 2U);
  Prepare(3, 6, {3, 4, 5, 6});
  queue_.Add(Lane::kNormal, Stored(7));
  EXPECT_EQ(queue_.counts().missed, 3U) << "what is on its way stays";
  EXPECT_EQ(queue_.size(), 4U);
}

TEST_F(ShadowQueueTest, BytesAreBoundedToo) {
  queue_.Add(Lane::kBulk, Stored(1, std::string(600, 'x')));
  queue_.Add(Lane::kUrgent, Stored(1, std::string(600, 'x')));
  EXPECT_EQ(queue_.size(), 1U);
  EXPECT_EQ(queue_.Waiting("shadow", Lane::kUrgent).messages, 1U) << "bulk goes first";
  queue_.Add(Lane::kUrgent, Stored(2, std::string(2'000, 'x')));
  EXPECT_EQ(queue_.size(), 0U);
  EXPECT_EQ(queue_.counts().missed, 3U);
}

TEST_F(ShadowQueueTest, WhatIsSetAsideIsListedOnceAndThenGone) {
  queue_.Add(Lane::kNormal, Stored(1));
  queue::Settlement settlement;
  settlement.batch = Prepare(1, 1, {1});
  queue::Suspicion suspicion;
  suspicion.detail = "no such device";
  settlement.set_aside.push_back(queue::SetAsideRecord{1, 0, suspicion, false});
  Settle(std::move(settlement));
  EXPECT_EQ(queue_.counts().last_words, "no such device");
  ASSERT_EQ(queue_.Suspects("shadow", 10, 0)->size(), 1U);
  EXPECT_EQ(queue_.FindSuspect(1).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(queue_.Suspects("shadow", 10, 0)->empty());
  EXPECT_EQ(queue_.SuspectCount("shadow"), 0U);
}

TEST_F(ShadowQueueTest, ResolvedMessagesGo) {
  queue_.Add(Lane::kNormal, Stored(1));
  queue::PrepareRequest request{"shadow", Lane::kNormal, 1, 1, {}, {}};
  request.resolutions.push_back(queue::Resolution{1, Outcome::kSkipped, "kind", "", std::nullopt});
  queue_.Prepare(std::move(request), [](const auto&) {});
  EXPECT_TRUE(queue_.answers());
  queue_.Poll();
  EXPECT_EQ(queue_.size(), 0U);
  EXPECT_EQ(queue_.counts().skipped, 1U);
}

class ScriptedUploader final : public upload::Uploader {
 public:
  void Send(const upload::Endpoint& /*endpoint*/, upload::Request request,
            std::function<void(upload::Response)> done) override {
    if (!request.only_connect) {
      bodies.emplace_back(request.body);
      waiting.push_back(std::move(done));
    }
  }
  Result<std::uint32_t> Poll(const std::vector<int>& /*fds*/, MonoTime /*deadline*/) override { return 0U; }
  std::size_t in_flight() const override { return waiting.size(); }
  void Wake() override {}
  void Abort() override { waiting.clear(); }

  std::vector<std::string> bodies;
  std::vector<std::function<void(upload::Response)>> waiting;
};

class ShadowsTest : public AppTest {
 protected:
  ShadowsTest() {
    Result<std::string> text = ReadFile(file_, 1U << 20U);
    const auto replace = [&](const std::string& what, const std::string& with) {
      text->replace(text->find(what), what.size(), with);
    };
    replace(R"("destinations":["cloud"])", R"("destinations":["cloud","trial"])");
    replace(R"("destinations":[{)", R"("destinations":[{"name":"trial","shadow":true,"url":"http://127.0.0.1:2",
      "compression":"none","batch":{"max_age":"10ms"}},{)");
    Stop();
    test::WriteAll(file_, *text);
    Start();
    observer::Observer::Hooks hooks;
    hooks.decode = [this](Lane lane, const queue::StoredMessage& stored) {
      return delivery::Decode(app_->destinations->streams(), app_->queue->id(), lane, stored);
    };
    hooks.attach = [this](std::shared_ptr<const observer::Observer::Tap> tap) { tap_ = std::move(tap); };
    hooks.wake = [] {};
    observer_ = std::make_unique<observer::Observer>(std::move(hooks), clock_, observer::Limits{5, 1U << 20U, 1h});
    shadows_ = std::make_unique<bridge::Shadows>(*app_->queue, uploader_, *observer_, *app_->destinations, clock_);
    shadows_->Configure(app_->config);
  }

  void Arrive(Sequence sequence) {
    RawMessage message;
    message.stream = *app_->queue->Stream("telemetry");
    message.topic = "site/a/dev/17/telemetry";
    message.payload = "{\"n\":" + std::to_string(sequence) + "}";
    message.received_at = clock_.Wall();
    ASSERT_TRUE(tap_);
    (*tap_)(Lane::kNormal, sequence, message);
  }
  void Run(std::chrono::milliseconds time) {
    for (std::chrono::milliseconds passed{}; passed <= time; passed += 10ms) {
      observer_->Observe();
      shadows_->Step(clock_.Mono());
      clock_.Advance(10ms);
    }
  }
  void Answer(int status, const std::string& body) {
    ASSERT_FALSE(uploader_.waiting.empty());
    const auto done = std::move(uploader_.waiting.front());
    uploader_.waiting.erase(uploader_.waiting.begin());
    upload::Response response;
    response.status = status;
    response.body = body;
    response.headers = {{"content-type", "application/json"}};
    done(std::move(response));
  }
  bridge::ShadowStatus Now() { return shadows_->Snapshot(clock_.Mono()).at(0); }

  ScriptedUploader uploader_;
  std::shared_ptr<const observer::Observer::Tap> tap_;
  std::unique_ptr<observer::Observer> observer_;
  std::unique_ptr<bridge::Shadows> shadows_;
};

TEST_F(ShadowsTest, GetsACopyAndItsVerdictsAreCounted) {
  Arrive(1);
  Arrive(2);
  Run(100ms);
  ASSERT_EQ(uploader_.bodies.size(), 1U);
  EXPECT_THAT(uploader_.bodies[0], HasSubstr(app_->queue->id() + ".n.2")) << "record ids are those of the queue";
  Answer(200, R"({"accepted":2})");
  Run(100ms);
  EXPECT_EQ(Now().counts.accepted, 2U);
  EXPECT_EQ(Now().destination.pending, 0U);
  const Result<queue::Ledger> ledger = app_->queue->ReadLedger();
  EXPECT_EQ(ledger->Total().received, 0U) << "the ledger knows nothing of it";
}

TEST_F(ShadowsTest, WhatItRefusesIsCountedAndLeavesNothingBehind) {
  Arrive(1);
  Arrive(2);
  Run(100ms);
  const std::string id = app_->queue->id() + ".n.1";
  Answer(207, R"({"accepted":1,"rejected":[{"record_id":")" + id +
                  R"(","error":{"type":"about:blank","title":"too hot"}}],"retry":[]})");
  Run(60s);
  EXPECT_EQ(Now().counts.accepted, 1U);
  EXPECT_EQ(Now().counts.refused, 1U);
  EXPECT_THAT(Now().counts.last_words, HasSubstr("too hot"));
  EXPECT_EQ(Now().destination.pending, 0U);
  EXPECT_TRUE(app_->queue->DeadLetters(10, 0)->empty());
  EXPECT_TRUE(app_->events.Open().empty());
}

TEST_F(ShadowsTest, OneThatIsAwayMissesMessagesAndNothingElseHappens) {
  for (Sequence sequence = 1; sequence <= 12'000; ++sequence) {
    Arrive(sequence);
    observer_->Observe();
    if (sequence % 100 == 0) {
      shadows_->Step(clock_.Mono());
    }
  }
  EXPECT_GE(Now().counts.missed, 2'000U);
  EXPECT_LE(Now().destination.pending, 10'000U);
  EXPECT_TRUE(app_->events.Open().empty());
}

TEST_F(ShadowsTest, WhatTheObserverShedsIsMissed) {
  for (Sequence sequence = 1; sequence <= 8; ++sequence) {
    Arrive(sequence);
  }
  Run(50ms);
  EXPECT_EQ(Now().counts.missed, 3U);
}

TEST_F(ShadowsTest, GoesWithItsConfiguration) {
  config::Config config = app_->config;
  shadows_->Configure(config);
  EXPECT_EQ(shadows_->Snapshot(clock_.Mono()).size(), 1U);
  config.shadows.clear();
  shadows_->Configure(config);
  EXPECT_TRUE(shadows_->Snapshot(clock_.Mono()).empty());
  EXPECT_FALSE(tap_) << "nothing is observed for nobody";
}

TEST_F(ShadowsTest, IsNoDestinationOfTheQueue) {
  EXPECT_EQ(app_->destinations->units().size(), 1U);
  EXPECT_EQ(app_->config.streams[0].destinations, std::vector<std::string>{"cloud"});
  EXPECT_EQ(app_->config.streams[0].shadows, std::vector<std::string>{"trial"});
}

}  // namespace
}  // namespace packhorse::daemon
