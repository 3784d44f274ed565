// What the loop moves: prepare, settle, replay. Each is checked and made complete first, then it becomes an
// operation, which cannot fail.

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "queue/queue_impl.h"
#include "queue/segment/message_codec.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

// Messages that a prepare takes out of the pending range.
std::uint64_t MessagesOf(const PrepareRequest& request) {
  std::vector<Sequence> sequences;
  for (const auto& batch : request.batches) {
    for (const Member& member : batch->members) {
      sequences.push_back(member.sequence);
    }
  }
  for (const Resolution& resolution : request.resolutions) {
    sequences.push_back(resolution.sequence);
  }
  std::sort(sequences.begin(), sequences.end());
  return static_cast<std::uint64_t>(std::unique(sequences.begin(), sequences.end()) - sequences.begin());
}

bool HasMembers(const std::vector<std::unique_ptr<PreparedBatch>>& batches) {
  return std::none_of(batches.begin(), batches.end(), [](const auto& batch) { return batch->members.empty(); });
}

// What a settlement says about one member of the batch.
struct MemberTally {
  std::set<std::uint32_t> named;  // dead, set aside or skipped
  std::uint32_t new_suspect = 0;
  std::uint32_t moved = 0;  // records that are in a successor
};

// Every record of the batch is delivered, dead, set aside, skipped, or in exactly one successor, and nothing else is
// named.
Status CheckSettlement(const QueueState& state, const QueueState::Unsettled& unsettled, const Settlement& settlement) {
  const std::vector<Member>& members = unsettled.batch->members;
  std::vector<MemberTally> tallies(members.size());
  const auto find = [&](Sequence sequence, std::uint32_t record) -> MemberTally* {
    const auto after =
        std::upper_bound(members.begin(), members.end(), std::pair(sequence, record),
                         [](const auto& at, const Member& m) { return at < std::pair(m.sequence, m.first_record); });
    if (after == members.begin()) {
      return nullptr;
    }
    const auto member = after - 1;
    const bool inside = member->sequence == sequence && record < member->first_record + member->records;
    return inside ? &tallies[static_cast<std::size_t>(member - members.begin())] : nullptr;
  };
  for (const DeadRecord& record : settlement.dead) {
    MemberTally* tally = find(record.sequence, record.record);
    if (tally == nullptr || !tally->named.insert(record.record).second) {
      return Refused("a dead record is not of this batch, or named twice");
    }
  }
  for (const SetAsideRecord& record : settlement.set_aside) {
    MemberTally* tally = find(record.sequence, record.record);
    if (tally == nullptr || !tally->named.insert(record.record).second) {
      return Refused("a record that is set aside is not of this batch, or named twice");
    }
    ++tally->new_suspect;
  }
  for (const SkippedRecord& record : settlement.skipped) {
    MemberTally* tally = find(record.sequence, record.record);
    if (tally == nullptr || !tally->named.insert(record.record).second) {
      return Refused("a skipped record is not of this batch, or named twice");
    }
  }
  for (const auto& successor : settlement.successors) {
    for (const Member& member : successor->members) {
      MemberTally* tally = find(member.sequence, member.first_record);
      if (tally == nullptr) {
        return Refused("a successor carries a record that is not of this batch");
      }
      tally->moved += member.records;
    }
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Member& member = members[i];
    const MemberTally& tally = tallies[i];
    if (tally.named.size() + tally.moved > member.records) {
      return Refused("a settlement names more records than the batch has");
    }
    bool exists = false;
    const Partial partial =
        state.FindPartial(PartialKey{unsettled.destination, unsettled.batch->lane, member.sequence}, exists);
    if (partial.settled + member.records - tally.moved - tally.new_suspect > member.total_records) {
      return Refused("message " + std::to_string(member.sequence) + " would settle more records than it has");
    }
  }
  return {};
}

}  // namespace

void QueueImpl::CompleteLocked(std::function<void()> completion) {
  completions_.push_back(std::move(completion));
  Wake();
}

