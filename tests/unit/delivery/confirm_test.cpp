// An API that has a batch only when a second request says so, as acknowledgements of the indexers of Splunk HEC are.

#include <gmock/gmock.h>

#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/read_contract.h"
#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr char kHecLike[] = R"({
  "contract": "hec@1.0",
  "settings": { "token": { "secret": true }, "channel": { "default": "{gateway.id}" } },
  "request": { "path": "/services/collector/event", "query": { "channel": "{settings.channel}" },
    "headers": { "Authorization": "Splunk {settings.token}" },
    "body": { "ndjson": ["{item}"] }, "item": { "time": "{time|unix}", "event": { "id": "{record_id}", "*": "{fields}" } } },
  "accepts": { "max_items": 100 },
  "confirm": {
    "key": "/ackId",
    "request": { "path": "/services/collector/ack", "query": { "channel": "{settings.channel}" },
      "headers": { "Authorization": "Splunk {settings.token}" }, "body": { "json": { "acks": ["{key}"] } } },
    "done": { "/acks/{key}": true }, "every": "10s", "within": "1m", "else": "retry" },
  "response": [ { "status": 200, "when": { "/code": 0, "/ackId": "*" }, "verdict": "confirm" } ] })";

class Confirm : public DeliveryTest {
 protected:
  Confirm() { Use(kHecLike); }

  void Use(const std::string& text) {
    const contract::ContractRead read = contract::ReadCloudContract(text, "hec");
    ASSERT_NE(read.definition, nullptr) << document::Describe(read.problems.front());
    auto made = contract::MakeCloudContract(read.definition, {});
    ASSERT_TRUE(made) << made.error().message;
    contract_ = *made;
    Authorize();
    Rebuild();
  }
  void Authorize() {
    test::WriteAll(dir_ / "token", "s3cret-token", 0600);
    auth::AuthOptions options;
    options.settings["token"].current = {auth::SecretSource::Kind::kFile, dir_ / "token"};
    auto made = auth::Authorizer::Make(options);
    ASSERT_TRUE(made) << made.error().message;
    authorizer_ = *std::move(made);
  }
  static void Take(const FakeUploader::Sent& sent, int ack) {
    EXPECT_EQ(sent.request.path.rfind("/services/collector/event?", 0), 0U) << sent.request.path;
    sent.done(Reply(200, R"({"text":"Success","code":0,"ackId":)" + std::to_string(ack) + "}"));
  }
  // The next request, which is to be the question for this acknowledgement.
  FakeUploader::Sent Question(int ack) {
    FakeUploader::Sent sent = Next();
    EXPECT_EQ(sent.request.path, "/services/collector/ack?channel=gw-1");
    EXPECT_EQ(sent.body, R"({"acks":[)" + std::to_string(ack) + "]}");
    EXPECT_EQ(sent.Header("Authorization"), "Splunk s3cret-token");
    EXPECT_EQ(sent.Header("Content-Type"), "application/json");
    return sent;
  }
  static upload::Response Acked(int ack, bool done) {
    return Reply(200, R"({"acks":{")" + std::to_string(ack) + R"(":)" + (done ? "true" : "false") + "}}");
  }
  std::uint64_t PossibleDuplicates() { return destination_->Snapshot(clock_.Mono()).possible_duplicates; }
};

TEST_F(Confirm, AQuestionThatFailsIsAmongTheFailedExchanges) {
  Append(R"({"t":1})");
  Take(Next(), 7);
  clock_.Advance(10s);
  Question(7).done(Acked(7, false));
  EXPECT_TRUE(destination_->exchanges().all().empty()) << "not yet is no failure";
  clock_.Advance(10s);
  Question(7).done(Reply(503, R"({"text":"busy, s3cret-token"})"));
  ASSERT_EQ(destination_->exchanges().all().size(), 1U);
  const Exchange& exchange = destination_->exchanges().all().back();
  EXPECT_EQ(exchange.method, "POST");
  EXPECT_EQ(exchange.path, "/services/collector/ack?channel=gw-1");
  EXPECT_EQ(exchange.request_start, R"({"acks":[7]})");
  EXPECT_EQ(exchange.request_bytes, 12U);
  EXPECT_EQ(exchange.status, 503);
  EXPECT_EQ(exchange.records, 1U);
  EXPECT_NE(exchange.batch_key, "");
  EXPECT_THAT(exchange.verdict, HasSubstr("not the reply of a confirmation"));
  EXPECT_THAT(exchange.reply_start, testing::Not(HasSubstr("s3cret")));
  for (const auto& [name, value] : exchange.request_headers) {
    EXPECT_THAT(value, testing::Not(HasSubstr("s3cret"))) << name;
  }
  clock_.Advance(10s);
  Question(7).done(Broken(upload::Transport::kTimeout));
  EXPECT_EQ(destination_->exchanges().all().size(), 2U);
  EXPECT_EQ(destination_->exchanges().all().back().status, 0);
}

