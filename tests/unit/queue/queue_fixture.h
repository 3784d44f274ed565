#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "queue/ledger/ledger.h"
#include "queue/queue.h"
#include "support/manual_clock.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::queue {

enum class Mode { kWindow, kStrict, kWithoutJournal };

inline std::string NameOf(const ::testing::TestParamInfo<Mode>& info) {
  return info.param == Mode::kWindow ? "Window" : info.param == Mode::kStrict ? "Strict" : "WithoutJournal";
}

// A queue with the streams "telemetry" (normal) and "alarms" (urgent), both to "cloud", on the real file system.
class QueueTest : public ::testing::TestWithParam<Mode> {
 protected:
  QueueTest() { Reopen(); }

  Options MakeOptions() const {
    Options options;
    options.path = dir_ / "queue.db";
    options.runtime_dir = GetParam() == Mode::kWithoutJournal ? dir_ / "no" + "/such/folder" : dir_ / "run";
    options.strict = GetParam() == Mode::kStrict;
    options.streams = streams_;
    options.destinations = destinations_;
    options.cache_bytes = cache_bytes_;
    return options;
  }

  void Reopen() {
    queue_.reset();
    Result<std::unique_ptr<Queue>> opened = Open(MakeOptions(), clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
  }

  RawMessage Message(const std::string& payload, const std::string& stream = "telemetry") const {
    RawMessage message;
    message.stream = *queue_->Stream(stream);
    message.topic = "site/a/dev/17/telemetry";
    message.payload = payload;
    message.received_at = clock_.Wall();
    message.boot_time = clock_.Boot();
    message.clock = clock_.Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
    message.qos = 1;
    return message;
  }

  Sequence Append(const std::string& payload, const std::string& stream = "telemetry") {
    const Result<Sequence> sequence = queue_->Append(Message(payload, stream));
    EXPECT_TRUE(sequence) << sequence.error().message;
    return sequence.value_or(0);
  }

  // One record per message, like a batch of flat JSON.
  std::unique_ptr<PreparedBatch> MakeBatch(const std::vector<StoredMessage>& messages, std::uint32_t records_each = 1) {
    auto batch = std::make_unique<PreparedBatch>();
    batch->destination = "cloud";
    batch->idempotency_key = "key-" + std::to_string(++keys_);
    batch->trace_id = "0123456789abcdef0123456789abcdef";
    batch->contract = "packhorse-ingest@1.0";
    batch->content_type = "application/json";
    batch->path = "/v1/telemetry";
    for (const StoredMessage& stored : messages) {
      batch->members.push_back(Member{stored.sequence, stored.message.stream, 0, records_each, records_each,
                                      HourOf(stored.message.received_at)});
      batch->records += records_each;
      batch->body += stored.message.payload;
    }
    batch->created_at = clock_.Wall();
    batch->oldest_at = messages.empty() ? WallTime{} : messages.front().message.received_at;
    if (shape_ != nullptr) {
      shape_(*batch);
    }
    return batch;
  }

  template <typename T>
  T Await(std::optional<T>& result) {
    EXPECT_TRUE(test::WaitFor([&] {
      queue_->Poll();
      return result.has_value();
    }));
    return *result;
  }

  // Prepares up to `count` pending messages as one batch.
  BatchId PrepareNext(std::size_t count, std::uint32_t records_each = 1, Part part = Part::kAll) {
    Result<Pending> pending = queue_->Peek("cloud", {Lane::kNormal, part}, count, 1ULL << 30U);
    EXPECT_TRUE(pending);
    PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
    request.batches.push_back(MakeBatch(pending->messages, records_each));
    std::optional<Result<std::vector<BatchId>>> prepared;
    queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
    const Result<std::vector<BatchId>> ids = Await(prepared);
    EXPECT_TRUE(ids) << ids.error().message;
    return ids ? ids->front() : 0;
  }

  Result<std::vector<BatchId>> Settle(Settlement settlement) {
    std::optional<Result<std::vector<BatchId>>> settled;
    queue_->Settle(std::move(settlement), [&](Result<std::vector<BatchId>> ids) { settled = std::move(ids); });
    return Await(settled);
  }

  Settlement Delivered(BatchId id) const {
    Settlement settlement;
    settlement.batch = id;
    settlement.http_status = 200;
    settlement.attempts = 1;
    return settlement;
  }

  void (*shape_)(PreparedBatch&) = nullptr;  // what MakeBatch() does besides

  LedgerRow Row(const std::string& stream = "telemetry", const std::string& destination = "cloud") {
    const Result<Ledger> ledger = queue_->ReadLedger();
    EXPECT_TRUE(ledger);
    EXPECT_TRUE(ledger->Balanced());
    for (const LedgerRow& row : ledger->rows) {
      if (row.stream == stream && row.destination == destination) {
        return row;
      }
    }
    return {};
  }

  void ExpectVerified() {
    const Result<std::vector<std::string>> gaps = queue_->VerifyLedger();
    ASSERT_TRUE(gaps) << gaps.error().message;
    EXPECT_TRUE(gaps->empty()) << gaps->front();
  }

  test::TempDir dir_;
  test::ManualClock clock_;
  std::vector<StreamOptions> streams_ = {{"telemetry", Lane::kNormal, {"cloud"}}, {"alarms", Lane::kUrgent, {"cloud"}}};
  std::vector<DestinationOptions> destinations_ = {"cloud"};
  std::uint64_t cache_bytes_ = 1ULL << 20U;
  std::unique_ptr<Queue> queue_;
  int keys_ = 0;
};

}  // namespace packhorse::queue