BatchPtr QueueImpl::AssignLocked(std::unique_ptr<PreparedBatch> batch) {
  batch->id = batch->replay != 0 ? state_->replays().TakeBatchId() : state_->TakeBatchId();
  return BatchPtr(std::move(batch));
}

void QueueImpl::CountDropped(StreamId stream, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  CountDroppedLocked(stream, HourOf(clock_.Wall()), reason);
}

void QueueImpl::CountDroppedLocked(StreamId stream, std::int32_t hour, std::string_view reason) {
  CountOp op;
  for (const DestinationId destination : state_->Recipients(stream, state_->LaneOf(stream))) {
    op.changes[LedgerKey{hour, stream, destination, kLedgerReceived, ""}].messages += 1;
    op.changes[LedgerKey{hour, stream, destination, LedgerCode(Outcome::kDropped), std::string(reason)}].messages += 1;
  }
  store_->PostLocked(op, [](const Status&) {});
}

void QueueImpl::CountUnrouted() {
  const std::lock_guard lock(mutex_);
  CountOp op;
  op.changes[LedgerKey{HourOf(clock_.Wall()), 0, 0, kLedgerUnrouted, ""}].messages += 1;
  store_->PostLocked(op, [](const Status&) {});
}

Result<std::vector<Ending>> QueueImpl::EndingsOf(const PrepareRequest& request) {
  std::vector<Ending> endings;
  for (const Resolution& resolution : request.resolutions) {
    std::optional<RawMessage> message = resolution.message;
    if (!message) {
      Result<StoredMessage> stored = Read(request.lane, resolution.sequence);
      if (!stored) {
        return stored.error().With("resolve");
      }
      message = std::move(stored->message);
    }
    Ending ending{resolution.sequence,
                  message->stream,
                  HourOf(message->received_at),
                  resolution.outcome,
                  resolution.reason,
                  resolution.detail,
                  ""};
    if (ending.outcome == Outcome::kQuarantined) {
      ending.message = EncodeMessage(resolution.sequence, *message);
    }
    endings.push_back(std::move(ending));
  }
  return endings;
}

void QueueImpl::Prepare(PrepareRequest request, std::function<void(Result<std::vector<BatchId>>)> done) {
  if (request.replay != 0) {
    PrepareReplay(std::move(request), std::move(done));
    return;
  }
  Result<std::vector<Ending>> endings = EndingsOf(request);
  std::unique_lock lock(mutex_);
  const auto refuse = [&](const Error& error) {
    CompleteLocked([done, error = error.With("prepare")] { done(error); });
  };
  if (!endings) {
    refuse(endings.error());
    return;
  }
  const std::optional<DestinationId> id = state_->FindDestination(request.destination);
  if (!id) {
    refuse(Refused("no destination \"" + request.destination + "\""));
    return;
  }
  const std::vector<PendingRange>& ranges = state_->pending_ranges(*id, request.lane).ranges;
  const auto range = std::find_if(ranges.begin(), ranges.end(), [&](const PendingRange& each) {
    return each.from <= request.from && request.from <= each.through.value_or(kMaxSequence);
  });
  if (range == ranges.end() || request.through < request.from ||
      request.through > std::min(range->through.value_or(kMaxSequence), state_->last(request.lane))) {
    refuse(Refused(std::to_string(request.from) + ".." + std::to_string(request.through) + " is not what is pending"));
    return;
  }
  const std::uint64_t messages = MessagesOf(request);
  if (messages > range->waiting || !HasMembers(request.batches)) {
    refuse(Refused("more messages than wait, or a batch without members"));
    return;
  }
  if (Status decided = DecideStampsLocked(request.lane, request.through); !decided) {
    refuse(decided.error());
    return;
  }
  PrepareOp op{*id, request.lane, range->id, request.through, messages, *std::move(endings), {}, clock_.Wall()};
  if (request.from > range->from) {
    if (Status cut = CutForPrepare(lock, request, PendingRange(*range), op); !cut) {
      refuse(cut.error());
      return;
    }
  }
  std::vector<BatchId> ids;
  for (auto& batch : request.batches) {
    op.batches.push_back(AssignLocked(std::move(batch)));
    ids.push_back(op.batches.back()->id);
  }
  store_->PostLocked(op, [this, done = std::move(done), ids = std::move(ids)](const Status& status) {
    CompleteLocked([done, ids, status] { done(status ? Result<std::vector<BatchId>>(ids) : status.error()); });
  });
}

