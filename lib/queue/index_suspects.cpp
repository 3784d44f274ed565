// What becomes of records that are set aside.

#include <algorithm>
#include <utility>

#include "queue/index.h"
#include "queue/message_codec.h"

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

void Index::SetAside(const Unsettled& unsettled, const Aside& aside, WallTime at, MonoTime now) {
  const FrozenBatch& batch = *unsettled.batch;
  const DeadKey key{batch.lane, aside.what.sequence, unsettled.destination, aside.what.record};
  const Suspects::Entry* before = suspects_.Find(key);
  Suspects::Entry entry{
      before != nullptr ? before->id : TakeLetterId(), aside.stream, aside.total_records, aside.received_hour,
      StampOf(aside.message, aside.what.sequence),     false};
  if (batch.replayed) {
    ForgetLetter(key);
  }
  SuspectRow& row = RowFor(*changes_, key);
  row.retrying = false;
  row.content = std::make_shared<const SuspectContent>(
      SuspectContent{entry.id, aside, batch.idempotency_key, at, aside.what.keep_batch ? unsettled.batch : BatchPtr()});
  suspects_.Put(key, std::move(entry));
  KeptSince(now);
}

std::int64_t Index::ForgetSuspect(const DeadKey& key) {
  const Suspects::Entry* entry = suspects_.Find(key);
  if (entry == nullptr) {
    return TakeLetterId();
  }
  const std::int64_t id = entry->id;
  changes_->suspects[key] = SuspectRow{true, false, nullptr};
  suspects_.Remove(key);
  return id;
}

void Index::ForgetLetter(const DeadKey& key) {
  changes_->dead[key] = DeadRow{DeadRow::State::kGone, {}, {}, {}, 0};
  --dead_;
}

void Index::Apply(const SuspectRetryOp& op, MonoTime /*now*/) {
  Suspects::Entry* entry = suspects_.Find(op.suspect);
  if (entry == nullptr) {
    return;
  }
  entry->retrying = true;
  RowFor(*changes_, op.suspect).retrying = true;
  Freeze(op.suspect.destination, op.batch);
}

void Index::Apply(const SuspectEndOp& op, MonoTime now) {
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
  if (op.burial) {
    changes_->dead[key] = DeadRow{DeadRow::State::kDead, *op.burial, op.batch_key, op.at, id};
    ++dead_;
    KeptSince(now);
  }
  // Without a letter only the log says how it ended.
  changes_->settled.push_back(SettledRow{key.destination, key.lane, op.batch_key, "", key.sequence, key.sequence, 1, 1,
                                         1, op.at, op.http_status, op.provider_request_id, op.attempts, false, 0});
}

std::shared_ptr<const SuspectContent> Index::UnfoldedSuspect(const DeadKey& key) const {
  for (const Changes* changes : {static_cast<const Changes*>(changes_.get()), folding_.get()}) {
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

std::optional<StoredMessage> Index::UnfoldedSuspectMessage(Lane lane, Sequence sequence) const {
  for (auto at = suspects_.all().lower_bound(DeadKey{lane, sequence, 0, 0});
       at != suspects_.all().end() && at->first.lane == lane && at->first.sequence == sequence; ++at) {
    if (const auto content = UnfoldedSuspect(at->first)) {
      Result<StoredMessage> stored = DecodeMessage(content->aside.message, sequence);
      return stored ? std::optional(*std::move(stored)) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::uint64_t Index::UnfoldedSuspects() const {
  std::set<std::pair<Lane, Sequence>> messages;
  for (const Changes* changes : {static_cast<const Changes*>(changes_.get()), folding_.get()}) {
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
Sequence Index::HighestTaken(DestinationId destination, Lane lane) const {
  const Backlog* backlog = FindBacklog(destination, lane);
  if (backlog == nullptr) {
    return 0;
  }
  Sequence highest = 0;
  Sequence touches = 0;  // where a range begins that was cut from the one before
  for (const Range& range : backlog->ranges) {
    if (range.from != touches) {
      highest = range.from - 1;
    }
    touches = range.through.value_or(0) + 1;
  }
  return highest;
}

}  // namespace packhorse::queue
