// Operations as they are read back.

#include <chrono>
#include <utility>

#include "queue/journal/bytes.h"
#include "queue/operation/operation.h"
#include "queue/operation/operation_kind.h"
#include "queue/segment/batch_layout.h"
#include "queue/segment/message_codec.h"

namespace packhorse::queue {
namespace {

// More than one operation may hold; guards the memory that damaged bytes can ask for.
constexpr std::uint64_t kMaxItems = 1ULL << 20U;

// Reads fields in the order in which they were put; `ok` of the ByteReader says whether all of it held.
class In {
 public:
  explicit In(std::string_view bytes) : bytes_(bytes) {}

  template <typename T = std::uint64_t>
  T Number() {
    return static_cast<T>(bytes_.Varint());
  }
  template <typename T = std::int64_t>
  T Signed() {
    return static_cast<T>(bytes_.Signed());
  }
  std::string Text() { return std::string(bytes_.Text()); }
  std::string_view View() { return bytes_.Text(); }
  bool Flag() { return bytes_.Byte() != 0; }
  WallTime Time() { return WallTime(std::chrono::microseconds(bytes_.Signed())); }
  Lane ReadLane() {
    const unsigned lane = bytes_.Byte();
    good_ = good_ && lane <= static_cast<unsigned>(Lane::kBulk);
    return static_cast<Lane>(lane);
  }
  Outcome ReadOutcome() {
    const unsigned outcome = bytes_.Byte();
    good_ = good_ && outcome <= static_cast<unsigned>(kLastOutcome);
    return static_cast<Outcome>(outcome);
  }
  Outcome ReadEnd(bool& ends) {
    const unsigned how = bytes_.Byte();
    ends = how != kInBatch;
    if (how == kInBatch || how == kEndsDropped) {
      return Outcome::kDropped;
    }
    const unsigned outcome = how - static_cast<unsigned>(LedgerCode(Outcome{}));
    good_ = good_ && outcome <= static_cast<unsigned>(kLastOutcome);
    return static_cast<Outcome>(outcome);
  }
  Replay::State ReadReplayState() {
    const unsigned state = bytes_.Byte();
    good_ = good_ && state <= static_cast<unsigned>(Replay::State::kCancelled);
    return static_cast<Replay::State>(state);
  }
  // Calls `each` once per item of a counted list.
  template <typename Each>
  void List(Each each) {
    const std::uint64_t count = bytes_.Varint();
    good_ = good_ && count <= kMaxItems;
    for (std::uint64_t i = 0; i < count && ok(); ++i) {
      each();
    }
  }
  LedgerKey Key() {
    LedgerKey key{};
    key.hour = Signed<std::int32_t>();
    key.stream = Number<StreamId>();
    key.destination = Signed();
    key.outcome = Number<int>();
    key.reason = Text();
    return key;
  }
  BatchPtr Batch() {
    auto batch = std::make_shared<PreparedBatch>();
    batch->id = Signed();
    batch->destination = Text();
    batch->lane = ReadLane();
    batch->idempotency_key = Text();
    batch->trace_id = Text();
    batch->contract = Text();
    batch->content_type = Text();
    batch->content_encoding = Text();
    batch->path = Text();
    batch->body = Text();
    batch->uncompressed_bytes = Number();
    batch->records = Number<std::uint32_t>();
    Result<std::vector<Member>> members = DecodeMembers(View());
    good_ = good_ && members && !members->empty();
    if (good_) {
      batch->members = *std::move(members);
    }
    const unsigned first = Byte();
    const unsigned origin = first & ~kHasLayout;
    batch->replayed = origin == 1;
    batch->replay = origin == kOfReplay ? Signed() : 0;
    batch->suspect = origin == kOfSuspect;
    good_ = good_ && origin <= kOfSuspect;
    if ((first & kHasLayout) != 0) {
      good_ = DecodeLayout(View(), *batch) && good_;
    }
    batch->created_at = Time();
    batch->oldest_at = Time();
    return batch;
  }
  std::string_view Rest() const { return bytes_.rest(); }
  void TakeRest() { bytes_.Take(bytes_.rest().size()); }
  void Spoil() { good_ = false; }
  unsigned Byte() { return bytes_.Byte(); }
  bool ok() const { return good_ && bytes_.ok(); }