bool QueueImpl::Split(const std::string& destination, Lane lane, std::chrono::milliseconds age) {
  const std::optional<WallTime> oldest = OldestWaiting(destination, {lane, Part::kLive});
  if (!oldest || clock_.Wall() - *oldest < age) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  const std::optional<DestinationId> id = state_->FindDestination(destination);
  const std::vector<PendingRange>& ranges = state_->pending_ranges(*id, lane).ranges;
  const auto backlogs = std::count_if(ranges.begin(), ranges.end(), [](const PendingRange& range) {
    return range.through.has_value() && range.waiting > 0;
  });
  if (static_cast<std::size_t>(backlogs) >= kMaxBacklogs) {
    return false;
  }
  store_->PostLocked(SplitOp{*id, lane, state_->last(lane) + 1, state_->TakeRangeId()}, [](const Status&) {});
  return true;
}

Result<std::vector<NewDeadLetter>> QueueImpl::NewDeadLettersOf(const Settlement& settlement,
                                                               const PreparedBatch& batch) {
  std::vector<NewDeadLetter> dead_letters;
  for (const DeadRecord& record : settlement.dead) {
    if (batch.replay != 0) {
      dead_letters.push_back(NewDeadLetter{record, 0, 0, ""});  // counted only
      continue;
    }
    const Result<StoredMessage> stored = Read(batch.lane, record.sequence);
    if (!stored) {
      return stored.error().With("dead letter");
    }
    std::uint32_t total = 1;
    for (const Member& member : batch.members) {
      if (member.sequence == record.sequence) {
        total = member.total_records;
      }
    }
    dead_letters.push_back(
        NewDeadLetter{record, stored->message.stream, total, EncodeMessage(record.sequence, stored->message)});
  }
  return dead_letters;
}

void QueueImpl::Settle(Settlement settlement, std::function<void(Result<std::vector<BatchId>>)> done) {
  std::optional<QueueState::Unsettled> unsettled;
  {
    const std::lock_guard lock(mutex_);
    if (const QueueState::Unsettled* found = state_->FindUnsettled(settlement.batch)) {
      unsettled = *found;
    }
  }
  Result<std::vector<NewDeadLetter>> dead_letters =
      unsettled ? NewDeadLettersOf(settlement, *unsettled->batch)
                : Error{ErrorCode::kNotFound, "no prepared batch " + std::to_string(settlement.batch)};
  Result<std::vector<NewSuspect>> new_suspects = dead_letters ? NewSuspectsOf(settlement, *unsettled->batch)
                                                              : Result<std::vector<NewSuspect>>(dead_letters.error());
  const std::lock_guard lock(mutex_);
  Status checked = new_suspects ? CheckSettlement(*state_, *unsettled, settlement) : Status(new_suspects.error());
  if (checked && !HasMembers(settlement.successors)) {
    checked = Refused("a successor without members");
  }
  if (!checked) {
    CompleteLocked([done, error = checked.error().With("settle")] { done(error); });
    return;
  }
  SettleOp op{settlement.batch,
              *std::move(dead_letters),
              {},
              settlement.http_status,
              settlement.provider_request_id,
              settlement.attempts,
              settlement.possible_duplicate,
              clock_.Wall(),
              *std::move(new_suspects),
              std::move(settlement.skipped),
              std::move(settlement.id_hashes),
              std::move(settlement.sums)};
  std::vector<BatchId> ids;
  for (auto& successor : settlement.successors) {
    successor->suspect = unsettled->batch->suspect;
    op.successors.push_back(AssignLocked(std::move(successor)));
    ids.push_back(op.successors.back()->id);
  }
  store_->PostLocked(op, [this, done = std::move(done), ids = std::move(ids)](const Status& status) {
    CompleteLocked([done, ids, status] { done(status ? Result<std::vector<BatchId>>(ids) : status.error()); });
  });
}

