// Batches of records that were in other batches: the second part of BatchBuilder.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/random.h"
#include "delivery/batch_draft.h"
#include "format/compression/coding.h"

namespace packhorse::delivery {
namespace {

using contract::RenderedRecord;

constexpr std::size_t kTraceBytes = 16;

Error WhyUnfit(const RenderedRecord& record) {
  return Error{ErrorCode::kInvalidArgument,
               record.detail.empty() ? "the destination's API cannot take it: " + record.reason : record.detail};
}

// `count` records as they were sent, each with its items.
std::vector<RenderedRecord> Rejoin(const queue::PreparedBatch& from, const std::vector<std::string>& items) {
  std::vector<RenderedRecord> records(from.records);
  std::size_t at = 0;
  for (std::size_t place = 0; place < records.size(); ++place) {
    const std::size_t i = from.order.empty() ? place : from.order[place];
    RenderedRecord& record = records[i];
    record.part = from.part;
    if (!from.order.empty()) {
      record.time = WallTime(std::chrono::microseconds(place));  // all that counts is which is earlier
    }
    const std::size_t count = from.items.empty() ? 1 : from.items[i];
    std::string text;
    for (std::size_t item = 0; item < count; ++item) {
      text += items[at++];
      record.item_ends.push_back(static_cast<std::uint32_t>(text.size()));
    }
    record.text = contract::ItemText(text);
    if (count == 1) {
      record.item_ends.clear();
    }
  }
  return records;
}

}  // namespace

// What was sent says best what its records are, where its messages do not any more: they are gone, or nothing decodes
// them as they were.
Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Rebuild(const queue::PreparedBatch& from,
                                                                    const std::vector<queue::Member>& members) const {
  Result<std::unique_ptr<queue::PreparedBatch>> decoded = Decoded(from, members);
  if (decoded || from.unsent()) {
    return decoded;
  }
  Result<std::unique_ptr<queue::PreparedBatch>> cut = Cut(from, members);
  return cut ? std::move(cut) : std::move(decoded);
}

Result<std::vector<std::string>> BatchBuilder::ItemsOf(const queue::PreparedBatch& batch) const {
  const auto contract = contract::FindCloudContract(batch.contract, options_.settings);
  RETURN_IF_ERROR(contract);
  const Result<std::string> body = format::Decode(batch.content_encoding, batch.body, batch.uncompressed_bytes);
  RETURN_IF_ERROR(body);
  constexpr std::uint64_t kFurthest = std::numeric_limits<std::size_t>::max();  // beyond any body: refused below
  auto begin = static_cast<std::size_t>(std::min(batch.items_begin, kFurthest));
  auto end = static_cast<std::size_t>(std::min(batch.items_end, kFurthest));
  if (end == 0) {
    // Of an earlier release: what stands around the items is what it would be now.
    const std::vector<RenderedRecord> none(batch.records);
    const contract::Rendered like = (*contract)->RenderBatch(HeaderOf(batch), none);
    const std::size_t behind = like.body.size() - like.items_end;
    begin = like.items_begin;
    end = body->size() >= begin + behind ? body->size() - behind : 0;
    if (end == 0 || body->compare(0, begin, like.body, 0, begin) != 0) {
      return Error{ErrorCode::kCorrupt, "the body of a batch is not what its contract makes now"};
    }
  }
  if (end > body->size() || begin > end) {
    return Error{ErrorCode::kCorrupt, "a batch has less bytes than its items"};
  }
  Result<std::vector<std::string>> items = (*contract)->Items(std::string_view(*body).substr(begin, end - begin));
  RETURN_IF_ERROR(items);
  if (items->size() != batch.item_count()) {
    return Error{ErrorCode::kCorrupt, "a batch has other records than it sent"};
  }
  return items;
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Cut(const queue::PreparedBatch& from,
                                                                const std::vector<queue::Member>& members) const {
  const Result<std::vector<std::string>> items = ItemsOf(from);
  RETURN_IF_ERROR(items);
  std::vector<RenderedRecord> sent = Rejoin(from, *items);
  Draft draft = NewDraft(from.lane, from.created_at, from.replay, MakerOf(from));
  draft.batch->replayed = from.replayed;
  draft.batch->trace_id = from.trace_id;
  draft.batch->oldest_at = from.oldest_at;
  draft.batch->born = from.born;
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
    if (at + member.records > sent.size()) {
      return Error{ErrorCode::kCorrupt, "a batch has other records than it sent"};
    }
    for (std::uint32_t i = 0; i < member.records; ++i) {
      draft.Add(std::move(sent[at + i]));
    }
    draft.batch->members.push_back(member);
    draft.batch->records += member.records;
  }
  return Finish(std::move(draft));
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Decoded(const queue::PreparedBatch& from,
                                                                    const std::vector<queue::Member>& members) const {
  Draft draft = NewDraft(from.lane, from.created_at, from.replay, ContractOfParts(from));
  draft.batch->replayed = from.replayed;
  draft.batch->trace_id = from.trace_id;
  for (const queue::Member& member : members) {
    const Result<queue::StoredMessage> stored = queue_.Read(from.lane, member.sequence);
    if (!stored) {
      return stored.error().With("rebuild a batch");
    }
    Result<std::vector<RenderedRecord>> records = Again(*stored, member, draft, Times::kTaken);
    RETURN_IF_ERROR(records);
    for (std::uint32_t i = 0; i < member.records; ++i) {
      RenderedRecord& record = records->at(i);
      if (record.fate != RenderedRecord::Fate::kItems) {
        return WhyUnfit(record);
      }
      const bool new_part = from.unsent() || UsesTimes(draft.batch->contract);  // its time may have changed
      const std::string part = !draft.records.empty() ? draft.batch->part : new_part ? record.part : from.part;
      if (record.part != part) {
        return Error{ErrorCode::kInvalidArgument, "records of one request belong into several now"};
      }
      draft.Add(*stored, member.first_record + i, member.total_records);
      draft.Add(std::move(record));
    }
  }
  return Finish(std::move(draft));
}

Result<std::vector<std::unique_ptr<queue::PreparedBatch>>> BatchBuilder::ByPresent(
    const queue::PreparedBatch& from, const std::vector<queue::Member>& members) const {
  const auto fresh = [&] {
    Draft draft = NewDraft(from.lane, from.created_at, from.replay, PresentContract());
    draft.batch->replayed = from.replayed;
    draft.batch->trace_id = from.trace_id;
    return draft;
  };
  // What has to wait for its time waits in its place, before it is sent: beside it others would overtake it.
  const Times times = Accepted().outside == contract::Outside::kHold ? Times::kTaken : Times::kJudged;
  Draft unsent = fresh();
  std::map<std::string, Draft> parts;
  for (const queue::Member& member : members) {
    const Result<queue::StoredMessage> stored = queue_.Read(from.lane, member.sequence);
    RETURN_IF_ERROR(stored);
    Result<std::vector<RenderedRecord>> records = Again(*stored, member, unsent, times);
    RETURN_IF_ERROR(records);
    for (std::uint32_t i = 0; i < member.records; ++i) {
      RenderedRecord& record = records->at(i);
      if (record.fate != RenderedRecord::Fate::kItems) {
        unsent.Add(*stored, member.first_record + i, member.total_records);
        continue;
      }
      const auto found = parts.find(record.part);
      Draft& draft = found == parts.end() ? parts.emplace(record.part, fresh()).first->second : found->second;
      draft.Add(*stored, member.first_record + i, member.total_records);
      draft.Add(std::move(record));
    }
  }
  std::vector<std::unique_ptr<queue::PreparedBatch>> batches;
  const auto finish = [&](Draft& draft) -> Status {
    Result<std::unique_ptr<queue::PreparedBatch>> batch = Finish(std::move(draft));
    RETURN_IF_ERROR(batch);
    batches.push_back(*std::move(batch));
    return {};
  };
  for (auto& [part, draft] : parts) {
    RETURN_IF_ERROR(finish(draft));
  }
  if (!unsent.empty()) {
    RETURN_IF_ERROR(finish(unsent));
  }
  return batches;
}

Result<std::vector<RenderedRecord>> BatchBuilder::Again(const queue::StoredMessage& stored, const queue::Member& member,
                                                        const Draft& draft, Times times) const {
  const Lane lane = draft.batch->lane;
  Result<std::vector<CanonicalRecord>> decoded = DecodeMember(stored, lane, member);
  RETURN_IF_ERROR(decoded);
  const Arrival arrival = ArrivalOf(stored, AgesOf(lane, std::span(&stored, 1)).front());
  std::vector<RenderedRecord> records;
  for (CanonicalRecord& record : *decoded) {
    records.push_back(Render(record, arrival, draft, times));
  }
  return records;
}

Result<std::vector<CanonicalRecord>> BatchBuilder::DecodeMember(const queue::StoredMessage& stored, Lane lane,
                                                                const queue::Member& member) const {
  contract::Decoded decoded =
      DecodeAgain(streams_, queue_.ids().Of(lane, stored.sequence), lane, stored, member.total_records);
  if (decoded.kind != contract::Decoded::Kind::kRecords || decoded.records.size() != member.total_records) {
    return Error{ErrorCode::kInvalidArgument, "message " + std::to_string(member.sequence) +
                                                  " does not decode to the records it had: its payload, the " +
                                                  "device contract or the streams were changed"};
  }
  const auto first = decoded.records.begin() + static_cast<std::ptrdiff_t>(member.first_record);
  const auto last = first + static_cast<std::ptrdiff_t>(member.records);
  return std::vector<CanonicalRecord>(std::make_move_iterator(first), std::make_move_iterator(last));
}

Result<std::vector<CanonicalRecord>> BatchBuilder::RecordsOf(Lane lane, const queue::Member& member) const {
  const Result<queue::StoredMessage> stored = queue_.Read(lane, member.sequence);
  RETURN_IF_ERROR(stored);
  return DecodeMember(*stored, lane, member);
}

Result<std::vector<RenderedRecord>> BatchBuilder::JudgeBy(const std::string& contract,
                                                          const queue::PreparedBatch& batch) const {
  Draft draft = NewDraft(batch.lane, batch.created_at, batch.replay, contract);
  draft.batch->replayed = batch.replayed;
  std::vector<RenderedRecord> all;
  for (const queue::Member& member : batch.members) {
    const Result<queue::StoredMessage> stored = queue_.Read(batch.lane, member.sequence);
    RETURN_IF_ERROR(stored);
    Result<std::vector<RenderedRecord>> records = Again(*stored, member, draft, Times::kJudged);
    RETURN_IF_ERROR(records);
    std::move(records->begin(), records->end(), std::back_inserter(all));
  }
  return all;
}

Result<std::unique_ptr<queue::PreparedBatch>> BatchBuilder::Retry(const queue::Suspect& suspect) const {
  Draft draft = NewDraft(suspect.lane, clock_.Wall(), 0, PresentContract());
  draft.batch->suspect = true;
  const queue::StoredMessage stored{suspect.sequence, suspect.message};
  const queue::Member member{suspect.sequence,      suspect.message.stream, suspect.record, 1,
                             suspect.total_records, suspect.received_hour};
  Result<std::vector<RenderedRecord>> records = Again(stored, member, draft, Times::kJudged);
  if (!records) {
    return records.error().With("try a suspect again");
  }
  draft.Add(stored, member.first_record, member.total_records);
  if (records->front().fate == RenderedRecord::Fate::kItems) {
    draft.Add(std::move(records->front()));
  }
  return Finish(std::move(draft));
}

Result<std::vector<BatchBuilder::Redriven>> BatchBuilder::Replay(Lane lane,
                                                                 const std::vector<queue::DeadLetter>& letters) const {
  std::vector<const queue::DeadLetter*> sorted;
  for (const queue::DeadLetter& letter : letters) {
    sorted.push_back(&letter);
  }
  std::sort(sorted.begin(), sorted.end(), [](const queue::DeadLetter* a, const queue::DeadLetter* b) {
    return std::pair(a->sequence, a->record) < std::pair(b->sequence, b->record);
  });
  const WallTime created_at = clock_.Wall();
  struct Group {
    std::vector<std::int64_t> letters;
    Draft draft;
  };
  std::map<std::string, Group> groups;
  std::optional<Error> why;
  for (const queue::DeadLetter* letter : sorted) {
    Draft like = NewDraft(lane, created_at, 0, PresentContract());
    like.batch->replayed = true;
    const queue::StoredMessage stored{letter->sequence, letter->message};  // its payload may have been mended
    const queue::Member member{letter->sequence,      letter->message.stream,
                               letter->record,        1,
                               letter->total_records, queue::HourOf(letter->message.received_at)};
    Result<std::vector<RenderedRecord>> records = Again(stored, member, like, Times::kJudged);
    if (!records || records->front().fate != RenderedRecord::Fate::kItems) {
      why = records ? WhyUnfit(records->front()) : records.error();
      continue;
    }
    Group& group = groups[records->front().part];
    if (!group.draft.batch) {
      like.batch->trace_id = RandomHex(kTraceBytes);
      group.draft = std::move(like);
    }
    group.letters.push_back(letter->id);
    group.draft.AddRecord(member);
    group.draft.batch->oldest_at = group.draft.records.empty()
                                       ? letter->message.received_at
                                       : std::min(group.draft.batch->oldest_at, letter->message.received_at);
    group.draft.Add(std::move(records->front()));
  }
  if (groups.empty() && why) {
    return *why;
  }
  std::vector<Redriven> redriven;
  for (auto& [part, group] : groups) {
    Result<std::unique_ptr<queue::PreparedBatch>> batch = Finish(std::move(group.draft));
    RETURN_IF_ERROR(batch);
    redriven.push_back(Redriven{std::move(group.letters), *std::move(batch)});
  }
  return redriven;
}

}  // namespace packhorse::delivery
