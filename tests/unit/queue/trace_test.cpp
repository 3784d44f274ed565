#include "queue/values/trace.h"

#include "queue_fixture.h"
#include "record/canonical_record.h"

namespace packhorse::queue {
namespace {

class TraceTest : public QueueTest {
 protected:
  MessageTrace Find(Sequence sequence, Lane lane = Lane::kNormal, std::optional<std::uint32_t> record = std::nullopt) {
    Result<MessageTrace> found = queue_->Trace(lane, sequence, record);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *std::move(found) : MessageTrace{};
  }

  // The place of the only destination.
  Place Only(Sequence sequence, std::optional<std::uint32_t> record = std::nullopt) {
    MessageTrace found = Find(sequence, Lane::kNormal, record);
    EXPECT_EQ(found.places.size(), 1U);
    return found.places.empty() ? Place{} : std::move(found.places.front());
  }

  static Settlement Refusing(BatchId batch, Sequence sequence, std::uint32_t record = 0) {
    Settlement settlement;
    settlement.batch = batch;
    settlement.http_status = 200;
    settlement.provider_request_id = "req-1";
    settlement.attempts = 2;
    settlement.dead.push_back(DeadRecord{sequence, record, "rejected", "no such device", "req-1", 422});
    return settlement;
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, TraceTest, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(TraceTest, ANumberThatWasNeverGivenIsSaidToBeSo) {
  EXPECT_FALSE(Find(1).given);
  Append("a");
  EXPECT_TRUE(Find(1).given);
  EXPECT_FALSE(Find(2).given);
  EXPECT_EQ(Find(2).last, 1U);
  EXPECT_FALSE(Find(0).given);
  EXPECT_FALSE(Find(1, Lane::kUrgent).given);
}

TEST_P(TraceTest, AMessageThatWaitsIsWaitingWithWhatIsKnownOfIt) {
  const Sequence sequence = Append("a");
  const MessageTrace found = Find(sequence);
  EXPECT_EQ(found.stream, "telemetry");
  EXPECT_EQ(found.topic, "site/a/dev/17/telemetry");
  EXPECT_EQ(found.received_at, clock_.Wall());
  ASSERT_EQ(found.places.size(), 1U);
  EXPECT_EQ(found.places[0].destination, "cloud");
  EXPECT_EQ(found.places[0].state, PlaceState::kWaiting);
}

TEST_P(TraceTest, AMessageInAPreparedBatchNamesTheBatch) {
  const Sequence sequence = Append("a");
  PrepareNext(1);
  const Place place = Only(sequence);
  EXPECT_EQ(place.state, PlaceState::kInBatch);
  ASSERT_EQ(place.batches.size(), 1U);
  EXPECT_EQ(place.batches[0].idempotency_key, "key-1");
  EXPECT_EQ(place.batches[0].records, 1U);
}

TEST_P(TraceTest, ADeliveredMessageNamesItsBatchInTheLogAlsoAfterARestart) {
  const Sequence sequence = Append("a");
  Append("b");
  Settlement settlement = Delivered(PrepareNext(2));
  settlement.provider_request_id = "req-7";
  ASSERT_TRUE(Settle(std::move(settlement)));
  for (int i = 0; i < 2; ++i) {
    const Place place = Only(sequence);
    EXPECT_EQ(place.state, PlaceState::kDelivered);
    EXPECT_TRUE(place.certain);
    ASSERT_EQ(place.settled.size(), 1U);
    EXPECT_EQ(place.settled[0].idempotency_key, "key-1");
    EXPECT_EQ(place.settled[0].provider_request_id, "req-7");
    EXPECT_EQ(place.settled[0].http_status, 200);
    EXPECT_EQ(place.settled[0].trace_id, "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(place.settled[0].at, clock_.Wall());
    Reopen();
  }
}

TEST_P(TraceTest, ARefusedMessageShowsItsLetterAndTheOtherOfItsBatchWasDelivered) {
  const Sequence refused = Append("a");
  const Sequence fine = Append("b");
  ASSERT_TRUE(Settle(Refusing(PrepareNext(2), refused)));
  const Place place = Only(refused);
  EXPECT_EQ(place.state, PlaceState::kRejected);
  ASSERT_EQ(place.dead.size(), 1U);
  EXPECT_EQ(place.dead[0].detail, "no such device");
  EXPECT_EQ(place.dead[0].record_id, RecordId(queue_->id(), Lane::kNormal, refused, std::nullopt));
  EXPECT_EQ(Only(fine).state, PlaceState::kDelivered);
  EXPECT_TRUE(Only(fine).certain);
}

TEST_P(TraceTest, OneRecordOfSeveralIsAskedForAlone) {
  const Sequence sequence = Append("a");
  ASSERT_TRUE(Settle(Refusing(PrepareNext(1, 3), sequence, 1)));
  EXPECT_EQ(Only(sequence, 1).state, PlaceState::kRejected);
  EXPECT_EQ(Only(sequence, 2).state, PlaceState::kDelivered);
  EXPECT_EQ(Only(sequence).state, PlaceState::kRejected);
}

TEST_P(TraceTest, AQuarantinedMessageSaysWhy) {
  const Sequence sequence = Append("a");
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1U << 20U);
  PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
  request.resolutions.push_back(
      Resolution{sequence, Outcome::kQuarantined, "invalid_json", "byte 1", pending->messages[0].message});
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  ASSERT_TRUE(Await(prepared));
  const MessageTrace found = Find(sequence);
  ASSERT_EQ(found.quarantined.size(), 1U);
  EXPECT_EQ(found.quarantined[0].reason, "invalid_json");
  EXPECT_EQ(found.stream, "telemetry");
  ASSERT_EQ(found.places.size(), 1U);
  EXPECT_EQ(found.places[0].state, PlaceState::kQuarantined);
}

TEST_P(TraceTest, ABatchThatDidNotCarryEveryNumberOfItsRangeIsNoCertainty) {
  streams_.push_back({"notes", Lane::kNormal, {}});
  Reopen();
  Append("a");
  const Sequence other = Append("x", "notes");
  Append("b");
  ASSERT_TRUE(Settle(Delivered(PrepareNext(2))));
  const Place place = Only(other);
  EXPECT_EQ(place.state, PlaceState::kDelivered);
  EXPECT_FALSE(place.certain);
}

TEST_P(TraceTest, ForgottenOnceTheLogHasNoRowOfItAnyMore) {
  const Sequence sequence = Append("a");
  const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 10, 1U << 20U);
  PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
  request.resolutions.push_back(Resolution{sequence, Outcome::kDropped, "nothing_to_upload", "", std::nullopt});
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  ASSERT_TRUE(Await(prepared));
  const MessageTrace found = Find(sequence);
  EXPECT_TRUE(found.given);
  EXPECT_TRUE(found.places.empty());
  EXPECT_EQ(found.logged_batches, 0U);
}

TEST_P(TraceTest, EachDestinationHasItsOwnAnswer) {
  destinations_ = {"archive", "cloud"};
  streams_ = {{"telemetry", Lane::kNormal, {"archive", "cloud"}}};
  Reopen();
  const Sequence sequence = Append("a");
  ASSERT_TRUE(Settle(Delivered(PrepareNext(1))));
  const MessageTrace found = Find(sequence);
  ASSERT_EQ(found.places.size(), 2U);
  EXPECT_EQ(found.places[0].destination, "archive");
  EXPECT_EQ(found.places[0].state, PlaceState::kWaiting);
  EXPECT_EQ(found.places[1].state, PlaceState::kDelivered);
  EXPECT_TRUE(found.places[1].certain);
}

}  // namespace
}  // namespace packhorse::queue
