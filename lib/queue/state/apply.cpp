// How operations change the state. Nothing here can fail: what could go wrong was checked before the operation was
// made.

#include <algorithm>
#include <chrono>

#include "queue/state/queue_state.h"
#include "queue/values/limit_report.h"

namespace packhorse::queue {
namespace {

// A segment in memory takes messages for at most this long and this many bytes, so that what is delivered soon and what
// is not do not share one for long.
constexpr auto kSegmentAge = std::chrono::milliseconds(200);
constexpr std::size_t kSegmentBytes = 64U << 10U;

// Rows of the log of settled batches that wait for a checkpoint, as many as the database keeps. Then the older half
// goes.
constexpr std::ptrdiff_t kMaxLogged = 10'000;

std::string LaneReason(Lane lane) { return std::string(1, Letter(lane)); }

SettledRow LogRow(DestinationId destination, const PreparedBatch& batch, const SettleOp& op) {
  return SettledRow{destination,
                    batch.lane,
                    batch.idempotency_key,
                    batch.trace_id,
                    batch.members.front().sequence,
                    batch.members.back().sequence,
                    batch.members.size(),
                    batch.records,
                    op.dead_letters.size(),
                    op.at,
                    op.http_status,
                    op.provider_request_id,
                    op.attempts,
                    op.possible_duplicate,
                    batch.replay};
}

void Log(std::vector<SettledRow>& log, SettledRow row) {
  if (std::ssize(log) >= kMaxLogged) {
    log.erase(log.begin(), log.begin() + kMaxLogged / 2);
  }
  log.push_back(std::move(row));
}

bool Carries(const PreparedBatch& batch, Sequence sequence, std::uint32_t record) {
  return std::any_of(batch.members.begin(), batch.members.end(), [&](const Member& member) {
    return member.sequence == sequence && record >= member.first_record &&
           record < member.first_record + member.records;
  });
}

bool IsBuried(const SettleOp& op, Sequence sequence, std::uint32_t record) {
  return std::any_of(op.dead_letters.begin(), op.dead_letters.end(), [&](const NewDeadLetter& dead_letter) {
    return dead_letter.record.sequence == sequence && dead_letter.record.record == record;
  });
}

bool IsSetAside(const SettleOp& op, Sequence sequence, std::uint32_t record) {
  return std::any_of(op.new_suspects.begin(), op.new_suspects.end(), [&](const NewSuspect& new_suspect) {
    return new_suspect.what.sequence == sequence && new_suspect.what.record == record;
  });
}

// Null: it is not skipped.
const SkippedRecord* FindSkipped(const SettleOp& op, Sequence sequence, std::uint32_t record) {
  const auto found = std::find_if(op.skipped.begin(), op.skipped.end(), [&](const SkippedRecord& skipped) {
    return skipped.sequence == sequence && skipped.record == record;
  });
  return found == op.skipped.end() ? nullptr : &*found;
}

}  // namespace

bool QueueState::IsDelivered(const SettleOp& op, Sequence sequence, std::uint32_t record) {
  return !IsBuried(op, sequence, record) && !IsSetAside(op, sequence, record) &&
         FindSkipped(op, sequence, record) == nullptr &&
         std::none_of(op.successors.begin(), op.successors.end(),
                      [&](const BatchPtr& successor) { return Carries(*successor, sequence, record); });
}

void QueueState::CountEnd(DestinationId destination, Lane lane, StreamId stream, std::int32_t hour, Outcome outcome,
                          std::string_view reason) {
  Count(0, stream, destination, kLedgerPending, LaneReason(lane), -1, 0);
  Count(hour, stream, destination, LedgerCode(outcome), reason, 1, 0);
}

void QueueState::KeptSince(MonoTime now) {
  if (!changes_->kept_since) {
    changes_->kept_since = now;
  }
}

void QueueState::Quarantine(Lane lane, Sequence sequence, QuarantineRow&& row, MonoTime now) {
  if (changes_->quarantine.try_emplace({lane, sequence}, std::move(row)).second) {
    ++quarantined_;
  }
  KeptSince(now);
}

const CounterCache& QueueState::CountersFor(StreamId stream, Lane lane, std::int32_t hour) {
  if (counter_cache_.valid && counter_cache_.stream == stream && counter_cache_.lane == lane &&
      counter_cache_.hour == hour) {
    return counter_cache_;
  }
  counter_cache_ = CounterCache{true, stream, lane, hour, IsOwn(stream), {}, std::move(counter_cache_.counted)};
  for (const DestinationId destination : Recipients(stream, lane)) {
    const std::string reason = LaneReason(lane);
    counter_cache_.counts.push_back(
        CachedCounters{&totals_[LedgerKey{0, stream, destination, kLedgerReceived, ""}],
                       &totals_[LedgerKey{0, stream, destination, kLedgerPending, reason}],
                       &changes_->ledger[LedgerKey{hour, stream, destination, kLedgerReceived, ""}],
                       &changes_->ledger[LedgerKey{0, stream, destination, kLedgerPending, reason}],
                       &pending_ranges(destination, lane), destination});
  }
  return counter_cache_;
}

// A text grows by doubling: without giving back what is left over, the cache would hold up to twice its bytes.
void QueueState::CloseSegment(Lane lane) {
  if (RamSegmentPtr& open = open_[At(lane)]) {
    open->messages.Close();
    open.reset();
  }
}

RamSegment& QueueState::OpenSegment(Lane lane, Sequence sequence, MonoTime now) {
  RamSegmentPtr& open = open_[At(lane)];
  if (!open || now - open->born >= kSegmentAge || open->messages.plain().size() >= kSegmentBytes) {
    CloseSegment(lane);
    open = std::make_shared<RamSegment>(sequence, now);
    cache_[At(lane)].push_back(open);
  }
  return *open;
}

bool QueueState::ApplyArrival(Lane lane, Sequence sequence, const RawMessage& message, std::string_view reason,
                              std::string_view detail, MonoTime now) {
  numbers_[At(lane)].next = sequence + 1;
  const std::int32_t hour = HourOf(message.received_at);
  const bool quarantined = !reason.empty();
  if (quarantined) {
    Quarantine(lane, sequence,
               QuarantineRow{message.stream, message.received_at, std::string(reason), std::string(detail),
                             EncodeMessage(sequence, message)},
               now);
  }
  bool wanted = false;
  bool wake = false;
  for (const CachedCounters& count : CountersFor(message.stream, lane, hour).counts) {
    ++count.total_received->messages;
    ++count.received->messages;
    if (quarantined) {
      Count(hour, message.stream, count.destination, LedgerCode(Outcome::kQuarantined), reason, 1, 0);
      QuarantineFor(count.destination, lane, sequence, reason);
      continue;
    }
    std::vector<PendingRange>& ranges = count.ranges->ranges;
    if (ranges.empty() || ranges.back().through) {
      continue;  // cannot be: who is subscribed has an open range
    }
    wanted = true;
    ++count.total_pending->messages;
    pending_ += counter_cache_.own ? 0 : 1;
    ++count.pending->messages;
    wake = wake || count.ranges->waiting(count.ranges->wake_part) + 1 == count.ranges->wake_at;
    if (count.ranges->waiting() == 0) {
      // What was before is settled: the range begins here.
      DropEmptyRanges(count.destination, lane);
      ranges.back().from = std::max(ranges.back().from, sequence);
    }
    ++ranges.back().waiting;
    SaveRange(count.destination, lane, ranges.back(), false);
  }
  if (wanted) {
    RamSegment& segment = OpenSegment(lane, sequence, now);
    segment.messages.Add(sequence, message);
    if (std::find(segment.streams.begin(), segment.streams.end(), message.stream) == segment.streams.end()) {
      segment.streams.push_back(message.stream);
    }
  }
  return wake;
}

void QueueState::DropEmptyRanges(DestinationId destination, Lane lane) {
  std::erase_if(pending_ranges(destination, lane).ranges, [&](const PendingRange& range) {
    const bool empty = range.through && range.waiting == 0;
    if (empty) {
      SaveRange(destination, lane, range, true);
    }
    return empty;
  });
}

void QueueState::SaveRange(DestinationId destination, Lane lane, const PendingRange& range, bool gone) {
  changes_->ranges[range.id] = RangeRow{destination, lane, range.from, range.through, range.waiting, gone};
}

void QueueState::Prepare(DestinationId destination, const BatchPtr& batch) {
  AddUnsettled(destination, batch);
  changes_->batches[batch->id] = BatchRow{destination, batch};
}

void QueueState::CutRange(DestinationId destination, Lane lane, std::int64_t id, Sequence through,
                          std::uint64_t messages) {
  std::vector<PendingRange>& ranges = pending_ranges(destination, lane).ranges;
  const auto range =
      std::find_if(ranges.begin(), ranges.end(), [&](const PendingRange& each) { return each.id == id; });
  if (range == ranges.end()) {
    return;
  }
  range->from = through + 1;
  range->waiting -= std::min(range->waiting, messages);
  const bool exhausted = range->through && through >= *range->through;
  SaveRange(destination, lane, *range, exhausted);
  if (exhausted) {
    ranges.erase(range);
  }
}

void QueueState::Apply(const Operation& operation, MonoTime now) {
  std::visit([&](const auto& op) { Apply(op, now); }, operation);
}

void QueueState::Apply(const ArrivalOp& op, MonoTime now) {
  ApplyArrival(op.lane, op.sequence, op.message, op.reason, op.detail, now);
}

void QueueState::Apply(const CountOp& op, MonoTime /*now*/) {
  for (const auto& [key, count] : op.changes) {
    Count(key.hour, key.stream, key.destination, key.outcome, key.reason, count.messages, count.records);
  }
}

void QueueState::Apply(const PrepareOp& op, MonoTime now) {
  CutRange(op.destination, op.lane, op.range, op.through, op.messages);
  for (const BatchPtr& batch : op.batches) {
    Prepare(op.destination, batch);
  }
  for (const Ending& ending : op.endings) {
    if (ending.outcome == Outcome::kQuarantined) {
      Quarantine(op.lane, ending.sequence,
                 QuarantineRow{ending.stream, op.at, ending.reason, ending.detail, ending.message}, now);
      QuarantineFor(op.destination, op.lane, ending.sequence, ending.reason);
    }
    CountEnd(op.destination, op.lane, ending.stream, ending.received_hour, ending.outcome, ending.reason);
  }
  DropCached(op.lane);
}

void QueueState::SettleMember(const Unsettled& unsettled, const Member& member, const SettleOp& op) {
  std::uint32_t dead = 0;
  std::uint32_t skipped = 0;
  std::uint32_t delivered = 0;
  std::string_view why;  // of what is skipped
  for (std::uint32_t record = member.first_record; record < member.first_record + member.records; ++record) {
    if (!op.dead_letters.empty() && IsBuried(op, member.sequence, record)) {
      ++dead;
    } else if (const SkippedRecord* passed_over = FindSkipped(op, member.sequence, record);
               passed_over != nullptr || IsDelivered(op, member.sequence, record)) {
      ++(passed_over != nullptr ? skipped : delivered);
      if (passed_over != nullptr) {
        why = passed_over->reason;
        Count(member.received_hour, member.stream, unsettled.destination, LedgerCode(Outcome::kSkipped), why, 0, 1);
      }
      const DeadKey key{unsettled.batch->lane, member.sequence, unsettled.destination, record};
      if (unsettled.batch->replayed) {
        ForgetLetter(key);
      } else if (unsettled.batch->suspect) {
        ForgetSuspect(key);
      }
    }
  }
  const DestinationId destination = unsettled.destination;
  if (delivered > 0) {
    Count(member.received_hour, member.stream, destination, LedgerCode(Outcome::kDelivered), "", 0, delivered);
  }
  if (dead > 0) {
    Count(member.received_hour, member.stream, destination, LedgerCode(Outcome::kRejected), "", 0, dead);
  }
  if (delivered + dead + skipped == 0) {
    return;
  }
  SettleRecords(PartialKey{destination, unsettled.batch->lane, member.sequence}, member, delivered + dead + skipped,
                dead > 0        ? Outcome::kRejected
                : delivered > 0 ? Outcome::kDelivered
                                : Outcome::kSkipped,
                why);
}

void QueueState::SettleRecords(const PartialKey& key, const Member& member, std::uint32_t records, Outcome worst,
                               std::string_view why_skipped) {
  bool exists = false;
  Partial partial = FindPartial(key, exists);
  partial.settled += records;
  partial.worst = WorseOf(partial.worst, worst);
  if (partial.settled < member.total_records) {
    partials_[key] = partial;
    changes_->partials[key] = partial;
    return;
  }
  // Of a message that was in batches, only suspects are dropped.
  const std::string_view reason = partial.worst == Outcome::kDropped   ? kMaxBytes
                                  : partial.worst == Outcome::kSkipped ? why_skipped
                                                                       : "";
  CountEnd(key.destination, key.lane, member.stream, member.received_hour, partial.worst, reason);
  LeaveQuarantine(key);
  if (exists) {
    partials_.erase(key);
    changes_->partials[key] = Partial{};
  }
}

// Prepared and settled between two checkpoints: the database never hears of it.
void QueueState::ForgetBatch(DestinationId destination, BatchId id) {
  const auto changed = changes_->batches.find(id);
  if (changed != changes_->batches.end() && changed->second.batch) {
    changes_->batches.erase(changed);
  } else {
    changes_->batches[id] = BatchRow{destination, nullptr};
  }
}

void QueueState::Apply(const SettleOp& op, MonoTime now) {
  const Unsettled* found = FindUnsettled(op.batch);
  if (found == nullptr) {
    return;
  }
  const Unsettled unsettled = *found;
  Log(changes_->settled, LogRow(unsettled.destination, *unsettled.batch, op));
  if (unsettled.batch->replay != 0) {
    SettleReplay(unsettled, op);
    return;
  }
  for (const Member& member : unsettled.batch->members) {
    SettleMember(unsettled, member, op);
  }
  for (const IdHash& hash : op.id_hashes) {
    LedgerCount& count = changes_->ledger[LedgerKey{hash.received_hour, hash.stream, unsettled.destination,
                                                    LedgerCode(Outcome::kDelivered), ""}];
    count.hashed += static_cast<std::int64_t>(hash.records);
    count.id_hash += hash.sum;
  }
  for (const FieldSum& sum : op.sums) {
    AddDelivered(changes_->sums[SumKey{unsettled.destination, sum.received_hour, sum.stream, sum.name}],
                 {sum.records, sum.sum});
  }
  for (const NewDeadLetter& dead_letter : op.dead_letters) {
    const DeadKey key{unsettled.batch->lane, dead_letter.record.sequence, unsettled.destination,
                      dead_letter.record.record};
    changes_->dead[key] =
        DeadRow{DeadRow::State::kDead, dead_letter, unsettled.batch->idempotency_key, op.at, ForgetSuspect(key)};
    dead_ += unsettled.batch->replayed ? 0 : 1;
    KeptSince(now);
  }
  for (const NewSuspect& new_suspect : op.new_suspects) {
    SetAside(unsettled, new_suspect, op.at, now);
  }
  for (const BatchPtr& successor : op.successors) {
    Prepare(unsettled.destination, successor);
  }
  ForgetBatch(unsettled.destination, op.batch);
  const Lane lane = unsettled.batch->lane;
  unsettled_.erase(op.batch);
  DropCached(lane);
}

void QueueState::Apply(const RedriveOp& op, MonoTime /*now*/) {
  for (const DeadKey& key : op.letters) {
    changes_->dead[key] = DeadRow{DeadRow::State::kReplaying, {}, {}, {}, 0};
  }
  const Lane lane = op.batch->lane;
  for (const RedriveOp::Message& message : op.messages) {
    std::uint32_t records = 0;
    const Member* member = nullptr;
    for (const Member& each : op.batch->members) {
      if (each.sequence == message.sequence) {
        records += each.records;
        member = &each;
      }
    }
    if (member == nullptr) {
      continue;
    }
    const PartialKey key{op.destination, lane, message.sequence};
    bool exists = false;
    Partial partial = FindPartial(key, exists);
    if (!exists) {
      partial.settled = member->total_records;
      Count(member->received_hour, member->stream, op.destination, LedgerCode(Outcome::kRejected), "", -1, 0);
      Count(0, member->stream, op.destination, kLedgerPending, LaneReason(lane), 1, 0);
    }
    partial.settled -= std::min(partial.settled, records);
    partial.worst = message.worst;
    Count(member->received_hour, member->stream, op.destination, LedgerCode(Outcome::kRejected), "", 0,
          -static_cast<std::int64_t>(records));
    if (partial.settled == 0) {
      partials_.erase(key);
    } else {
      partials_[key] = partial;
    }
    changes_->partials[key] = partial;
  }
  Prepare(op.destination, op.batch);
}

void QueueState::Apply(const SplitOp& op, MonoTime /*now*/) {
  DropEmptyRanges(op.destination, op.lane);
  std::vector<PendingRange>& ranges = pending_ranges(op.destination, op.lane).ranges;
  const auto range = std::find_if(ranges.begin(), ranges.end(), [&](const PendingRange& each) {
    return op.cut == 0 ? !each.through : each.id == op.cut;
  });
  if (range == ranges.end() || range->from >= op.at || range->waiting < op.moved) {
    return;
  }
  const PendingRange behind{op.range, op.at, range->through, op.moved};
  range->through = op.at - 1;
  range->waiting -= op.moved;
  SaveRange(op.destination, op.lane, *range, false);
  AddRange(op.destination, op.lane, behind);
  SaveRange(op.destination, op.lane, behind, false);
}

namespace {

const PendingRange* FindRange(const PendingRanges& pending, std::int64_t id) {
  const auto range = std::find_if(pending.ranges.begin(), pending.ranges.end(),
                                  [&](const PendingRange& each) { return each.id == id; });
  return range == pending.ranges.end() ? nullptr : &*range;
}

}  // namespace

void QueueState::Apply(const GiveUpOp& op, MonoTime /*now*/) {
  std::uint64_t messages = 0;
  for (const GiveUpOp::Count& count : op.counts) {
    const auto n = static_cast<std::int64_t>(count.messages);
    Count(0, count.stream, op.destination, kLedgerPending, LaneReason(op.lane), -n, 0);
    Count(count.received_hour, count.stream, op.destination, LedgerCode(op.outcome), op.reason, n, 0);
    messages += count.messages;
  }
  // From where the range begins: what is of other streams in between is not the destination's.
  if (const PendingRange* range = FindRange(pending_ranges(op.destination, op.lane), op.range)) {
    LogGivenUp(changes_->given_up[{op.destination, op.lane}],
               GivenUpRange{"", range->from, op.through, messages, op.outcome, op.reason, op.at, op.at});
  }
  CutRange(op.destination, op.lane, op.range, op.through, messages);
  DropCached(op.lane);
}

void QueueState::Apply(const ClockOp& op, MonoTime /*now*/) { clock_epochs_.Apply(op, changes_->boots); }

Status QueueState::Check(const Operation& operation) const {
  const auto refuse = [](const char* what) {
    return Error{ErrorCode::kCorrupt, std::string("journal: ") + what + " does not fit the database"};
  };
  const auto has_range = [&](DestinationId destination, Lane lane, std::int64_t id) {
    const PendingRanges* pending = FindPendingRanges(destination, lane);
    return pending != nullptr && std::any_of(pending->ranges.begin(), pending->ranges.end(),
                                             [&](const PendingRange& range) { return range.id == id; });
  };
  if (const auto* arrival = std::get_if<ArrivalOp>(&operation)) {
    return arrival->sequence >= numbers(arrival->lane).next ? Status() : refuse("an arrival");
  }
  if (const auto* prepare = std::get_if<PrepareOp>(&operation)) {
    return has_range(prepare->destination, prepare->lane, prepare->range) ? Status() : refuse("a batch");
  }
  if (const auto* settle = std::get_if<SettleOp>(&operation)) {
    return FindUnsettled(settle->batch) != nullptr ? Status() : refuse("a settlement");
  }
  if (const auto* prepared = std::get_if<ReplayPrepareOp>(&operation)) {
    return replays_.Find(prepared->replay) != nullptr ? Status() : refuse("a replay");
  }
  if (const auto* given = std::get_if<GiveUpOp>(&operation)) {
    return has_range(given->destination, given->lane, given->range) ? Status() : refuse("an expiry");
  }
  if (const auto* split = std::get_if<SplitOp>(&operation)) {
    const bool fits = split->cut == 0 || has_range(split->destination, split->lane, split->cut);
    return fits ? Status() : refuse("a cut");
  }
  if (const auto* retry = std::get_if<SuspectRetryOp>(&operation)) {
    return suspects_.Find(retry->suspect) != nullptr ? Status() : refuse("a suspect's retry");
  }
  if (const auto* end = std::get_if<SuspectEndOp>(&operation)) {
    return suspects_.Find(end->suspect) != nullptr ? Status() : refuse("a suspect's end");
  }
  if (const auto* clock = std::get_if<ClockOp>(&operation)) {
    return clock_epochs_.Check(*clock) ? Status() : refuse("a clock");
  }
  return {};
}

}  // namespace packhorse::queue
