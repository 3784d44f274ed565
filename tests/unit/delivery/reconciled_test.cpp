// What a destination adds up for reconciliation, and what it asks beside the records.

#include <memory>
#include <utility>

#include "auth/crypto.h"
#include "base/secret_mark.h"
#include "delivery_fixture.h"
#include "fake_contract.h"
#include "record/canonical_record.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

std::uint64_t HashOf(const std::string& id) {
  const std::string digest = auth::Digest(auth::Hash::kSha256, id);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < sizeof hash; ++i) {
    hash = hash << 8U | static_cast<unsigned char>(digest.at(i));
  }
  return hash;
}

class Reconciled : public DeliveryTest {
 protected:
  Reconciled() {
    reconciled_ = true;
    Rebuild();
  }
  ~Reconciled() override { destination_.reset(); }  // it answers what is still asked

  queue::DeliveredHour Hour() {
    std::optional<Status> done;
    queue_->Checkpoint([&](const Status& status) { done = status; });
    EXPECT_TRUE(Turn([&] { return done.has_value(); }));
    const Result<queue::DeliveredHours> hours = queue_->DeliveredByHour("cloud", 0, INT32_MAX, 10);
    EXPECT_TRUE(hours);
    return hours && hours->hours.size() == 1 ? hours->hours.front() : queue::DeliveredHour{};
  }
  std::string Id(Sequence sequence, std::optional<std::uint32_t> record = std::nullopt) const {
    return RecordId(queue_->id(), Lane::kNormal, sequence, record);
  }
  void Ask(std::chrono::seconds patience = 60s) {
    answer_.reset();
    destination_->Ask(Inquiry{"/v1/reconciliation?gateway=gw-1", {{"X-Asks", "yes"}}}, clock_.Mono() + patience,
                      [this](Result<upload::Response> response) { answer_ = std::move(response); });
  }

  std::optional<Result<upload::Response>> answer_;
};

TEST_F(Reconciled, IdsOfDeliveredRecordsAreAddedUp) {
  Append(R"({"a":1})");
  Append(R"([{"a":1},{"a":2}])");
  std::size_t records = 0;
  while (records < 3) {
    const auto sent = Next();
    for (std::size_t at = sent.body.find("\"record_id\""); at != std::string::npos;
         at = sent.body.find("\"record_id\"", at + 1)) {
      ++records;
    }
    Accept(sent);
  }
  ASSERT_TRUE(Settled(2));
  const queue::DeliveredHour hour = Hour();
  EXPECT_EQ(hour.of.stream, "telemetry");
  EXPECT_EQ(hour.records, 3U);
  EXPECT_EQ(hour.hashed, 3U);
  EXPECT_EQ(hour.id_hash, HashOf(Id(1)) + HashOf(Id(2, 0)) + HashOf(Id(2, 1)));
}

TEST_F(Reconciled, OnlyWhatAPartialSuccessTookIsAddedUp) {
  Append(R"({"a":1})");
  Append(R"({"a":2})");
  auto sent = Next();
  if (sent.body.find(Id(2)) == std::string::npos) {  // the first went alone
    Accept(sent);
    sent = Next();
    sent.done(Reply(503));
    clock_.Advance(10s);
    Accept(Next());
  } else {
    sent.done(Reply(207, R"({"accepted":1,"rejected":[],"retry":[")" + Id(2) + "\"]}"));
    clock_.Advance(10s);
    const auto rest = Next();
    EXPECT_EQ(rest.body.find(Id(1)), std::string::npos);
    EXPECT_EQ(Hour().id_hash, HashOf(Id(1)));
    Accept(rest);
  }
  ASSERT_TRUE(Settled(2));
  EXPECT_EQ(Hour().hashed, 2U);
  EXPECT_EQ(Hour().id_hash, HashOf(Id(1)) + HashOf(Id(2)));
}

TEST_F(Reconciled, MeasurementsOfDeliveredRecordsAreAddedUpExactly) {
  sums_ = {"a", "b"};
  Rebuild();
  Append(R"({"a":0.1})");
  Append(R"([{"a":0.2},{"a":-3}])");
  Append(R"({"a":18446744073709551615,"b":"text"})");
  Append(R"({"b":true})");
  for (std::uint64_t settled = 0; settled < 4; ++settled) {
    if (SendsNow()) {
      Accept(Next());
    }
  }
  ASSERT_TRUE(Settled(4));
  const queue::DeliveredHour hour = Hour();
  EXPECT_EQ(hour.records, 5U);
  EXPECT_EQ(hour.sums.at("a"), (queue::DeliveredSum{4, *FixedPoint::Parse("-2.7")})) << "one has no room in a sum";
  EXPECT_EQ(hour.sums.at("b"), (queue::DeliveredSum{5, FixedPoint(0)})) << "what is no number adds nothing";
}

