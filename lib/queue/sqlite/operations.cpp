#include "queue/sqlite/operations.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace packhorse::queue {
namespace {

std::string LaneReason(Lane lane) { return std::string(1, Letter(lane)); }

// A message ends: out of pending, into its one outcome.
void CountEnd(Books& books, DestinationId destination, Lane lane, StreamId stream, std::int32_t hour, Outcome outcome,
              std::string_view reason) {
  books.Count(0, stream, destination, kLedgerPending, LaneReason(lane), -1, 0);
  books.Count(hour, stream, destination, LedgerCode(outcome), reason, 1, 0);
}

Status ApplyResolution(Books& books, DestinationId destination, Lane lane, const Resolution& resolution, WallTime now) {
  const Result<StoredMessage> stored = books.LoadMessage(lane, resolution.sequence);
  if (!stored) {
    return stored.error().With("resolve");
  }
  if (resolution.outcome == Outcome::kQuarantined) {
    Status kept = books.InsertQuarantine(lane, *stored, resolution.reason, resolution.detail, now);
    if (!kept) {
      return kept;
    }
  }
  CountEnd(books, destination, lane, stored->message.stream, HourOf(stored->message.received_at), resolution.outcome,
           resolution.reason);
  return {};
}

// What a settlement says about one member of the batch.
struct MemberTally {
  std::set<std::uint32_t> dead;
  std::uint32_t moved = 0;  // records that are in a successor
};

// Records of a message that were settled just now.
struct Settled {
  std::uint32_t delivered = 0;
  std::uint32_t dead = 0;
};

// Adds what was settled to the message's account and ends it when that was the last of its records.
Status AccountMember(Books& books, DestinationId destination, Lane lane, const Member& member, const Settled& settled) {
  if (settled.delivered > 0) {
    books.Count(member.received_hour, member.stream, destination, LedgerCode(Outcome::kDelivered), "", 0,
                settled.delivered);
  }
  if (settled.dead > 0) {
    books.Count(member.received_hour, member.stream, destination, LedgerCode(Outcome::kRejected), "", 0, settled.dead);
  }
  Result<Books::Partial> partial = books.LoadPartial(destination, lane, member.sequence);
  if (!partial) {
    return partial.error();
  }
  const bool existed = partial->exists;
  partial->settled += settled.delivered + settled.dead;
  if (settled.dead > 0) {
    partial->worst = std::max(partial->worst, Outcome::kRejected);
  }
  if (partial->settled > member.total_records) {
    return Error{ErrorCode::kInvalidArgument,
                 "message " + std::to_string(member.sequence) + " would settle more records than it has"};
  }
  if (partial->settled < member.total_records) {
    return settled.delivered + settled.dead > 0 ? books.SavePartial(destination, lane, member.sequence, *partial)
                                                : Status();
  }
  CountEnd(books, destination, lane, member.stream, member.received_hour, partial->worst, "");
  return existed ? books.DeletePartial(destination, lane, member.sequence) : Status();
}

Status BuryRecords(Books& books, const StoredBatch& stored, const Settlement& settlement, WallTime now) {
  for (const DeadRecord& record : settlement.dead) {
    const Result<StoredMessage> message = books.LoadMessage(stored.batch.lane, record.sequence);
    if (!message) {
      return message.error().With("dead letter");
    }
    std::uint32_t total = 1;
    for (const Member& member : stored.batch.members) {
      if (member.sequence == record.sequence) {
        total = member.total_records;
      }
    }
    Status buried = books.InsertDead(stored.destination, stored.batch.lane, record, total, stored.batch, *message, now);
    if (!buried) {
      return buried;
    }
  }
  return {};
}

using Tallies = std::map<std::pair<Sequence, std::uint32_t>, MemberTally>;  // by sequence and first record

Result<Tallies> TallyMembers(const FrozenBatch& batch, const Settlement& settlement) {
  Tallies tallies;
  for (const Member& member : batch.members) {
    tallies[{member.sequence, member.first_record}] = {};
  }
  const auto find = [&](Sequence sequence, std::uint32_t record) -> MemberTally* {
    auto it = tallies.upper_bound({sequence, record});
    if (it == tallies.begin()) {
      return nullptr;
    }
    --it;
    return it->first.first == sequence ? &it->second : nullptr;
  };
  for (const DeadRecord& record : settlement.dead) {
    MemberTally* tally = find(record.sequence, record.record);
    if (tally == nullptr || !tally->dead.insert(record.record).second) {
      return Error{ErrorCode::kInvalidArgument, "a dead record is not of this batch, or named twice"};
    }
  }
  for (const auto& successor : settlement.successors) {
    for (const Member& member : successor->members) {
      MemberTally* tally = find(member.sequence, member.first_record);
      if (tally == nullptr) {
        return Error{ErrorCode::kInvalidArgument, "a successor carries a record that is not of this batch"};
      }
      tally->moved += member.records;
    }
  }
  return tallies;
}

Status SettleMember(Books& books, const StoredBatch& stored, const Member& member, const MemberTally& tally,
                    const std::vector<std::unique_ptr<FrozenBatch>>& successors) {
  const auto dead = static_cast<std::uint32_t>(tally.dead.size());
  if (dead + tally.moved > member.records) {
    return Error{ErrorCode::kInvalidArgument, "a settlement names more records than the batch has"};
  }
  const Settled settled{member.records - dead - tally.moved, dead};
  if (stored.batch.replayed && settled.delivered > 0) {
    for (std::uint32_t record = member.first_record; record < member.first_record + member.records; ++record) {
      const bool moved = std::any_of(successors.begin(), successors.end(), [&](const auto& successor) {
        return std::any_of(successor->members.begin(), successor->members.end(), [&](const Member& other) {
          return other.sequence == member.sequence && record >= other.first_record &&
                 record < other.first_record + other.records;
        });
      });
      if (!moved && !tally.dead.contains(record)) {
        Status gone = books.DeleteReplayed(stored.destination, stored.batch.lane, member.sequence, record);
        if (!gone) {
          return gone;
        }
      }
    }
  }
  return AccountMember(books, stored.destination, stored.batch.lane, member, settled);
}

}  // namespace

