#include "queue/operation/operation.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "queue/segment/message_codec.h"

namespace packhorse::queue {
namespace {

const WallTime kNow{std::chrono::microseconds(1'795'162'531'500'000)};

RawMessage MakeMessage() {
  RawMessage message;
  message.stream = 3;
  message.topic = "site/a";
  message.payload = std::string("raw\0bytes", 9);
  message.received_at = kNow;
  message.boot_time = std::chrono::seconds(5);
  message.qos = 1;
  message.content_type = "text/plain";
  message.user_properties = {{"a", "1"}, {"a", ""}};
  return message;
}

BatchPtr MakeBatch(BatchId id) {
  auto batch = std::make_shared<PreparedBatch>();
  batch->id = id;
  batch->destination = "cloud";
  batch->lane = Lane::kBulk;
  batch->idempotency_key = "key-" + std::to_string(id);
  batch->trace_id = "0123456789abcdef0123456789abcdef";
  batch->contract = "packhorse-ingest@1.0";
  batch->content_type = "application/json";
  batch->content_encoding = "gzip";
  batch->path = "/v1";
  batch->body = std::string("\x1f\x8b\0", 3);
  batch->uncompressed_bytes = 300;
  batch->records = 4;
  batch->members = {Member{7, 3, 1, 2, 3, 498'656}, Member{9, 4, 0, 2, 2, 498'657}};
  batch->replayed = true;
  batch->created_at = kNow;
  batch->oldest_at = kNow - std::chrono::seconds(3);
  return batch;
}

BatchPtr MakeReplayBatch() {
  PreparedBatch batch = *MakeBatch(-3);
  batch.replayed = false;
  batch.replay = 5;
  return std::make_shared<const PreparedBatch>(std::move(batch));
}

Replay MakeReplay() {
  Replay replay;
  replay.id = 5;
  replay.what = {"", "", kNow - std::chrono::hours(2), kNow - std::chrono::hours(1), 70};
  replay.stream = 3;
  replay.destination = 2;
  replay.state = Replay::State::kCancelled;
  replay.asked_at = kNow;
  replay.ended_at = kNow + std::chrono::seconds(1);
  replay.first = {4, 5, 6};
  replay.through = {7, 8, 9};
  return replay;
}

BatchPtr MakeSuspectBatch() {
  auto batch = std::make_shared<PreparedBatch>(*MakeBatch(25));
  batch->replayed = false;
  batch->suspect = true;
  return batch;
}

// One of each kind, every field filled.
std::vector<Operation> Samples() {
  CountOp count;
  count.changes[LedgerKey{498'656, 3, 2, 12, "retained_repeat"}] = LedgerCount{5, -6};
  count.changes[LedgerKey{0, 0, 0, 2, ""}] = LedgerCount{1, 0};
  const PrepareOp prepare{2,
                          Lane::kBulk,
                          11,
                          900,
                          3,
                          {Ending{8, 3, 498'656, Outcome::kQuarantined, "not_json", "at byte 3", "stored form"}},
                          {MakeBatch(21), MakeBatch(22)},
                          kNow};
  const SettleOp settle{21,
                        {NewDeadLetter{DeadRecord{7, 1, "rejected", "too old", "req-1", 422}, 3, 3, "stored form"}},
                        {MakeBatch(23)},
                        207,
                        "req-1",
                        4,
                        true,
                        kNow,
                        {},
                        {{7, 2, "too_old"}, {9, 0}},
                        {{3, 496'000, 2, 0xFEDC'BA98'7654'3210ULL}},
                        {{3, 496'000, "energy", 2, *FixedPoint::Parse("-7.25")}}};
  SettleOp new_suspect = settle;
  new_suspect.new_suspects.push_back(
      NewSuspect{{9, 2, {"fails", "Internal", "req-2", 500, 3, kNow, kNow + std::chrono::minutes(1)}, true},
                 3,
                 4,
                 498'656,
                 "stored form"});
  const RedriveOp replay{2,
                         {DeadKey{Lane::kBulk, 7, 2, 1}, DeadKey{Lane::kBulk, 9, 2, 0}},
                         {{7, Outcome::kRejected}, {9, Outcome::kDelivered}},
                         MakeBatch(24)};
  return {ArrivalOp{Lane::kUrgent, 1ULL << 40U, MakeMessage(), "too_large", "300 bytes"},
          count,
          prepare,
          settle,
          replay,
          SplitOp{2, Lane::kNormal, 77, 12, 0, 0},
          SplitOp{2, Lane::kNormal, 77, 13, 12, 4},
          new_suspect,
          SuspectRetryOp{{Lane::kBulk, 9, 2, 2}, MakeSuspectBatch()},
          SuspectEndOp{
              {Lane::kBulk, 9, 2, 2}, Outcome::kRejected, settle.dead_letters.front(), kNow, "key-9", 500, "req-2", 4},
          SuspectEndOp{{Lane::kBulk, 9, 2, 2}, Outcome::kDropped, std::nullopt, kNow, "key-9", 500, "req-2", 4},
          QuarantineRetryOp{2,
                            Lane::kBulk,
                            {{7, 3, 498'656, "unknown_stream", false, "", Outcome::kDropped},
                             {9, 4, 498'657, "invalid_json", true, "empty", Outcome::kIgnored}},
                            {MakeBatch(11)}},
          GiveUpOp{2, Lane::kNormal, 12, 90, Outcome::kExpired, "max_age", {{3, 498'656, 10}, {4, 498'657, 1}}, kNow},
          ClockOp{7, Lane::kBulk, 40, std::nullopt},
          ClockOp{8, Lane::kNormal, 0, ClockOp::Learnt{kNow, std::chrono::nanoseconds(-3)}},
          ReplayStateOp{MakeReplay()},
          ReplayPrepareOp{5, Lane::kBulk, 90, 2, 1, {MakeReplayBatch()}, kNow}};
}

TEST(OperationTest, EveryKindRoundTrips) {
  for (const Operation& operation : Samples()) {
    const std::string bytes = EncodeOperation(operation);
    const Result<Operation> read = DecodeOperation(bytes);
    ASSERT_TRUE(read) << operation.index();
    EXPECT_EQ(read->index(), operation.index());
    EXPECT_EQ(EncodeOperation(*read), bytes) << operation.index();
  }
}

TEST(OperationTest, FieldsComeBackInTheirPlaces) {
  const std::vector<Operation> samples = Samples();
  const auto arrival = std::get<ArrivalOp>(*DecodeOperation(EncodeOperation(samples[0])));
  EXPECT_EQ(arrival.lane, Lane::kUrgent);
  EXPECT_EQ(arrival.sequence, 1ULL << 40U);
  EXPECT_EQ(arrival.reason, "too_large");
  EXPECT_EQ(arrival.detail, "300 bytes");
  EXPECT_EQ(arrival.message.payload, MakeMessage().payload);
  EXPECT_EQ(arrival.message.user_properties, MakeMessage().user_properties);
  const auto prepare = std::get<PrepareOp>(*DecodeOperation(EncodeOperation(samples[2])));
  ASSERT_EQ(prepare.batches.size(), 2U);
  EXPECT_EQ(prepare.batches[1]->idempotency_key, "key-22");
  EXPECT_EQ(prepare.batches[1]->body, MakeBatch(22)->body);
  EXPECT_EQ(prepare.batches[1]->members[0].total_records, 3U);
  EXPECT_TRUE(prepare.batches[1]->replayed);
  EXPECT_EQ(prepare.endings[0].detail, "at byte 3");
  const auto settle = std::get<SettleOp>(*DecodeOperation(EncodeOperation(samples[3])));
  EXPECT_EQ(settle.dead_letters[0].record.http_status, 422);
  EXPECT_EQ(settle.dead_letters[0].message, "stored form");
  EXPECT_TRUE(settle.possible_duplicate);
  ASSERT_EQ(settle.sums.size(), 1U);
  EXPECT_EQ(settle.sums[0].name, "energy");
  EXPECT_EQ(settle.sums[0].sum.ToText(), "-7.25");
  const auto replay = std::get<RedriveOp>(*DecodeOperation(EncodeOperation(samples[4])));
  EXPECT_EQ(replay.letters, std::get<RedriveOp>(samples[4]).letters);
  const auto new_suspect = std::get<SettleOp>(*DecodeOperation(EncodeOperation(samples[7])));
  ASSERT_EQ(new_suspect.new_suspects.size(), 1U);
  EXPECT_EQ(new_suspect.new_suspects[0].what.suspicion.refusals, 3U);
  EXPECT_EQ(new_suspect.new_suspects[0].what.suspicion.last_refused_at, kNow + std::chrono::minutes(1));
  EXPECT_TRUE(new_suspect.new_suspects[0].what.keep_batch);
  EXPECT_TRUE(std::get<SuspectRetryOp>(*DecodeOperation(EncodeOperation(samples[8]))).batch->suspect);
  EXPECT_EQ(std::get<SplitOp>(*DecodeOperation(EncodeOperation(samples[6]))).moved, 4U);
  const Replay state = std::get<ReplayStateOp>(*DecodeOperation(EncodeOperation(ReplayStateOp{MakeReplay()}))).replay;
  EXPECT_EQ(state.what.to, kNow - std::chrono::hours(1));
  EXPECT_EQ(state.first, (std::array<Sequence, 3>{4, 5, 6}));
  EXPECT_EQ(state.through, (std::array<Sequence, 3>{7, 8, 9}));
  const auto again = std::get<ReplayPrepareOp>(*DecodeOperation(EncodeOperation(samples.back())));
  EXPECT_EQ(again.skipped, 1U);
  EXPECT_EQ(again.batches[0]->replay, 5);
  EXPECT_FALSE(again.batches[0]->replayed);
}

TEST(OperationTest, LayoutOfABatchComesBackAndCostsNothingWhereThereIsNone) {
  PreparedBatch batch = *MakeBatch(7);
  const std::size_t without = EncodeBatch(batch).size();
  batch.part = "device-17";
  batch.items = {1, 0, 300, 2};
  batch.items_begin = 12;
  batch.items_end = 4'000;
  const std::string bytes = EncodeBatch(batch);
  EXPECT_GT(bytes.size(), without);
  const Result<BatchPtr> read = DecodeBatch(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ((*read)->part, batch.part);
  EXPECT_EQ((*read)->items, batch.items);
  EXPECT_EQ((*read)->items_begin, 12U);
  EXPECT_EQ((*read)->items_end, 4'000U);
  EXPECT_TRUE((*read)->replayed);
  EXPECT_TRUE((*read)->order.empty());
  batch.order = {3, 1, 0, 2};
  EXPECT_EQ((*DecodeBatch(EncodeBatch(batch)))->order, batch.order);
  batch.items.clear();
  EXPECT_EQ((*DecodeBatch(EncodeBatch(batch)))->order, batch.order) << "one item each";
  EXPECT_EQ((*DecodeBatch(EncodeBatch(*MakeBatch(7))))->items_end, 0U);
}

TEST(OperationTest, LayoutThatContradictsItsBatchIsRefused) {
  PreparedBatch batch = *MakeBatch(7);
  batch.items = {1, 2};  // of four records
  batch.items_end = 1;
  EXPECT_FALSE(DecodeBatch(EncodeBatch(batch)));
  batch.items = {1, 1, 1, 1, 1};
  EXPECT_FALSE(DecodeBatch(EncodeBatch(batch)));
  batch.items = {1, 1, 1, 1};
  batch.order = {3, 0, 1, 1};
  EXPECT_FALSE(DecodeBatch(EncodeBatch(batch)));
  batch.order = {3, 0, 1, 2};
  EXPECT_TRUE(DecodeBatch(EncodeBatch(batch)));
  batch.order.clear();
  batch.items.clear();
  batch.items_begin = 2;
  EXPECT_FALSE(DecodeBatch(EncodeBatch(batch)));
}

TEST(OperationTest, SkippedRecordsAndEndingsComeBack) {
  const std::vector<Operation> samples = Samples();
  const auto settle = std::get<SettleOp>(*DecodeOperation(EncodeOperation(samples[3])));
  ASSERT_EQ(settle.skipped.size(), 2U);
  EXPECT_EQ(settle.skipped[0].sequence, 7U);
  EXPECT_EQ(settle.skipped[0].record, 2U);
  EXPECT_EQ(settle.skipped[0].reason, "too_old");
  EXPECT_EQ(settle.skipped[1].reason, "");
  QuarantineRetryOp retry{2, Lane::kBulk, {{9, 4, 1, "invalid_json", true, "kind", Outcome::kSkipped}}, {}};
  retry = std::get<QuarantineRetryOp>(*DecodeOperation(EncodeOperation(retry)));
  EXPECT_TRUE(retry.messages[0].ends);
  EXPECT_EQ(retry.messages[0].end, Outcome::kSkipped);
}

// As releases of format 1 wrote it: without when that was.
std::size_t OldSize(const Operation& operation, const std::string& bytes) {
  const auto* given_up = std::get_if<GiveUpOp>(&operation);
  if (given_up == nullptr) {
    return bytes.size();
  }
  GiveUpOp without = *given_up;
  without.at = WallTime{};
  return EncodeOperation(without).size() - 1;
}

TEST(OperationTest, WhatWasGivenUpIsReadWithoutATimeToo) {
  const GiveUpOp op{2, Lane::kNormal, 12, 90, Outcome::kExpired, "max_age", {{3, 498'656, 10}}, kNow};
  const std::string bytes = EncodeOperation(op);
  EXPECT_EQ(std::get<GiveUpOp>(*DecodeOperation(bytes)).at, kNow);
  const Result<Operation> old = DecodeOperation(bytes.substr(0, OldSize(op, bytes)));
  ASSERT_TRUE(old);
  EXPECT_EQ(std::get<GiveUpOp>(*old).at, WallTime{});
  EXPECT_EQ(std::get<GiveUpOp>(*old).counts.size(), 1U);
}

TEST(OperationTest, EveryTruncationIsCorrupt) {
  for (const Operation& operation : Samples()) {
    const std::string bytes = EncodeOperation(operation);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      if (size == OldSize(operation, bytes)) {
        continue;
      }
      const Result<Operation> read = DecodeOperation(std::string_view(bytes).substr(0, size));
      ASSERT_FALSE(read) << "kind " << operation.index() << ", " << size << " of " << bytes.size() << " bytes";
      ASSERT_EQ(read.error().code, ErrorCode::kCorrupt);
    }
  }
}

TEST(OperationTest, BytesBehindTheLastFieldAreCorrupt) {
  for (const Operation& operation : Samples()) {
    EXPECT_FALSE(DecodeOperation(EncodeOperation(operation) + '\0')) << operation.index();
  }
}

TEST(OperationTest, UnknownKindLaneOrOutcomeIsCorrupt) {
  EXPECT_FALSE(DecodeOperation(std::string(40, '\0')));
  EXPECT_FALSE(DecodeOperation(std::string(40, '\x08')));
  std::string bytes = EncodeOperation(SplitOp{2, Lane::kNormal, 77, 12, 0, 0});
  bytes[2] = 3;  // kind, destination, lane
  EXPECT_FALSE(DecodeOperation(bytes));
}

TEST(OperationTest, ChangedAndRandomBytesNeverCrash) {
  std::mt19937 random(1);
  const auto byte = [&] { return static_cast<char>(random() & 0xFFU); };
  for (const Operation& operation : Samples()) {
    const std::string bytes = EncodeOperation(operation);
    for (int i = 0; i < 2'000; ++i) {
      std::string changed = bytes;
      changed[random() % changed.size()] = byte();
      const Result<Operation> read = DecodeOperation(changed);
      if (read) {
        EXPECT_FALSE(EncodeOperation(*read).empty());
      }
    }
  }
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes(1, static_cast<char>(1 + random() % 7));
    for (std::size_t size = random() % 60; size > 0; --size) {
      bytes += byte();
    }
    (void)DecodeOperation(bytes).has_value();
  }
}

}  // namespace
}  // namespace packhorse::queue
