#include "delivery/batch_builder.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

#include "base/random.h"
#include "format/compression/gzip.h"
#include "queue/ledger/ledger.h"

namespace packhorse::delivery {
namespace {

// 26 base-32 digits are 130 random bits, as many as a ULID or UUID shows.
constexpr std::size_t kKeyDigits = 26;
constexpr std::size_t kTraceBytes = 16;

queue::Resolution Resolve(const queue::StoredMessage& stored, const contract::Decoded& decoded) {
  const bool ignored = decoded.kind == contract::Decoded::Kind::kIgnored;
  // A message that decodes to nothing is as undecodable as any other: it must not vanish.
  return queue::Resolution{stored.sequence, ignored ? Outcome::kDropped : Outcome::kQuarantined,
                           decoded.reason.empty() ? "no_records" : decoded.reason, decoded.detail, stored.message};
}

}  // namespace

// A batch while it is being filled.
struct BatchBuilder::Draft {
  std::unique_ptr<queue::PreparedBatch> batch;
  std::vector<std::string> records;  // rendered
  Sequence taken = 0;                // of its lane, up to here, other batches were made before

  void Add(const queue::StoredMessage& stored, RecordRange range, std::uint32_t total) {
    batch->members.push_back(queue::Member{stored.sequence, stored.message.stream, range.first, range.count, total,
                                           queue::HourOf(stored.message.received_at)});
    batch->records += range.count;
    if (batch->members.size() == 1 || stored.message.received_at < batch->oldest_at) {
      batch->oldest_at = stored.message.received_at;
    }
  }
};

// Whether a record is late is decided by its batch's creation, which a part or remainder of it has in common with it.
std::string BatchBuilder::Render(CanonicalRecord record, WallTime received_at, const Draft& draft) const {
  const queue::PreparedBatch& batch = *draft.batch;
  if (batch.replay == 0 && batch.created_at - received_at >= options_.backfill_after) {
    record.flags = record.flags | Flag::kBackfilled;
  }
  if (batch.again()) {
    record.flags = record.flags | Flag::kReplayed;
  }
  if (record.sequence <= draft.taken) {
    record.flags = record.flags | Flag::kOutOfSequence;
  }
  return options_.contract->RenderRecord(record);
}

BatchBuilder::Draft BatchBuilder::NewDraft(Lane lane, WallTime created_at, queue::ReplayId replay) const {
  Draft draft;
  draft.batch = std::make_unique<queue::PreparedBatch>();
  draft.batch->destination = options_.destination;
  draft.batch->lane = lane;
  draft.batch->contract = options_.contract->name();
  draft.batch->created_at = created_at;
  draft.batch->replay = replay;
  draft.taken = queue_.HighestTaken(options_.destination, lane);
  return draft;
}

contract::BatchHeader BatchBuilder::Header(Lane lane, const std::string& key) const {
  return contract::BatchHeader{key, lane, options_.gateway_id, options_.gateway_attributes};
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Finish(Draft draft) const {
  draft.batch->idempotency_key = RandomBase32(kKeyDigits);
  if (draft.batch->trace_id.empty()) {  // else it is a part of one that has it
    draft.batch->trace_id = RandomHex(kTraceBytes);
  }
  contract::Rendered rendered =
      options_.contract->RenderBatch(Header(draft.batch->lane, draft.batch->idempotency_key), draft.records);
  draft.batch->path = std::move(rendered.path);
  draft.batch->content_type = std::move(rendered.content_type);
  draft.batch->uncompressed_bytes = rendered.body.size();
  if (!options_.gzip) {
    draft.batch->body = std::move(rendered.body);
    return std::move(draft.batch);
  }
  Result<std::string> compressed = format::Gzip(rendered.body);
  if (!compressed) {
    return compressed.error().With("compress a batch");
  }
  draft.batch->content_encoding = "gzip";
  draft.batch->body = *std::move(compressed);
  return std::move(draft.batch);
}

// One prepare request while it is being put together.
class BatchBuilder::Assembly {
 public:
  Assembly(const BatchBuilder& builder, queue::PrepareRequest& request, const batch::Options& limits)
      : builder_(builder),
        request_(request),
        limits_(limits),
        envelope_(builder.options_.contract->EnvelopeBytes(builder.Header(request.lane, std::string(kKeyDigits, '0')))),
        filler_(limits, envelope_),
        created_at_(builder.clock_.Wall()),
        draft_(builder.NewDraft(request.lane, created_at_, request.replay)) {}

  // Whether the message's records still fit beside what is there.
  bool HasRoom(const std::vector<std::string>& records) const {
    std::uint64_t bytes = 0;
    for (const std::string& record : records) {
      bytes += record.size();
    }
    return draft_.records.empty() || filler_.Fits(bytes, static_cast<std::uint32_t>(records.size()));
  }
  // Adds all of them; alone they may still be more than one batch. What goes into a further one is rendered anew.
  Status Add(const queue::StoredMessage& stored, std::vector<std::string> records,
             const std::vector<CanonicalRecord>& decoded) {
    const auto total = static_cast<std::uint32_t>(records.size());
    RecordRange range{0, 0};
    for (std::uint32_t i = 0; i < total; ++i) {
      if (range.count > 0 && !filler_.Fits(records[i].size(), 1)) {
        draft_.Add(stored, range, total);
        RETURN_IF_ERROR(Close());
        range = RecordRange{i, 0};
        for (std::uint32_t rest = i; rest < total; ++rest) {
          records[rest] = builder_.Render(decoded[rest], stored.message.received_at, draft_);
        }
      }
      filler_.Add(records[i].size(), 1);
      draft_.records.push_back(std::move(records[i]));
      ++range.count;
    }
    draft_.Add(stored, range, total);
    return {};
  }
  const Draft& draft() const { return draft_; }
  bool full() const { return filler_.full() || !request_.batches.empty(); }
  // Turns what is there into a batch of the request.
  Status Close() {
    if (draft_.records.empty()) {
      return {};
    }
    Result<std::unique_ptr<queue::PreparedBatch>> batch = builder_.Finish(std::move(draft_));
    RETURN_IF_ERROR(batch);
    request_.batches.push_back(*std::move(batch));
    draft_ = builder_.NewDraft(request_.lane, created_at_, request_.replay);
    draft_.taken = std::max(draft_.taken, request_.batches.back()->members.back().sequence);
    filler_ = batch::Filler(limits_, envelope_);
    return {};
  }

 private:
  const BatchBuilder& builder_;
  queue::PrepareRequest& request_;
  const batch::Options& limits_;
  std::uint64_t envelope_;
  batch::Filler filler_;
  WallTime created_at_;
  Draft draft_;
};

Result<queue::PrepareRequest> BatchBuilder::Build(Lane lane, const queue::Pending& pending,
                                                  const batch::Options& limits) const {
  return Fill({options_.destination, lane, pending.from, pending.from - 1, {}, {}}, pending, limits);
}

Result<queue::PrepareRequest> BatchBuilder::Build(queue::ReplayId replay, const queue::ReplayPart& part,
                                                  const batch::Options& limits) const {
  const Sequence from = part.pending.from;
  Result<queue::PrepareRequest> request =
      Fill({options_.destination, part.lane, from, from - 1, {}, {}, replay}, part.pending, limits);
  if (request) {
    const auto end = std::upper_bound(part.skipped.begin(), part.skipped.end(), request->through);
    request->skipped = static_cast<std::uint64_t>(end - part.skipped.begin());
  }
  return request;
}

Result<queue::PrepareRequest> BatchBuilder::Fill(queue::PrepareRequest request, const queue::Pending& pending,
                                                 const batch::Options& limits) const {
  const Lane lane = request.lane;
  Assembly assembly(*this, request, limits);
  bool all = true;
  for (const queue::StoredMessage& stored : pending.messages) {
    if (assembly.full()) {
      all = false;
      break;
    }
    const contract::Decoded decoded = Decode(streams_, queue_.ids().Of(lane, stored.sequence), lane, stored);
    if (decoded.kind != contract::Decoded::Kind::kRecords || decoded.records.empty()) {
      request.resolutions.push_back(Resolve(stored, decoded));
      request.through = stored.sequence;
      continue;
    }
    std::vector<std::string> rendered;
    rendered.reserve(decoded.records.size());
    for (const CanonicalRecord& record : decoded.records) {
      rendered.push_back(Render(record, stored.message.received_at, assembly.draft()));
    }
    if (!assembly.HasRoom(rendered)) {
      all = false;
      break;
    }
    RETURN_IF_ERROR(assembly.Add(stored, std::move(rendered), decoded.records));
    request.through = stored.sequence;
  }
  if (all) {
    request.through = pending.through;
  }
  RETURN_IF_ERROR(assembly.Close());
  return request;
}

// What was sent says best what its records are, where its messages do not any more: they are gone, or nothing decodes
// them as they were.
Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Rebuild(const queue::PreparedBatch& from,
                                                                    const std::vector<queue::Member>& members) const {
  Result<std::unique_ptr<queue::PreparedBatch>> decoded = Decoded(from, members);
  if (decoded || from.body.empty()) {
    return decoded;
  }
  Result<std::unique_ptr<queue::PreparedBatch>> cut = Cut(from, members);
  return cut ? std::move(cut) : std::move(decoded);
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Cut(const queue::PreparedBatch& from,
                                                                const std::vector<queue::Member>& members) const {
  const auto contract = contract::FindCloudContract(from.contract);
  RETURN_IF_ERROR(contract);
  Result<std::string> body = from.content_encoding.empty() ? Result<std::string>(from.body)
                                                           : format::Gunzip(from.body, from.uncompressed_bytes);
  Result<std::vector<std::string>> sent =
      body ? (*contract)->Records(*body) : Result<std::vector<std::string>>(body.error());
  RETURN_IF_ERROR(sent);
  Draft draft = NewDraft(from.lane, from.created_at, from.replay);
  draft.batch->replayed = from.replayed;
  draft.batch->trace_id = from.trace_id;
  draft.batch->oldest_at = from.oldest_at;
  for (const queue::Member& member : members) {
    std::size_t at = 0;  // of the member's first record in what was sent
    for (const queue::Member& each : from.members) {
      if (each.sequence == member.sequence && member.first_record >= each.first_record &&
          member.first_record + member.records <= each.first_record + each.records) {
        at += member.first_record - each.first_record;
        break;
      }
      at += each.records;
    }
    if (at + member.records > sent->size()) {
      return Error{ErrorCode::kCorrupt, "a batch has other records than it sent"};
    }
    std::move(sent->begin() + static_cast<std::ptrdiff_t>(at),
              sent->begin() + static_cast<std::ptrdiff_t>(at + member.records), std::back_inserter(draft.records));
    draft.batch->members.push_back(member);
    draft.batch->records += member.records;
  }
  return Finish(std::move(draft));
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Decoded(const queue::PreparedBatch& from,
                                                                    const std::vector<queue::Member>& members) const {
  Draft draft = NewDraft(from.lane, from.created_at, from.replay);
  draft.batch->replayed = from.replayed;
  draft.batch->trace_id = from.trace_id;
  for (const queue::Member& member : members) {
    const Result<queue::StoredMessage> stored = queue_.Read(from.lane, member.sequence);
    if (!stored) {
      return stored.error().With("rebuild a batch");
    }
    RETURN_IF_ERROR(AddMember(from.lane, *stored, member, draft));
  }
  return Finish(std::move(draft));
}

// The member's records of this message, decoded and rendered anew.
Status BatchBuilder::AddMember(Lane lane, const queue::StoredMessage& stored, const queue::Member& member,
                               Draft& draft) const {
  contract::Decoded decoded =
      DecodeAgain(streams_, queue_.ids().Of(lane, stored.sequence), lane, stored, member.total_records);
  if (decoded.kind != contract::Decoded::Kind::kRecords || decoded.records.size() != member.total_records) {
    return Error{ErrorCode::kInvalidArgument, "message " + std::to_string(member.sequence) +
                                                  " no longer decodes to the records it had: the device " +
                                                  "contract or the streams were changed"};
  }
  for (std::uint32_t i = member.first_record; i < member.first_record + member.records; ++i) {
    draft.records.push_back(Render(std::move(decoded.records[i]), stored.message.received_at, draft));
  }
  draft.Add(stored, RecordRange{member.first_record, member.records}, member.total_records);
  return {};
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Retry(const queue::Suspect& suspect) const {
  Draft draft = NewDraft(suspect.lane, clock_.Wall(), 0);
  draft.batch->suspect = true;
  const queue::StoredMessage stored{suspect.sequence, suspect.message};
  const queue::Member member{suspect.sequence,      suspect.message.stream, suspect.record, 1,
                             suspect.total_records, suspect.received_hour};
  if (Status added = AddMember(suspect.lane, stored, member, draft); !added) {
    return added.error().With("try a suspect again");
  }
  return Finish(std::move(draft));
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Replay(
    Lane lane, const std::vector<queue::DeadLetter>& letters) const {
  queue::PreparedBatch like;
  like.lane = lane;
  like.replayed = true;
  like.created_at = clock_.Wall();
  like.trace_id = RandomHex(kTraceBytes);
  std::map<std::pair<Sequence, std::uint32_t>, queue::Member> sorted;
  for (const queue::DeadLetter& letter : letters) {
    sorted[{letter.sequence, letter.record}] =
        queue::Member{letter.sequence,      letter.message.stream,
                      letter.record,        1,
                      letter.total_records, queue::HourOf(letter.message.received_at)};
  }
  std::vector<queue::Member> members;
  for (const auto& [key, member] : sorted) {
    members.push_back(member);
  }
  return Rebuild(like, members);
}

std::string BatchBuilder::MemberRecordId(Lane lane, const queue::Member& member, std::uint32_t record) const {
  return RecordId(queue_.ids().Of(lane, member.sequence), lane, member.sequence,
                  member.total_records > 1 ? std::optional(record) : std::nullopt);
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