Status ApplyFreeze(Books& books, DestinationId destination, const FreezeRequest& request, const RangeMove& move,
                   WallTime now) {
  if (Status moved = books.MoveRange(move.range_id, move.from, move.exhausted); !moved) {
    return moved;
  }
  for (const auto& batch : request.batches) {
    if (Status inserted = books.InsertBatch(destination, *batch); !inserted) {
      return inserted;
    }
  }
  for (const Resolution& resolution : request.resolutions) {
    if (Status resolved = ApplyResolution(books, destination, request.lane, resolution, now); !resolved) {
      return resolved;
    }
  }
  return {};
}

Status ApplySettle(Books& books, const Settlement& settlement, WallTime now) {
  const Result<StoredBatch> stored = books.LoadBatch(settlement.batch);
  if (!stored) {
    return stored.error().With("settle");
  }
  const Result<Tallies> tallies = TallyMembers(stored->batch, settlement);
  if (!tallies) {
    return tallies.error();
  }
  if (Status buried = BuryRecords(books, *stored, settlement, now); !buried) {
    return buried;
  }
  for (const Member& member : stored->batch.members) {
    const MemberTally& tally = tallies->at({member.sequence, member.first_record});
    if (Status settled = SettleMember(books, *stored, member, tally, settlement.successors); !settled) {
      return settled;
    }
  }
  for (const auto& successor : settlement.successors) {
    if (Status inserted = books.InsertBatch(stored->destination, *successor); !inserted) {
      return inserted;
    }
  }
  if (Status logged = books.LogSettled(stored->destination, settlement, stored->batch, now); !logged) {
    return logged;
  }
  return books.DeleteBatch(settlement.batch);
}

Status ApplyReplay(Books& books, DestinationId destination, const std::vector<std::int64_t>& ids,
                   const FrozenBatch& batch) {
  for (const std::int64_t id : ids) {
    if (Status marked = books.MarkReplaying(id); !marked) {
      return marked;
    }
  }
  // Several members may be of one message: take them together.
  std::map<Sequence, std::pair<Member, std::uint32_t>> messages;
  for (const Member& member : batch.members) {
    auto& entry = messages.try_emplace(member.sequence, member, 0U).first->second;
    entry.second += member.records;
  }
  for (const auto& [sequence, entry] : messages) {
    const auto& [member, records] = entry;
    Result<Books::Partial> partial = books.LoadPartial(destination, batch.lane, sequence);
    if (!partial) {
      return partial.error();
    }
    const Result<std::int64_t> other_dead = books.CountDead(destination, batch.lane, sequence);
    if (!other_dead) {
      return other_dead.error();
    }
    if (!partial->exists) {
      partial->settled = member.total_records;
      books.Count(member.received_hour, member.stream, destination, LedgerCode(Outcome::kRejected), "", -1, 0);
      books.Count(0, member.stream, destination, kLedgerPending, LaneReason(batch.lane), 1, 0);
    }
    if (partial->settled < records) {
      return Error{ErrorCode::kInvalidArgument, "a replay names more records than were settled"};
    }
    partial->settled -= records;
    partial->worst = *other_dead > 0 ? Outcome::kRejected : Outcome::kDelivered;
    books.Count(member.received_hour, member.stream, destination, LedgerCode(Outcome::kRejected), "", 0,
                -static_cast<std::int64_t>(records));
    if (Status saved = books.SavePartial(destination, batch.lane, sequence, *partial); !saved) {
      return saved;
    }
  }
  return books.InsertBatch(destination, batch);
}

}  // namespace packhorse::queue
