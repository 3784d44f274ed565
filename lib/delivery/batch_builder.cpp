#include "delivery/batch_builder.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "contract/sent_order.h"
#include "delivery/batch_draft.h"
#include "format/compression/coding.h"

namespace packhorse::delivery {
namespace {

using contract::RenderedRecord;

constexpr std::size_t kTraceBytes = 16;

bool IsOutside(const RenderedRecord& record) { return record.reason == kTooOld || record.reason == kTooNew; }

}  // namespace

// Whether a record is late is decided by its batch's creation, which a part or remainder of it has in common with it.
RenderedRecord BatchBuilder::RenderBy(const std::string& contract, CanonicalRecord& record, const Arrival& arrival,
                                      const Draft& draft, Times times) const {
  const queue::PreparedBatch& batch = *draft.batch;
  const Flags decoded = record.flags;  // the rest is only of this batch
  if (batch.replay == 0 && batch.created_at - arrival.received_at >= options_.backfill_after) {
    record.flags = record.flags | Flag::kBackfilled;
  }
  if (batch.again()) {
    record.flags = record.flags | Flag::kReplayed;
  }
  if (record.sequence <= draft.taken) {
    record.flags = record.flags | Flag::kOutOfSequence;
  }
  const contract::CloudContract& by = ContractBy(contract);
  RenderedRecord rendered = by.RenderRecord(record);
  if (UsesTimes(contract)) {
    JudgeTime(contract, record, arrival, batch, times, rendered);
  }
  record.flags = decoded;
  rendered.contract = by.name();
  return rendered;
}

void BatchBuilder::TellLeftOut(const std::string& record_id, const RenderedRecord& rendered) const {
  if (rendered.unfit_items > 0 && options_.left_out) {
    options_.left_out(record_id, rendered);
  }
}

RenderedRecord BatchBuilder::RenderAndTell(const std::string& contract, CanonicalRecord& record, const Arrival& arrival,
                                           const Draft& draft, Times times) const {
  RenderedRecord rendered = RenderBy(contract, record, arrival, draft, times);
  TellLeftOut(record.record_id, rendered);
  return rendered;
}

RenderedRecord BatchBuilder::Render(CanonicalRecord& record, const Arrival& arrival, const Draft& draft,
                                    Times times) const {
  return RenderAndTell(draft.batch->contract, record, arrival, draft, times);
}

// A newer contract that takes fewer times loses nothing: the present one judges what it does not take.
RenderedRecord BatchBuilder::RenderNew(CanonicalRecord& record, const Arrival& arrival, const Draft& draft) const {
  using Fate = RenderedRecord::Fate;
  if (options_.rollout == nullptr || draft.batch->replay != 0 || !options_.rollout->Takes(record.device_id)) {
    return RenderAndTell(PresentContract(), record, arrival, draft, Times::kJudged);
  }
  RenderedRecord newer = RenderAndTell(options_.rollout->newer(), record, arrival, draft, Times::kJudged);
  if (newer.fate == Fate::kItems || (newer.fate == Fate::kSkipped && !IsOutside(newer))) {
    return newer;
  }
  RenderedRecord present = RenderAndTell(PresentContract(), record, arrival, draft, Times::kJudged);
  if (present.fate == Fate::kItems) {
    options_.rollout->NoteUnfit("unfit: " + (newer.detail.empty() ? newer.reason : newer.detail));
  }
  return present;
}

bool BatchBuilder::IsNewer(std::string_view contract) const {
  return options_.rollout != nullptr && contract == options_.rollout->newer();
}

const std::string& BatchBuilder::PresentContract() const {
  const bool finished = options_.rollout != nullptr && options_.rollout->state() == Rollout::State::kFinished;
  return finished ? options_.rollout->newer() : options_.contract->name();
}

const std::string& BatchBuilder::MakerOf(const queue::PreparedBatch& batch) const {
  return IsNewer(batch.contract) ? options_.rollout->newer() : PresentContract();
}

const std::string& BatchBuilder::ContractOfParts(const queue::PreparedBatch& from) const {
  return IsNewer(from.contract) && options_.rollout->runs() ? options_.rollout->newer() : PresentContract();
}

const contract::CloudContract& BatchBuilder::ContractBy(std::string_view name) const {
  return IsNewer(name) ? *options_.rollout->options().contract : *options_.contract;
}

const std::string& BatchBuilder::CodingBy(std::string_view name) const {
  return IsNewer(name) ? options_.rollout->options().coding : options_.coding;
}

const AcceptedTimes& BatchBuilder::AcceptedBy(std::string_view contract) const {
  return IsNewer(contract) ? options_.rollout->options().accepted : options_.accepted;
}

bool BatchBuilder::UsesTimes(std::string_view contract) const {
  return AcceptedBy(contract).limited() || ContractBy(contract).accepts().order == contract::Order::kTime;
}

std::vector<std::chrono::microseconds> BatchBuilder::AgesOf(Lane lane,
                                                            std::span<const queue::StoredMessage> messages) const {
  const bool used =
      UsesTimes(options_.contract->name()) || (options_.rollout != nullptr && UsesTimes(options_.rollout->newer()));
  return used ? queue_.AgesOf(lane, messages) : std::vector<std::chrono::microseconds>(messages.size());
}

BatchBuilder::Arrival BatchBuilder::ArrivalOf(const queue::StoredMessage& stored, std::chrono::microseconds age) {
  return {stored.message.received_at, age, stored.message.clock != ClockState::kUnsynchronized};
}

// The age of a record is how long its message waited, which is measured, and how late its device's time was then. By a
// clock that was not right at that moment nothing is late.
void BatchBuilder::JudgeTime(const std::string& contract, const CanonicalRecord& record, const Arrival& arrival,
                             const queue::PreparedBatch& batch, Times times, RenderedRecord& rendered) const {
  if (rendered.fate != RenderedRecord::Fate::kItems) {
    return;
  }
  const AcceptedTimes& accepted = AcceptedBy(contract);
  const contract::CloudContract& by = ContractBy(contract);
  rendered.time = by.TimeOf(record).value_or(arrival.received_at);
  const auto late = arrival.clock_known ? arrival.received_at - *rendered.time : std::chrono::microseconds(0);
  rendered.age = arrival.age + late;
  std::string_view why = accepted.Refuses(*rendered.age);
  if (!why.empty() && accepted.outside == contract::Outside::kSendWithReceivedTime) {
    rendered = by.RenderAsReceived(record);
    rendered.time = arrival.received_at;
    rendered.age = arrival.age;
    why = accepted.Refuses(arrival.age);
  }
  if (why.empty() || times == Times::kTaken || rendered.fate != RenderedRecord::Fate::kItems) {
    return;
  }
  // What is sent again on request holds nothing up.
  const bool holds = accepted.outside == contract::Outside::kHold && batch.replay == 0;
  RenderedRecord left;
  left.fate = holds ? RenderedRecord::Fate::kHeld : RenderedRecord::Fate::kSkipped;
  left.reason = why;
  left.detail = "its time is " + FormatUtc(*rendered.time) + "; the API takes what is " + accepted.Words();
  left.time = rendered.time;
  left.age = rendered.age;
  rendered = std::move(left);
}

std::optional<std::chrono::nanoseconds> BatchBuilder::BornOf(const std::vector<RenderedRecord>& records,
                                                             std::chrono::nanoseconds boot) {
  std::optional<std::chrono::nanoseconds> born;
  for (const RenderedRecord& record : records) {
    if (record.age) {
      born = std::min(born.value_or(std::chrono::nanoseconds::max()), boot - *record.age);
    }
  }
  return born;
}

std::optional<std::chrono::nanoseconds> BatchBuilder::BornOf(const queue::PreparedBatch& batch) const {
  if (!AcceptedBy(batch.contract).oldest || batch.unsent()) {
    return std::nullopt;
  }
  const Result<std::vector<RenderedRecord>> records = JudgeBy(MakerOf(batch), batch);
  return records ? BornOf(*records, clock_.Boot()) : std::nullopt;
}

BatchBuilder::Draft BatchBuilder::NewDraft(Lane lane, WallTime created_at, queue::ReplayId replay,
                                           const std::string& contract) const {
  Draft draft;
  draft.batch = std::make_unique<queue::PreparedBatch>();
  draft.batch->destination = options_.destination;
  draft.batch->lane = lane;
  draft.batch->contract = contract;
  draft.batch->created_at = created_at;
  draft.batch->replay = replay;
  draft.boot = clock_.Boot();
  draft.taken = queue_.HighestTaken(options_.destination, lane);
  return draft;
}

contract::BatchHeader BatchBuilder::HeaderOf(const queue::PreparedBatch& batch) const {
  return contract::BatchHeader{batch.idempotency_key,       batch.lane,       options_.gateway_id,
                               options_.gateway_attributes, batch.created_at, batch.part};
}

std::unique_ptr<queue::PreparedBatch> BatchBuilder::Compose(Draft draft) const {
  queue::PreparedBatch& batch = *draft.batch;
  batch.idempotency_key = RandomBase32(kKeyDigits);
  if (batch.trace_id.empty()) {  // else it is a part of one that has it
    batch.trace_id = RandomHex(kTraceBytes);
  }
  if (draft.records.empty()) {
    return std::move(draft.batch);
  }
  if (std::any_of(draft.records.begin(), draft.records.end(), [](const auto& each) { return each.items() != 1; })) {
    for (const RenderedRecord& record : draft.records) {
      batch.items.push_back(record.items());
    }
  }
  if (const auto born = BornOf(draft.records, draft.boot)) {
    batch.born = born;
  }
  const contract::CloudContract& by = ContractBy(batch.contract);
  batch.order = contract::SentOrder(by.accepts(), draft.records);
  draft.records = contract::AsSent<RenderedRecord>(batch.order, std::move(draft.records));
  contract::Rendered rendered = by.RenderBatch(HeaderOf(batch), draft.records);
  batch.path = std::move(rendered.path);
  batch.content_type = std::move(rendered.content_type);
  batch.uncompressed_bytes = rendered.body.size();
  batch.items_begin = rendered.items_begin;
  batch.items_end = rendered.items_end;
  batch.body = std::move(rendered.body);
  return std::move(draft.batch);
}

Status BatchBuilder::Code(queue::PreparedBatch& batch) const {
  const std::string& coding = CodingBy(batch.contract);
  if (coding.empty() || batch.unsent()) {
    return {};
  }
  Result<std::string> coded = format::Encode(coding, batch.body);
  if (!coded) {
    return coded.error().With("compress a batch");
  }
  batch.content_encoding = coding;
  batch.body = *std::move(coded);
  return {};
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Finish(Draft draft) const {
  std::unique_ptr<queue::PreparedBatch> batch = Compose(std::move(draft));
  RETURN_IF_ERROR(Code(*batch));
  return batch;
}

contract::Decoded BatchBuilder::DecodeNew(const Streams& streams, Lane lane, const queue::StoredMessage& stored,
                                          std::vector<CanonicalRecord>* spare) const {
  return Decode(streams, queue_.ids().Of(lane, stored.sequence), lane, stored, spare);
}

std::string BatchBuilder::RecordIdAt(Lane lane, Sequence sequence, std::uint32_t record, std::uint32_t total) const {
  return RecordId(queue_.ids().Of(lane, sequence), lane, sequence, RecordIndex(record, total));
}

std::string BatchBuilder::MemberRecordId(Lane lane, const queue::Member& member, std::uint32_t record) const {
  return RecordIdAt(lane, member.sequence, record, member.total_records);
}

std::vector<std::string> BatchBuilder::RecordIds(const queue::PreparedBatch& batch) const {
  std::vector<std::string> ids;
  ids.reserve(batch.records);
  for (const queue::Member& member : batch.members) {
    for (std::uint32_t i = 0; i < member.records; ++i) {
      ids.push_back(MemberRecordId(batch.lane, member, member.first_record + i));
    }
  }
  return ids;
}

}  // namespace packhorse::delivery
