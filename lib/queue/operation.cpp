#include "queue/operation.h"

#include <chrono>
#include <utility>

#include "queue/bytes.h"
#include "queue/message_codec.h"

namespace packhorse::queue {
namespace {

enum class Kind : std::uint8_t { kArrival = 1, kCount, kFreeze, kSettle, kReplay, kSplit, kGiveUp, kClock };

// More than one operation may hold; guards the memory that damaged bytes can ask for.
constexpr std::uint64_t kMaxItems = 1ULL << 20U;

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

void PutBatch(std::string& out, const FrozenBatch& batch) {
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
  PutFlag(out, batch.replayed);
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

void Put(std::string& out, const FreezeOp& op) {
  PutKind(out, Kind::kFreeze);
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

void Put(std::string& out, const SettleOp& op) {
  PutKind(out, Kind::kSettle);
  PutSigned(out, op.batch);
  PutVarint(out, op.burials.size());
  for (const Burial& burial : op.burials) {
    PutVarint(out, burial.record.sequence);
    PutVarint(out, burial.record.record);
    PutText(out, burial.record.reason);
    PutText(out, burial.record.detail);
    PutText(out, burial.record.provider_request_id);
    PutSigned(out, burial.record.http_status);
    PutVarint(out, burial.stream);
    PutVarint(out, burial.total_records);
    PutText(out, burial.message);
  }
  PutBatches(out, op.successors);
  PutSigned(out, op.http_status);
  PutText(out, op.provider_request_id);
  PutVarint(out, op.attempts);
  PutFlag(out, op.possible_duplicate);
  PutTime(out, op.at);
}

void Put(std::string& out, const ReplayOp& op) {
  PutKind(out, Kind::kReplay);
  PutSigned(out, op.destination);
  PutVarint(out, op.letters.size());
  for (const DeadKey& key : op.letters) {
    PutLane(out, key.lane);
    PutVarint(out, key.sequence);
    PutVarint(out, key.record);
  }
  PutVarint(out, op.messages.size());
  for (const ReplayOp::Message& message : op.messages) {
    PutVarint(out, message.sequence);
    out += static_cast<char>(message.worst);
  }
  PutBatch(out, *op.batch);
}

void Put(std::string& out, const SplitOp& op) {
  PutKind(out, Kind::kSplit);
  PutSigned(out, op.destination);
  PutLane(out, op.lane);
  PutVarint(out, op.at);
  PutSigned(out, op.range);
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
    good_ = good_ && outcome <= static_cast<unsigned>(Outcome::kRejected);
    return static_cast<Outcome>(outcome);
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
    auto batch = std::make_shared<FrozenBatch>();
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
    batch->replayed = Flag();
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

FreezeOp GetFreeze(In& in) {
  FreezeOp op;
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

SettleOp GetSettle(In& in) {
  SettleOp op;
  op.batch = in.Signed();
  in.List([&] {
    Burial burial;
    burial.record.sequence = in.Number();
    burial.record.record = in.Number<std::uint32_t>();
    burial.record.reason = in.Text();
    burial.record.detail = in.Text();
    burial.record.provider_request_id = in.Text();
    burial.record.http_status = in.Signed<int>();
    burial.stream = in.Number<StreamId>();
    burial.total_records = in.Number<std::uint32_t>();
    burial.message = in.Text();
    op.burials.push_back(std::move(burial));
  });
  in.List([&] { op.successors.push_back(in.Batch()); });
  op.http_status = in.Signed<int>();
  op.provider_request_id = in.Text();
  op.attempts = in.Number<std::uint32_t>();
  op.possible_duplicate = in.Flag();
  op.at = in.Time();
  return op;
}

ReplayOp GetReplay(In& in) {
  ReplayOp op;
  op.destination = in.Signed();
  in.List([&] {
    DeadKey key;
    key.lane = in.ReadLane();
    key.sequence = in.Number();
    key.record = in.Number<std::uint32_t>();
    key.destination = op.destination;
    op.letters.push_back(key);
  });
  in.List([&] {
    ReplayOp::Message message;
    message.sequence = in.Number();
    message.worst = in.ReadOutcome();
    op.messages.push_back(message);
  });
  op.batch = in.Batch();
  return op;
}

SplitOp GetSplit(In& in) {
  SplitOp op;
  op.destination = in.Signed();
  op.lane = in.ReadLane();
  op.at = in.Number();
  op.range = in.Signed();
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

}  // namespace

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
    case Kind::kFreeze:
      operation = Operation(GetFreeze(in));
      break;
    case Kind::kSettle:
      operation = Operation(GetSettle(in));
      break;
    case Kind::kReplay:
      operation = Operation(GetReplay(in));
      break;
    case Kind::kSplit:
      operation = Operation(GetSplit(in));
      break;
    case Kind::kGiveUp:
      operation = Operation(GetGiveUp(in));
      break;
    case Kind::kClock:
      operation = Operation(GetClock(in));
      break;
  }
  if (!in.ok() || !in.Rest().empty()) {
    return Error{ErrorCode::kCorrupt, "journal: an operation does not hold"};
  }
  return operation;
}

}  // namespace packhorse::queue
