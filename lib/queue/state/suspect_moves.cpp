// What becomes of records that are set aside.

#include <algorithm>
#include <utility>

#include "queue/segment/message_codec.h"
#include "queue/state/queue_state.h"

namespace packhorse::queue {
namespace {

RawMessage StampOf(std::string_view stored, Sequence sequence) {
  Result<StoredMessage> message = DecodeMessage(stored, sequence);
  return message ? Stamp(std::move(message->message)) : RawMessage();  // it has just been encoded
}

SuspectRow& RowFor(Changes& changes, const DeadKey& key) {
  SuspectRow& row = changes.suspects[key];
  row.gone = false;
  return row;
}

}  // namespace

void QueueState::SetAside(const Unsettled& unsettled, const NewSuspect& new_suspect, WallTime at, MonoTime now) {
  const PreparedBatch& batch = *unsettled.batch;
  const DeadKey key{batch.lane, new_suspect.what.sequence, unsettled.destination, new_suspect.what.record};
  const Suspects::Entry* before = suspects_.Find(key);
  Suspects::Entry entry{before != nullptr ? before->id : TakeLetterId(),
                        new_suspect.stream,
                        new_suspect.total_records,
                        new_suspect.received_hour,
                        StampOf(new_suspect.message, new_suspect.what.sequence),
                        false};
  if (batch.replayed) {
    ForgetLetter(key);
  }
  SuspectRow& row = RowFor(*changes_, key);
  row.retrying = false;
  row.content = std::make_shared<const SuspectContent>(SuspectContent{
      entry.id, new_suspect, batch.idempotency_key, at, new_suspect.what.keep_batch ? unsettled.batch : BatchPtr()});
  suspects_.Put(key, std::move(entry));
  KeptSince(now);
}

std::int64_t QueueState::ForgetSuspect(const DeadKey& key) {
  const Suspects::Entry* entry = suspects_.Find(key);
  if (entry == nullptr) {
    return TakeLetterId();
  }
  const std::int64_t id = entry->id;
  changes_->suspects[key] = SuspectRow{true, false, nullptr};
  suspects_.Remove(key);
  return id;
}

void QueueState::ForgetLetter(const DeadKey& key) {
  changes_->dead[key] = DeadRow{DeadRow::State::kGone, {}, {}, {}, 0};
  --dead_;
}

void QueueState::Apply(const LetterEndOp& op, MonoTime /*now*/) { ForgetLetter(op.letter); }

bool QueueState::LeavesLetters(const DeadKey& key) const {
  for (const Changes* changes : {static_cast<const Changes*>(changes_.get()), checkpointing_.get()}) {
    if (changes == nullptr) {
      continue;
    }
    if (const auto row = changes->dead.find(key); row != changes->dead.end()) {
      return row->second.state != DeadRow::State::kDead;
    }
  }
  return false;
}

void QueueState::Apply(const SuspectRetryOp& op, MonoTime /*now*/) {
  Suspects::Entry* entry = suspects_.Find(op.suspect);
  if (entry == nullptr) {
    return;
  }
  entry->retrying = true;
  RowFor(*changes_, op.suspect).retrying = true;
  Prepare(op.suspect.destination, op.batch);
}

void QueueState::Apply(const SuspectEndOp& op, MonoTime now) {
  const Suspects::Entry* found = suspects_.Find(op.suspect);
  if (found == nullptr) {
    return;
  }
  const Suspects::Entry entry = *found;
  const DeadKey& key = op.suspect;
  const std::int64_t id = ForgetSuspect(key);
  if (op.outcome == Outcome::kRejected) {
    Count(entry.received_hour, entry.stream, key.destination, LedgerCode(Outcome::kRejected), "", 0, 1);
  }
  const Member member{key.sequence, entry.stream, key.record, 1, entry.total_records, entry.received_hour};
  SettleRecords(PartialKey{key.destination, key.lane, key.sequence}, member, 1, op.outcome);
  if (op.dead_letter) {
    changes_->dead[key] = DeadRow{DeadRow::State::kDead, *op.dead_letter, op.batch_key, op.at, id};
    ++dead_;
    KeptSince(now);
  }
  // Without a letter only the log says how it ended.
  changes_->settled.push_back(SettledRow{key.destination, key.lane, op.batch_key, "", key.sequence, key.sequence, 1, 1,
                                         1, op.at, op.http_status, op.provider_request_id, op.attempts, false, 0});
}

std::shared_ptr<const SuspectContent> QueueState::UncheckpointedSuspect(const DeadKey& key) const {
  for (const Changes* changes : {static_cast<const Changes*>(changes_.get()), checkpointing_.get()}) {
    if (changes == nullptr) {
      continue;
    }
    const auto row = changes->suspects.find(key);
    if (row != changes->suspects.end() && row->second.content) {
      return row->second.content;
    }
  }
  return nullptr;
}

std::optional<StoredMessage> QueueState::UncheckpointedSuspectMessage(Lane lane, Sequence sequence) const {
  for (auto at = suspects_.all().lower_bound(DeadKey{lane, sequence, 0, 0});
       at != suspects_.all().end() && at->first.lane == lane && at->first.sequence == sequence; ++at) {
    if (const auto content = UncheckpointedSuspect(at->first)) {
      Result<StoredMessage> stored = DecodeMessage(content->new_suspect.message, sequence);
      return stored ? std::optional(*std::move(stored)) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::uint64_t QueueState::UncheckpointedSuspects() const {
  std::set<std::pair<Lane, Sequence>> messages;
  for (const Changes* changes : {static_cast<const Changes*>(changes_.get()), checkpointing_.get()}) {
    if (changes == nullptr) {
      continue;
    }
    for (const auto& [key, row] : changes->suspects) {
      if (row.content && key.sequence > stored_through_[At(key.lane)]) {
        messages.insert({key.lane, key.sequence});
      }
    }
  }
  return messages.size();
}

// What is left of a lane's ranges was never taken: beyond it, everything was. A range that begins right behind another
// one was cut from it and is untouched.
Sequence QueueState::HighestTaken(DestinationId destination, Lane lane) const {
  const PendingRanges* pending = FindPendingRanges(destination, lane);
  if (pending == nullptr) {
    return 0;
  }
  Sequence highest = 0;
  Sequence touches = 0;  // where a range begins that was cut from the one before
  for (const PendingRange& range : pending->ranges) {
    if (range.from != touches) {
      highest = range.from - 1;
    }
    touches = range.through.value_or(0) + 1;
  }
  return highest;
}

}  // namespace packhorse::queue
