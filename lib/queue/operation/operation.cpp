#include "queue/operation/operation.h"

#include <chrono>
#include <utility>

#include "queue/journal/bytes.h"
#include "queue/operation/operation_kind.h"
#include "queue/segment/batch_layout.h"
#include "queue/segment/message_codec.h"

namespace packhorse::queue {
namespace {

void PutKind(std::string& out, Kind kind) { out += static_cast<char>(kind); }
void PutLane(std::string& out, Lane lane) { out += static_cast<char>(lane); }
void PutTime(std::string& out, WallTime time) { PutSigned(out, time.time_since_epoch().count()); }
void PutFlag(std::string& out, bool flag) { out += static_cast<char>(flag ? 1 : 0); }

void PutLedgerKey(std::string& out, const LedgerKey& key) {
  PutSigned(out, key.hour);
  PutVarint(out, key.stream);
  PutSigned(out, key.destination);
  PutVarint(out, static_cast<std::uint64_t>(key.outcome));
  PutText(out, key.reason);
}

// What was a flag before there were replays: 0 and 1 mean what they did.
void PutOrigin(std::string& out, const PreparedBatch& batch) {
  const std::string layout = EncodeLayout(batch);
  const unsigned origin = batch.replay != 0 ? kOfReplay : batch.suspect ? kOfSuspect : batch.replayed ? 1U : 0U;
  out += static_cast<char>(origin | (layout.empty() ? 0U : kHasLayout));
  if (batch.replay != 0) {
    PutSigned(out, batch.replay);
  }
  if (!layout.empty()) {
    PutText(out, layout);
  }
}

void PutBatch(std::string& out, const PreparedBatch& batch) {
  PutSigned(out, batch.id);
  PutText(out, batch.destination);
  PutLane(out, batch.lane);
  PutText(out, batch.idempotency_key);
  PutText(out, batch.trace_id);
  PutText(out, batch.contract);
  PutText(out, batch.content_type);
  PutText(out, batch.content_encoding);
  PutText(out, batch.path);
  PutText(out, batch.body);
  PutVarint(out, batch.uncompressed_bytes);
  PutVarint(out, batch.records);
  PutText(out, EncodeMembers(batch.members));
  PutOrigin(out, batch);
  PutTime(out, batch.created_at);
  PutTime(out, batch.oldest_at);
}

void PutBatches(std::string& out, const std::vector<BatchPtr>& batches) {
  PutVarint(out, batches.size());
  for (const BatchPtr& batch : batches) {
    PutBatch(out, *batch);
  }
}

void Put(std::string& out, const ArrivalOp& op) {
  EncodeArrival(out, op.lane, op.sequence, op.message, op.reason, op.detail);
}

void Put(std::string& out, const CountOp& op) {
  PutKind(out, Kind::kCount);
  PutVarint(out, op.changes.size());
  for (const auto& [key, count] : op.changes) {
    PutLedgerKey(out, key);
    PutSigned(out, count.messages);
    PutSigned(out, count.records);
  }
}

void Put(std::string& out, const PrepareOp& op) {
  PutKind(out, Kind::kPrepare);
  PutSigned(out, op.destination);
  PutLane(out, op.lane);
  PutSigned(out, op.range);
  PutVarint(out, op.through);
  PutVarint(out, op.messages);
  PutVarint(out, op.endings.size());
  for (const Ending& ending : op.endings) {
    PutVarint(out, ending.sequence);
    PutVarint(out, ending.stream);
    PutSigned(out, ending.received_hour);
    out += static_cast<char>(ending.outcome);
    PutText(out, ending.reason);
    PutText(out, ending.detail);
    PutText(out, ending.message);
  }
  PutBatches(out, op.batches);
  PutTime(out, op.at);
}

void PutBurial(std::string& out, const NewDeadLetter& dead_letter) {
  PutVarint(out, dead_letter.record.sequence);
  PutVarint(out, dead_letter.record.record);
  PutText(out, dead_letter.record.reason);
  PutText(out, dead_letter.record.detail);
  PutText(out, dead_letter.record.provider_request_id);
  PutSigned(out, dead_letter.record.http_status);
  PutVarint(out, dead_letter.stream);
  PutVarint(out, dead_letter.total_records);
  PutText(out, dead_letter.message);
}

void PutAside(std::string& out, const NewSuspect& new_suspect) {
  const Suspicion& suspicion = new_suspect.what.suspicion;
  PutVarint(out, new_suspect.what.sequence);
  PutVarint(out, new_suspect.what.record);
  PutText(out, suspicion.reason);
  PutText(out, suspicion.detail);
  PutText(out, suspicion.provider_request_id);
  PutSigned(out, suspicion.http_status);
  PutVarint(out, suspicion.refusals);
  PutTime(out, suspicion.first_refused_at);
  PutTime(out, suspicion.last_refused_at);
  PutFlag(out, new_suspect.what.keep_batch);
  PutVarint(out, new_suspect.stream);
  PutVarint(out, new_suspect.total_records);
  PutSigned(out, new_suspect.received_hour);
  PutText(out, new_suspect.message);
}

void PutKey(std::string& out, const DeadKey& key) {
  PutLane(out, key.lane);
  PutVarint(out, key.sequence);
  PutVarint(out, key.record);
}

// Nothing where there are none: the flags say so.
void PutHashes(std::string& out, const std::vector<IdHash>& hashes) {
  if (hashes.empty()) {
    return;
  }
  PutVarint(out, hashes.size());
  for (const IdHash& hash : hashes) {
    PutVarint(out, hash.stream);
    PutSigned(out, hash.received_hour);
    PutVarint(out, hash.records);
    PutVarint(out, hash.sum);
  }
}

void PutSums(std::string& out, const std::vector<FieldSum>& sums) {
  if (sums.empty()) {
    return;
  }
  PutVarint(out, sums.size());
  for (const FieldSum& sum : sums) {
    PutVarint(out, sum.stream);
    PutSigned(out, sum.received_hour);
    PutText(out, sum.name);
    PutVarint(out, sum.records);
    PutSigned(out, sum.sum.whole());
    PutSigned(out, sum.sum.trillionths());
  }
}

void Put(std::string& out, const SettleOp& op) {
  PutKind(out, Kind::kSettle);
  PutSigned(out, op.batch);
  PutVarint(out, op.dead_letters.size());
  for (const NewDeadLetter& dead_letter : op.dead_letters) {
    PutBurial(out, dead_letter);
  }
  PutBatches(out, op.successors);
  PutSigned(out, op.http_status);
  PutText(out, op.provider_request_id);
  PutVarint(out, op.attempts);
  out += static_cast<char>((op.possible_duplicate ? kPossibleDuplicate : 0U) |
                           (op.new_suspects.empty() ? 0U : kSetsAside) | (op.skipped.empty() ? 0U : kSkips | kReasons) |
                           (op.id_hashes.empty() ? 0U : kHashesIds) | (op.sums.empty() ? 0U : kAddsSums));
  PutTime(out, op.at);
  if (!op.new_suspects.empty()) {
    PutVarint(out, op.new_suspects.size());
    for (const NewSuspect& new_suspect : op.new_suspects) {
      PutAside(out, new_suspect);
    }
  }
  if (!op.skipped.empty()) {
    PutVarint(out, op.skipped.size());
    for (const SkippedRecord& skipped : op.skipped) {
      PutVarint(out, skipped.sequence);
      PutVarint(out, skipped.record);
      PutText(out, skipped.reason);
    }
  }
  PutHashes(out, op.id_hashes);
  PutSums(out, op.sums);
}

void Put(std::string& out, const RedriveOp& op) {
  PutKind(out, Kind::kReplay);
  PutSigned(out, op.destination);
  PutVarint(out, op.letters.size());
  for (const DeadKey& key : op.letters) {
    PutKey(out, key);
  }
  PutVarint(out, op.messages.size());
  for (const RedriveOp::Message& message : op.messages) {
    PutVarint(out, message.sequence);
    out += static_cast<char>(message.worst);
  }
  PutBatch(out, *op.batch);
}

void Put(std::string& out, const SplitOp& op) {
  PutKind(out, op.cut == 0 ? Kind::kSplit : Kind::kCut);
  PutSigned(out, op.destination);
  PutLane(out, op.lane);
  PutVarint(out, op.at);
  PutSigned(out, op.range);
  if (op.cut != 0) {
    PutSigned(out, op.cut);
    PutVarint(out, op.moved);
  }
}

void Put(std::string& out, const GiveUpOp& op) {
  PutKind(out, Kind::kGiveUp);
  PutSigned(out, op.destination);
  PutLane(out, op.lane);
  PutSigned(out, op.range);
  PutVarint(out, op.through);
  out += static_cast<char>(op.outcome);
  PutText(out, op.reason);
  PutVarint(out, op.counts.size());
  for (const GiveUpOp::Count& count : op.counts) {
    PutVarint(out, count.stream);
    PutSigned(out, count.received_hour);
    PutVarint(out, count.messages);
  }
  PutTime(out, op.at);
}

void Put(std::string& out, const ClockOp& op) {
  PutKind(out, Kind::kClock);
  PutSigned(out, op.boot);
  PutLane(out, op.lane);
  PutVarint(out, op.as_stamped);
  PutFlag(out, op.learnt.has_value());
  if (op.learnt) {
    PutTime(out, op.learnt->wall_at_boot);
    PutSigned(out, op.learnt->at.count());
  }
}

void Put(std::string& out, const ReplayStateOp& op) {
  const Replay& replay = op.replay;
  PutKind(out, Kind::kReplayState);
  PutSigned(out, replay.id);
  PutVarint(out, replay.stream);
  PutSigned(out, replay.destination);
  PutTime(out, replay.what.from);
  PutTime(out, replay.what.to);
  PutVarint(out, replay.what.rate);
  out += static_cast<char>(replay.state);
  PutTime(out, replay.asked_at);
  PutTime(out, replay.ended_at);
  for (const Lane lane : kAllLanes) {
    PutVarint(out, replay.first.at(At(lane)));
    PutVarint(out, replay.through.at(At(lane)));
  }
}

void Put(std::string& out, const ReplayPrepareOp& op) {
  PutKind(out, Kind::kReplayPrepare);
  PutSigned(out, op.replay);
  PutLane(out, op.lane);
  PutVarint(out, op.through);
  PutVarint(out, op.messages);
  PutVarint(out, op.skipped);
  PutBatches(out, op.batches);
  PutTime(out, op.at);
}

void Put(std::string& out, const SuspectRetryOp& op) {
  PutKind(out, Kind::kSuspect);
  out += static_cast<char>(SuspectPart::kRetry);
  PutSigned(out, op.suspect.destination);
  PutKey(out, op.suspect);
  PutBatch(out, *op.batch);
}

void Put(std::string& out, const SuspectEndOp& op) {
  PutKind(out, Kind::kSuspect);
  out += static_cast<char>(SuspectPart::kEnd);
  PutSigned(out, op.suspect.destination);
  PutKey(out, op.suspect);
  out += static_cast<char>(op.outcome);
  PutFlag(out, op.dead_letter.has_value());
  if (op.dead_letter) {
    PutBurial(out, *op.dead_letter);
  }
  PutTime(out, op.at);
  PutText(out, op.batch_key);
  PutSigned(out, op.http_status);
  PutText(out, op.provider_request_id);
  PutVarint(out, op.attempts);
}

void Put(std::string& out, const QuarantineRetryOp& op) {
  PutKind(out, Kind::kQuarantineRetry);
  PutSigned(out, op.destination);
  PutLane(out, op.lane);
  PutVarint(out, op.messages.size());
  for (const QuarantineRetryOp::Message& message : op.messages) {
    PutVarint(out, message.sequence);
    PutVarint(out, message.stream);
    PutSigned(out, message.received_hour);
    PutText(out, message.reason);
    out += static_cast<char>(!message.ends                      ? kInBatch
                             : message.end == Outcome::kDropped ? kEndsDropped
                                                                : static_cast<unsigned>(LedgerCode(message.end)));
    PutText(out, message.end_reason);
  }
  PutBatches(out, op.batches);
}

void Put(std::string& out, const LetterEndOp& op) {
  PutKind(out, Kind::kLetterEnd);
  PutSigned(out, op.letter.destination);
  PutKey(out, op.letter);
}

}  // namespace

std::string EncodeBatch(const PreparedBatch& batch) {
  std::string out;
  PutBatch(out, batch);
  return out;
}

void EncodeArrival(std::string& out, Lane lane, Sequence sequence, const RawMessage& message, std::string_view reason,
                   std::string_view detail) {
  PutKind(out, Kind::kArrival);
  PutLane(out, lane);
  PutVarint(out, sequence);
  PutText(out, reason);
  PutText(out, detail);
  AppendMessage(out, message);
}

std::string EncodeOperation(const Operation& operation) {
  std::string out;
  std::visit([&](const auto& op) { Put(out, op); }, operation);
  return out;
}

}  // namespace packhorse::queue
