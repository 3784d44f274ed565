#include "story.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "support/process.h"

namespace packhorse::queue {
namespace {

constexpr const char* kCloud = "cloud";

constexpr std::size_t kAll = 100'000;

std::string Text(std::uint32_t message) { return "m" + std::to_string(message); }

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  _exit(1);
}

std::uint32_t Number(const StoredMessage& message) {
  return static_cast<std::uint32_t>(std::stoul(message.message.payload.substr(1)));
}

}  // namespace

template <typename T>
T Story::Await(std::optional<Result<T>>& result) {
  const bool answered = test::WaitFor([&] {
    queue_->Poll();
    return result.has_value();
  });
  if (!answered || !*result) {
    Die(answered ? result->error().message : "no answer");
  }
  return **result;
}

void Story::Open() {
  Enter(Stage::kOpening);
  Result<std::unique_ptr<Queue>> opened = queue::Open(options_, clock_);
  if (!opened) {
    Die(opened.error().message);
  }
  queue_ = *std::move(opened);
}

void Story::Append(int count, std::size_t bytes) {
  for (int i = 0; i < count; ++i) {
    RawMessage message;
    message.stream = *queue_->Stream("telemetry");
    message.topic = "a/b";
    message.payload = Text(++told_.appending);
    message.payload.resize(std::max(bytes, message.payload.size()), ' ');
    message.received_at = clock_.Wall();
    const Result<Sequence> sequence = queue_->Append(std::move(message));
    if (!sequence || *sequence <= told_.highest) {
      Die(sequence ? "a number was given twice" : sequence.error().message);
    }
    told_.highest = *sequence;
    ++told_.appended;
  }
}

void Story::Checkpoint() {
  const Result<std::vector<std::string>> gaps = queue_->VerifyLedger();
  if (!gaps || !gaps->empty()) {
    Die(gaps ? gaps->front() : gaps.error().message);
  }
}

std::unique_ptr<PreparedBatch> Story::Batch(const std::vector<StoredMessage>& messages) const {
  auto batch = std::make_unique<PreparedBatch>();
  batch->destination = kCloud;
  batch->idempotency_key = "key of " + Text(Number(messages.front()));
  for (const StoredMessage& stored : messages) {
    batch->members.push_back(Member{stored.sequence, stored.message.stream, 0, 1, 1, 0});
    batch->body += Text(Number(stored)) + " ";
    ++batch->records;
  }
  return batch;
}

void Story::Prepare(std::size_t messages) {
  Result<Pending> pending = queue_->Peek(kCloud, Lane::kNormal, messages, 1ULL << 30U);
  if (!pending || pending->messages.size() != messages) {
    Die("too few messages are pending");
  }
  PrepareRequest request{kCloud, Lane::kNormal, pending->from, pending->through, {}, {}};
  request.batches.push_back(Batch(pending->messages));
  told_.preparing = static_cast<std::uint32_t>(messages);
  std::optional<Result<std::vector<BatchId>>> prepared;
  queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
  batch_ = Await(prepared).front();
  told_.prepared = told_.preparing;
}

void Story::Settle(bool first_dies) {
  Settlement settlement;
  settlement.batch = batch_;
  if (first_dies) {
    const std::vector<PreparedBatch> batches = *queue_->PreparedBatches(kCloud);
    settlement.dead.push_back(DeadRecord{batches.front().members.front().sequence, 0, "rejected", "", "", 400});
  }
  told_.settling = told_.settled + told_.prepared;
  told_.dying = told_.dead + (first_dies ? 1 : 0);
  std::optional<Result<std::vector<BatchId>>> settled;
  queue_->Settle(std::move(settlement), [&](Result<std::vector<BatchId>> ids) { settled = std::move(ids); });
  static_cast<void>(Await(settled));
  told_.prepared = told_.preparing = 0;
  told_.settled = told_.settling;
  told_.dead = told_.dying;
}

// The dead letter is on its way again: the batch of one is like any other, but not the first that is not settled.
void Story::Replay() {
  const Result<std::vector<DeadLetter>> letters = queue_->DeadLetters(10, 0);
  if (!letters || letters->size() != 1) {
    Die("no dead letter");
  }
  const DeadLetter& letter = letters->front();
  std::unique_ptr<PreparedBatch> batch = Batch({StoredMessage{letter.sequence, letter.message}});
  batch->replayed = true;
  told_.dying = 0;
  told_.again = 1;
  std::optional<Result<BatchId>> replayed;
  queue_->RedriveDead({letter.id}, std::move(batch), [&](Result<BatchId> id) { replayed = std::move(id); });
  Settlement settlement;
  settlement.batch = Await(replayed);
  std::optional<Result<std::vector<BatchId>>> settled;
  queue_->Settle(std::move(settlement), [&](Result<std::vector<BatchId>> ids) { settled = std::move(ids); });
  static_cast<void>(Await(settled));
  told_.dead = told_.again = 0;
}