 private:
  ByteReader bytes_;
  bool good_ = true;
};

ArrivalOp GetArrival(In& in) {
  ArrivalOp op;
  op.lane = in.ReadLane();
  op.sequence = in.Number();
  op.reason = in.Text();
  op.detail = in.Text();
  SegmentReader reader(in.Rest(), op.sequence);
  if (const Result<SegmentReader::Head> head = reader.Next(); head && reader.AtEnd()) {
    op.message = reader.Take();
  } else {
    in.Spoil();
  }
  in.TakeRest();
  return op;
}

CountOp GetCount(In& in) {
  CountOp op;
  in.List([&] {
    LedgerKey key = in.Key();
    LedgerCount count{in.Signed(), in.Signed()};
    op.changes[std::move(key)] = count;
  });
  return op;
}

PrepareOp GetPrepare(In& in) {
  PrepareOp op;
  op.destination = in.Signed();
  op.lane = in.ReadLane();
  op.range = in.Signed();
  op.through = in.Number();
  op.messages = in.Number();
  in.List([&] {
    Ending ending;
    ending.sequence = in.Number();
    ending.stream = in.Number<StreamId>();
    ending.received_hour = in.Signed<std::int32_t>();
    ending.outcome = in.ReadOutcome();
    ending.reason = in.Text();
    ending.detail = in.Text();
    ending.message = in.Text();
    op.endings.push_back(std::move(ending));
  });
  in.List([&] { op.batches.push_back(in.Batch()); });
  op.at = in.Time();
  return op;
}

NewDeadLetter GetBurial(In& in) {
  NewDeadLetter dead_letter;
  dead_letter.record.sequence = in.Number();
  dead_letter.record.record = in.Number<std::uint32_t>();
  dead_letter.record.reason = in.Text();
  dead_letter.record.detail = in.Text();
  dead_letter.record.provider_request_id = in.Text();
  dead_letter.record.http_status = in.Signed<int>();
  dead_letter.stream = in.Number<StreamId>();
  dead_letter.total_records = in.Number<std::uint32_t>();
  dead_letter.message = in.Text();
  return dead_letter;
}

NewSuspect GetAside(In& in) {
  NewSuspect new_suspect;
  Suspicion& suspicion = new_suspect.what.suspicion;
  new_suspect.what.sequence = in.Number();
  new_suspect.what.record = in.Number<std::uint32_t>();
  suspicion.reason = in.Text();
  suspicion.detail = in.Text();
  suspicion.provider_request_id = in.Text();
  suspicion.http_status = in.Signed<int>();
  suspicion.refusals = in.Number<std::uint32_t>();
  suspicion.first_refused_at = in.Time();
  suspicion.last_refused_at = in.Time();
  new_suspect.what.keep_batch = in.Flag();
  new_suspect.stream = in.Number<StreamId>();
  new_suspect.total_records = in.Number<std::uint32_t>();
  new_suspect.received_hour = in.Signed<std::int32_t>();
  new_suspect.message = in.Text();
  return new_suspect;
}

DeadKey GetKey(In& in, DestinationId destination) {
  DeadKey key;
  key.lane = in.ReadLane();
  key.sequence = in.Number();
  key.record = in.Number<std::uint32_t>();
  key.destination = destination;
  return key;
}

FieldSum GetSum(In& in) {
  FieldSum sum;
  sum.stream = in.Number<StreamId>();
  sum.received_hour = in.Signed<std::int32_t>();
  sum.name = in.Text();
  sum.records = in.Number();
  const std::int64_t whole = in.Signed();
  const std::optional<FixedPoint> value = FixedPoint::Of(whole, in.Signed());
  if (!value) {
    in.Spoil();
  }
  sum.sum = value.value_or(FixedPoint());
  return sum;
}

SettleOp GetSettle(In& in) {
  SettleOp op;
  op.batch = in.Signed();
  in.List([&] { op.dead_letters.push_back(GetBurial(in)); });
  in.List([&] { op.successors.push_back(in.Batch()); });
  op.http_status = in.Signed<int>();
  op.provider_request_id = in.Text();
  op.attempts = in.Number<std::uint32_t>();
  const unsigned flags = in.Byte();
  op.possible_duplicate = (flags & kPossibleDuplicate) != 0;
  op.at = in.Time();
  if ((flags & kSetsAside) != 0) {
    in.List([&] { op.new_suspects.push_back(GetAside(in)); });
  }
  if ((flags & kSkips) != 0) {
    in.List([&] {
      const Sequence sequence = in.Number();
      const auto record = in.Number<std::uint32_t>();
      op.skipped.push_back(SkippedRecord{sequence, record, (flags & kReasons) != 0 ? in.Text() : std::string()});
    });
  }
  if ((flags & kHashesIds) != 0) {
    in.List([&] {
      IdHash hash;
      hash.stream = in.Number<StreamId>();
      hash.received_hour = in.Signed<std::int32_t>();
      hash.records = in.Number();
      hash.sum = in.Number();
      op.id_hashes.push_back(hash);
    });
  }
  if ((flags & kAddsSums) != 0) {
    in.List([&] { op.sums.push_back(GetSum(in)); });
  }
  return op;
}

RedriveOp GetReplay(In& in) {
  RedriveOp op;
  op.destination = in.Signed();
  in.List([&] { op.letters.push_back(GetKey(in, op.destination)); });
  in.List([&] {
    RedriveOp::Message message;
    message.sequence = in.Number();
    message.worst = in.ReadOutcome();
    op.messages.push_back(message);
  });
  op.batch = in.Batch();
  return op;
}

SplitOp GetSplit(In& in, bool cut) {
  SplitOp op;
  op.destination = in.Signed();
  op.lane = in.ReadLane();
  op.at = in.Number();
  op.range = in.Signed();
  if (cut) {
    op.cut = in.Signed();
    op.moved = in.Number();
  }
  return op;
}

GiveUpOp GetGiveUp(In& in) {
  GiveUpOp op;
  op.destination = in.Signed();
  op.lane = in.ReadLane();
  op.range = in.Signed();
  op.through = in.Number();
  op.outcome = in.ReadOutcome();
  op.reason = in.Text();
  in.List([&] {
    GiveUpOp::Count count;
    count.stream = in.Number<StreamId>();
    count.received_hour = in.Signed<std::int32_t>();
    count.messages = in.Number();
    op.counts.push_back(count);
  });
  if (!in.Rest().empty()) {  // format 1.4 ends here
    op.at = in.Time();
  }
  return op;
}

ClockOp GetClock(In& in) {
  ClockOp op;
  op.boot = in.Signed();
  op.lane = in.ReadLane();
  op.as_stamped = in.Number();
  if (in.Flag()) {
    const WallTime wall_at_boot = in.Time();
    op.learnt = ClockOp::Learnt{wall_at_boot, std::chrono::nanoseconds(in.Signed())};
  }
  return op;
}

ReplayStateOp GetReplayState(In& in) {
  Replay replay;
  replay.id = in.Signed();
  replay.stream = in.Number<StreamId>();
  replay.destination = in.Signed();
  replay.what.from = in.Time();
  replay.what.to = in.Time();
  replay.what.rate = in.Number<std::uint32_t>();
  replay.state = in.ReadReplayState();
  replay.asked_at = in.Time();
  replay.ended_at = in.Time();
  for (const Lane lane : kAllLanes) {
    replay.first.at(At(lane)) = in.Number();
    replay.through.at(At(lane)) = in.Number();
  }
  replay.next = replay.first.front();
  return ReplayStateOp{std::move(replay)};
}

ReplayPrepareOp GetReplayPrepare(In& in) {
  ReplayPrepareOp op;
  op.replay = in.Signed();
  op.lane = in.ReadLane();
  op.through = in.Number();
  op.messages = in.Number();
  op.skipped = in.Number();
  in.List([&] { op.batches.push_back(in.Batch()); });
  op.at = in.Time();
  return op;
}

SuspectRetryOp GetSuspectRetry(In& in) {
  SuspectRetryOp op;
  const DestinationId destination = in.Signed();
  op.suspect = GetKey(in, destination);
  op.batch = in.Batch();
  return op;
}

SuspectEndOp GetSuspectEnd(In& in) {
  SuspectEndOp op;
  const DestinationId destination = in.Signed();
  op.suspect = GetKey(in, destination);
  op.outcome = in.ReadOutcome();
  if (in.Flag()) {
    op.dead_letter = GetBurial(in);
  }
  op.at = in.Time();
  op.batch_key = in.Text();
  op.http_status = in.Signed<int>();
  op.provider_request_id = in.Text();
  op.attempts = in.Number<std::uint32_t>();
  return op;
}

Operation GetSuspect(In& in) {
  const unsigned part = in.Byte();
  if (part == static_cast<unsigned>(SuspectPart::kRetry)) {
    return GetSuspectRetry(in);
  }
  if (part != static_cast<unsigned>(SuspectPart::kEnd)) {
    in.Spoil();
  }
  return GetSuspectEnd(in);
}

QuarantineRetryOp GetQuarantineRetry(In& in) {
  QuarantineRetryOp op;
  op.destination = in.Signed();
  op.lane = in.ReadLane();
  in.List([&] {
    QuarantineRetryOp::Message message;
    message.sequence = in.Number();
    message.stream = in.Number<StreamId>();
    message.received_hour = in.Signed<std::int32_t>();
    message.reason = in.Text();
    message.end = in.ReadEnd(message.ends);
    message.end_reason = in.Text();
    op.messages.push_back(std::move(message));
  });
  in.List([&] { op.batches.push_back(in.Batch()); });
  return op;
}

LetterEndOp GetLetterEnd(In& in) {
  const DestinationId destination = in.Signed();
  return LetterEndOp{GetKey(in, destination)};
}

}  // namespace

Result<BatchPtr> DecodeBatch(std::string_view bytes) {
  In in(bytes);
  BatchPtr batch = in.Batch();
  if (!in.ok() || !in.Rest().empty()) {
    return Error{ErrorCode::kCorrupt, "a kept batch does not hold"};
  }
  return batch;
}

Result<Operation> DecodeOperation(std::string_view bytes) {
  In in(bytes);
  Result<Operation> operation = Error{ErrorCode::kCorrupt, "journal: an operation does not hold"};
  switch (static_cast<Kind>(in.Byte())) {
    case Kind::kArrival:
      operation = Operation(GetArrival(in));
      break;
    case Kind::kCount:
      operation = Operation(GetCount(in));
      break;
    case Kind::kPrepare:
      operation = Operation(GetPrepare(in));
      break;
    case Kind::kSettle:
      operation = Operation(GetSettle(in));
      break;
    case Kind::kReplay:
      operation = Operation(GetReplay(in));
      break;
    case Kind::kSplit:
      operation = Operation(GetSplit(in, false));
      break;
    case Kind::kGiveUp:
      operation = Operation(GetGiveUp(in));
      break;
    case Kind::kClock:
      operation = Operation(GetClock(in));
      break;
    case Kind::kReplayState:
      operation = Operation(GetReplayState(in));
      break;
    case Kind::kReplayPrepare:
      operation = Operation(GetReplayPrepare(in));
      break;
    case Kind::kSuspect:
      operation = GetSuspect(in);
      break;
    case Kind::kCut:
      operation = Operation(GetSplit(in, true));
      break;
    case Kind::kQuarantineRetry:
      operation = Operation(GetQuarantineRetry(in));
      break;
    case Kind::kLetterEnd:
      operation = Operation(GetLetterEnd(in));
      break;
  }
  if (!in.ok() || !in.Rest().empty()) {
    return Error{ErrorCode::kCorrupt, "journal: an operation does not hold"};
  }
  return operation;
}

}  // namespace packhorse::queue