TEST_F(Reconciled, WhatIsRefusedIsInNoSumAndABatchOfAnEarlierRunIs) {
  sums_ = {"a"};
  Rebuild();
  Append(R"({"a":1})");
  const auto before = Next();
  Rebuild();  // the batch is prepared, and its records are known to nobody any more
  Accept(Next());
  ASSERT_TRUE(Settled(1));
  Append(R"([{"a":10},{"a":100}])");
  const auto sent = Next();
  sent.done(Reply(
      207, R"({"accepted":1,"rejected":[{"record_id":")" + Id(2, 0) + R"(","error":{"title":"no"}}],"retry":[]})"));
  ASSERT_TRUE(Turn([&] { return destination_->Snapshot(clock_.Mono()).suspects == 1; }));
  EXPECT_EQ(Hour().records, 2U);
  EXPECT_EQ(Hour().sums.at("a"), (queue::DeliveredSum{2, FixedPoint(101)}));
}

TEST_F(Reconciled, WhereTheContractDoesNotOfferItNothingIsAddedUp) {
  reconciled_ = false;
  Rebuild();
  Append(R"({"a":1})");
  Accept(Next());
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Hour().records, 1U);
  EXPECT_EQ(Hour().hashed, 0U);
}

TEST_F(Reconciled, AQuestionGoesTheSameWayAndItsReplyComesBackWhateverTheStatus) {
  Ask();
  EXPECT_TRUE(SendsNow());
  const auto sent = Next();
  EXPECT_EQ(sent.request.method, "GET");
  EXPECT_EQ(sent.request.path, "/v1/reconciliation?gateway=gw-1");
  EXPECT_EQ(sent.Header("X-Asks"), "yes");
  EXPECT_EQ(sent.Header("Accept"), "application/json, application/problem+json");
  EXPECT_EQ(sent.body, "");
  bool refused = false;
  destination_->Ask({}, clock_.Mono(), [&](const Result<upload::Response>& response) {
    refused = !response && response.error().code == ErrorCode::kBusy;
  });
  EXPECT_TRUE(refused);
  sent.done(Reply(500, "x"));
  ASSERT_TRUE(answer_);
  ASSERT_TRUE(*answer_);
  EXPECT_EQ((*answer_)->status, 500);
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kOk) << "no verdict about deliveries";
  Ask();
  Next().done(Broken(upload::Transport::kTimeout));
  ASSERT_TRUE(answer_);
  EXPECT_FALSE(*answer_);
}

TEST_F(Reconciled, AQuestionIsFilledInWithAnEntryOfASecretTable) {
  contract_ = std::make_shared<FakeContract>();
  Rebuild();
  destination_->Ask(Inquiry{"/counts", {{"X-Token", SecretMark(MarkPlace::kHeader, "tokens:a")}}}, clock_.Mono() + 60s,
                    [](const Result<upload::Response>&) {});
  EXPECT_EQ(Next().Header("X-Token"), "token-of-a");
}

TEST_F(Reconciled, AQuestionWaitsForTheLimitsAndForARecoveringDestination) {
  limits_ = {limit::Window{limit::Window::Unit::kRequests, 1, 10s}};
  Rebuild();
  Append(R"({"a":1})");
  const auto sent = Next();
  Ask();
  EXPECT_FALSE(SendsNow());
  sent.done(Reply(503));
  clock_.Advance(11s);
  const auto again = Next();
  EXPECT_EQ(again.request.method, "POST") << "what waits to be delivered goes first";
  Accept(again);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(11s);
  EXPECT_EQ(Next().request.method, "GET");
}

TEST_F(Reconciled, AQuestionThatCannotGoEndsWithTheReason) {
  destination_->Pause(std::nullopt, clock_.Mono());
  Ask(60s);
  EXPECT_FALSE(SendsNow());
  EXPECT_FALSE(answer_);
  clock_.Advance(61s);
  SendsNow();
  ASSERT_TRUE(answer_);
  ASSERT_FALSE(*answer_);
  EXPECT_NE(answer_->error().message.find("paused"), std::string::npos) << answer_->error().message;
}

TEST_F(Reconciled, AQuestionOfADestinationThatGoesEndsWithIt) {
  Ask();
  const auto sent = Next();
  destination_.reset();
  ASSERT_TRUE(answer_);
  EXPECT_FALSE(*answer_);
  answer_.reset();
  sent.done(Reply(200, "{}"));
  EXPECT_FALSE(answer_);
}

}  // namespace
}  // namespace packhorse::delivery