// For a destination that does not come after all.
void Story::CountAhead() {
  std::vector<StreamOptions> streams = options_.streams;
  streams.front().destinations.emplace_back("archive");
  Result<Queue::Ahead> counted = Queue::Ahead::kMore;
  while (counted && *counted != Queue::Ahead::kDone) {
    Checkpoint();
    counted = queue_->CountAhead(streams, {kCloud, {"archive", StartAt::kOldest}}, 1);
  }
  if (!counted) {
    Die("count");
  }
  queue_->ForgetCount();
}

void Story::Tell() {
  Open();
  Enter(Stage::kAppending);
  Append(5);
  Enter(Stage::kCheckpointing);
  Checkpoint();
  Append(2);
  Enter(Stage::kPreparing);
  Prepare(4);
  Enter(Stage::kPrepared);
  Append(1);
  Enter(Stage::kSettling);
  Settle(true);
  Enter(Stage::kSettled);
  Append(1);
  Checkpoint();
  Enter(Stage::kReplaying);
  Replay();
  Enter(Stage::kCounting);
  CountAhead();
  Enter(Stage::kReconfiguring);
  options_.streams.front().destinations.emplace_back("lake");
  options_.destinations.emplace_back("lake");
  if (!queue_->Reconfigure(options_.streams, options_.destinations)) {
    Die("reconfigure");
  }
  told_.lake = true;
  Append(2);
  Checkpoint();
  Enter(Stage::kTrimming);
  Prepare(5);
  Settle(false);
  Checkpoint();
  Enter(Stage::kFilling);
  // More than both files hold: the checkpoint has to be done within this stage.
  Append(static_cast<int>(2 * options_.journal_bytes / 1'000), 1'000);
  // One that the journal cannot hold, and what is behind it.
  Append(1, options_.journal_bytes);
  Append(2);
  Enter(Stage::kEnding);
  queue_.reset();
  Enter(Stage::kOver);
}

std::string Story::CheckLedger() {
  const Result<std::vector<std::string>> gaps = queue_->VerifyLedger();
  if (!gaps || !gaps->empty()) {
    return gaps ? gaps->front() : gaps.error().message;
  }
  const Result<Ledger> ledger = queue_->ReadLedger();
  for (const LedgerRow& row : ledger->rows) {
    if (!row.Balanced()) {
      return "the ledger does not balance";
    }
    if (row.destination != kCloud) {
      continue;
    }
    const std::uint64_t settled = row.delivered + row.rejected;
    if (row.received < told_.appended || row.received > told_.appending || settled + told_.again < told_.settled ||
        settled > std::max(told_.settling, told_.settled) || row.rejected < std::min(told_.dead, told_.dying) ||
        row.rejected > std::max(told_.dead, told_.dying)) {
      return "the ledger says " + std::to_string(row.received) + " received, " + std::to_string(row.delivered) +
             " delivered, " + std::to_string(row.rejected) + " rejected";
    }
  }
  return "";
}

std::string Story::CheckBatches(const std::vector<PreparedBatch>& batches) {
  bool found = told_.prepared == 0 || told_.settling > told_.settled;
  for (const PreparedBatch& batch : batches) {
    if (batch.replayed) {
      continue;
    }
    const std::uint32_t first = told_.settled + 1;
    std::string body;
    for (std::uint32_t message = first; message < first + told_.preparing; ++message) {
      body += Text(message) + " ";
    }
    if (batch.idempotency_key != "key of " + Text(first) || batch.body != body || !batch.maybe_sent) {
      return "another batch: " + batch.idempotency_key;
    }
    found = true;
  }
  return found ? "" : "a batch is missing that may have been sent";
}

// Every message is somewhere, once, under one number.
std::string Story::CheckMessages() {
  std::map<Sequence, int> places;
  const Result<Pending> pending = queue_->Peek(kCloud, Lane::kNormal, kAll, 1ULL << 30U);
  std::uint32_t expected = 0;
  for (const StoredMessage& stored : pending->messages) {
    ++places[stored.sequence];
    if (expected != 0 && Number(stored) != expected) {
      return Text(expected) + " is missing";
    }
    expected = Number(stored) + 1;
  }
  const std::vector<PreparedBatch> batches = *queue_->PreparedBatches(kCloud);
  for (const PreparedBatch& batch : batches) {
    for (const Member& member : batch.members) {
      ++places[member.sequence];
    }
  }
  const std::vector<DeadLetter> letters = *queue_->DeadLetters(10, 0);
  for (const DeadLetter& letter : letters) {
    ++places[letter.sequence];
  }
  for (const auto& [sequence, times] : places) {
    if (times != 1) {
      return "message " + std::to_string(sequence) + " is there " + std::to_string(times) + " times";
    }
  }
  const std::uint64_t delivered = queue_->ReadLedger()->Total().delivered;
  if (told_.appended > 0 && !told_.lake && places.size() + delivered < told_.appended) {
    return std::to_string(places.size()) + " of " + std::to_string(told_.appended) + " messages are left";
  }
  return CheckBatches(batches);
}

std::string Story::Check() {
  Open();
  for (const auto& check : {&Story::CheckLedger, &Story::CheckMessages}) {
    if (std::string wrong = (this->*check)(); !wrong.empty()) {
      return wrong;
    }
  }
  Append(1);
  queue_.reset();
  return "";
}

}  // namespace packhorse::queue