TEST_F(Confirm, BatchIsDeliveredOnceTheSecondRequestSaysSo) {
  Append(R"({"t":1})");
  Take(Next(), 7);
  EXPECT_FALSE(SendsNow()) << "it is asked for after a while";
  EXPECT_EQ(Row().delivered, 0U);
  clock_.Advance(10s);
  Question(7).done(Acked(7, false));
  EXPECT_FALSE(SendsNow());
  clock_.Advance(10s);
  Question(7).done(Acked(7, true));
  EXPECT_TRUE(Settled(1));
  EXPECT_EQ(PossibleDuplicates(), 0U);
}

TEST_F(Confirm, AcknowledgementOfAnotherBatchConfirmsNothing) {
  Append(R"({"t":1})");
  Take(Next(), 7);
  clock_.Advance(10s);
  Question(7).done(Acked(8, true));
  clock_.Advance(10s);
  Question(7).done(Reply(503, R"({"acks":{"7":true}})"));
  clock_.Advance(10s);
  Question(7).done(Broken(upload::Transport::kTimeout));
  EXPECT_EQ(Row().delivered, 0U);
  clock_.Advance(10s);
  Question(7).done(Acked(7, true));
  EXPECT_TRUE(Settled(1));
}

TEST_F(Confirm, WhatIsNotConfirmedInTimeIsSentAgainAndCountsAsPossibleDuplicate) {
  Append(R"({"t":1})");
  const FakeUploader::Sent first = Next();
  Take(first, 7);
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(10s);
    Question(7).done(Acked(7, false));
  }
  clock_.Advance(10s);
  EXPECT_TRUE(Turn([&] { return PossibleDuplicates() == 1; }));
  EXPECT_THAT(destination_->Snapshot(clock_.Mono()).last_error, HasSubstr("not confirmed within 1m: HTTP 200"));
  clock_.Advance(2min);
  const FakeUploader::Sent again = Next();
  EXPECT_EQ(again.body, first.body);
  Take(again, 9);
  clock_.Advance(10s);
  Question(9).done(Acked(9, true));
  EXPECT_TRUE(Settled(1));
}

TEST_F(Confirm, OtherBatchesGoOnMeanwhileAndAreConfirmedInAnyOrder) {
  max_records_ = 1;
  Authorize();
  Rebuild();
  for (int ack = 1; ack <= 4; ++ack) {
    Append(R"({"t":1})");
  }
  for (int ack = 1; ack <= 4; ++ack) {
    Take(Next(), ack);
  }
  clock_.Advance(10s);
  Question(1).done(Acked(1, false));
  Question(2).done(Acked(2, true));
  Question(3).done(Acked(3, true));
  EXPECT_TRUE(Settled(2));
  Question(4).done(Acked(4, true));
  clock_.Advance(10s);
  Question(1).done(Acked(1, true));
  EXPECT_TRUE(Settled(4));
}

TEST_F(Confirm, WhereOrderCountsTheNextBatchWaits) {
  max_records_ = 1;
  keeps_order_ = true;
  Authorize();
  Rebuild();
  Append(R"({"t":1})");
  Append(R"({"t":2})");
  Take(Next(), 1);
  EXPECT_FALSE(SendsNow());
  clock_.Advance(10s);
  Question(1).done(Acked(1, true));
  Take(Next(), 2);
}

TEST_F(Confirm, AfterARestartInBetweenItIsSentAgain) {
  Append(R"({"t":1})");
  const FakeUploader::Sent first = Next();
  Take(first, 7);
  EXPECT_FALSE(SendsNow());
  Authorize();
  Restart();
  const FakeUploader::Sent again = Next();
  EXPECT_EQ(again.body, first.body);
  Take(again, 8);
  clock_.Advance(10s);
  Question(8).done(Acked(8, true));
  EXPECT_TRUE(Settled(1));
}

TEST_F(Confirm, QuestionsCountAgainstTheRateAndTheyWaitWhileTheDestinationDrains) {
  limits_ = {limit::Window{limit::Window::Unit::kRequests, 1, 1min}};
  Authorize();
  Rebuild();
  Append(R"({"t":1})");
  Take(Next(), 7);
  clock_.Advance(10s);
  EXPECT_FALSE(SendsNow()) << "one request a minute";
  clock_.Advance(49s);
  EXPECT_FALSE(SendsNow());
  destination_->Drain();
  EXPECT_TRUE(destination_->idle()) << "a stop does not wait for it";
}

TEST_F(Confirm, ElseSaysWhatItMeansThatNothingConfirmed) {
  std::string text = kHecLike;
  text.replace(text.find(R"("else": "retry")"), 15, R"("else": "accepted")");
  Use(text);
  Append(R"({"t":1})");
  Take(Next(), 7);
  clock_.Advance(1min);
  EXPECT_TRUE(Settled(1));
}

TEST_F(Confirm, ReplyWithoutAKeyIsNoSuccess) {
  Append(R"({"t":1})");
  Next().done(Reply(200, R"({"text":"Success","code":0})"));
  EXPECT_TRUE(Turn([&] { return PossibleDuplicates() == 1; }));
  EXPECT_EQ(Row().delivered, 0U);
}

}  // namespace
}  // namespace packhorse::delivery