// The database is at the present: what the letters are is read from it.
Result<RedriveOp> QueueImpl::PrepareReplay(const std::vector<std::int64_t>& ids, const PreparedBatch& batch) {
  RETURN_IF_ERROR(store_->Barrier());
  RedriveOp op;
  {
    const std::lock_guard lock(mutex_);
    const std::optional<DestinationId> id = state_->FindDestination(batch.destination);
    if (!id || batch.members.empty()) {
      return Refused("a replay without a destination or without records");
    }
    op.destination = *id;
  }
  std::map<Sequence, std::set<std::uint32_t>> replayed;
  for (const std::int64_t id : ids) {
    const Result<DeadKey> key = reader_.FindDeadKey(id);
    RETURN_IF_ERROR(key);
    if (key->destination != op.destination || key->lane != batch.lane ||
        !replayed[key->sequence].insert(key->record).second) {
      return Refused("dead letter " + std::to_string(id) + " is of another destination or lane, or named twice");
    }
    op.letters.push_back(*key);
  }
  std::set<Sequence> seen;
  for (const Member& member : batch.members) {
    if (!replayed.contains(member.sequence)) {
      return Refused("a replay names more records than there are dead letters");
    }
    if (!seen.insert(member.sequence).second) {
      continue;
    }
    const Result<std::vector<std::uint32_t>> dead = reader_.DeadRecords(op.destination, batch.lane, member.sequence);
    RETURN_IF_ERROR(dead);
    const bool others = dead->size() > replayed[member.sequence].size();
    const bool whole = replayed[member.sequence].size() == member.total_records;
    const Outcome rest = others ? Outcome::kRejected : whole ? Partial().worst : Outcome::kDelivered;
    op.messages.push_back({member.sequence, rest});
  }
  return op;
}

void QueueImpl::RedriveDead(std::vector<std::int64_t> ids, std::unique_ptr<PreparedBatch> batch,
                            std::function<void(Result<BatchId>)> done) {
  Result<RedriveOp> op = PrepareReplay(ids, *batch);
  const std::lock_guard lock(mutex_);
  if (op && std::any_of(op->letters.begin(), op->letters.end(),
                        [&](const DeadKey& key) { return state_->LeavesLetters(key); })) {
    op = Error{ErrorCode::kNotFound, "a dead letter was dropped, or is being replayed"};
  }
  if (!op) {
    CompleteLocked([done, error = op.error().With("replay")] { done(error); });
    return;
  }
  op->batch = AssignLocked(std::move(batch));
  const BatchId id = op->batch->id;
  store_->PostLocked(*std::move(op), [this, id, done = std::move(done)](const Status& status) {
    CompleteLocked([done, id, status] { done(status ? Result<BatchId>(id) : status.error()); });
  });
}

void QueueImpl::DropDead(std::int64_t id, std::function<void(const Status&)> done) {
  Result<DeadKey> key = Noted(reader_.FindDeadKey(id));
  const std::lock_guard lock(mutex_);
  if (key && state_->LeavesLetters(*key)) {
    key = Error{ErrorCode::kNotFound, "dead letter " + std::to_string(id) + " does not exist or is being replayed"};
  }
  if (!key) {
    CompleteLocked([done, status = Status(key.error())] { done(status); });
    return;
  }
  store_->PostLocked(LetterEndOp{*key}, [this, done = std::move(done)](const Status& status) {
    CompleteLocked([done, status] { done(status); });
  });
}

}  // namespace packhorse::queue
