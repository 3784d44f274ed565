#include "delivery/batch_draft.h"

#include <cstddef>
#include <map>

namespace packhorse::delivery {

BatchBuilder::Assembly::Assembly(const BatchBuilder& builder, queue::PrepareRequest& request,
                                 const batch::Options& limits, const Looked& looked)
    : builder_(builder),
      request_(request),
      limits_(limits),
      looked_(looked),
      unsent_(NewDraft(looked.begin.batch->contract)) {}

BatchBuilder::Draft BatchBuilder::Assembly::NewDraft(const std::string& contract) const {
  Draft draft = builder_.NewDraft(request_.lane, looked_.begin.batch->created_at, request_.replay, contract);
  draft.boot = looked_.boot;
  return draft;
}

BatchBuilder::Assembly::Open BatchBuilder::Assembly::MakeOpen(const std::string& contract, const std::string& part,
                                                              Sequence taken) const {
  Draft draft = NewDraft(contract);
  draft.taken = std::max(draft.taken, taken);
  contract::BatchHeader header = builder_.HeaderOf(*draft.batch);
  header.batch_id = std::string(kKeyDigits, '0');  // room for the key, which is given at last
  header.part = part;
  return Open{contract, part, std::move(draft),
              batch::Filler(limits_, builder_.ContractBy(contract).EnvelopeBytes(header))};
}

const BatchBuilder::Assembly::Open* BatchBuilder::Assembly::Find(std::string_view contract,
                                                                 std::string_view part) const {
  const auto found = std::find_if(open_.begin(), open_.end(),
                                  [&](const Open& open) { return open.contract == contract && open.part == part; });
  return found == open_.end() ? nullptr : &*found;
}

BatchBuilder::Assembly::Open& BatchBuilder::Assembly::OpenFor(const contract::RenderedRecord& record) {
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& open) {
    return open.contract == record.contract && open.part == record.part;
  });
  if (found != open_.end()) {
    return *found;
  }
  Open& open = open_.emplace_back(MakeOpen(std::string(record.contract), record.part, 0));
  if (open_.size() == 1) {  // mostly all of them
    const std::size_t most = std::min<std::size_t>(limits_.max_records, looked_.pending.messages.size());
    open.draft.records.reserve(most);
    open.draft.batch->members.reserve(most);
  }
  return open;
}

bool BatchBuilder::Assembly::HasRoom(std::span<const contract::RenderedRecord> records) const {
  if (records.size() == 1 && records.front().fate == contract::RenderedRecord::Fate::kItems) {
    const contract::RenderedRecord& only = records.front();  // as most messages have: nothing to add up
    if (const Open* open = Find(only.contract, only.part)) {
      return open->draft.empty() || open->filler.Fits(only.text.size(), only.items());
    }
  }
  struct Size {
    std::uint64_t bytes = 0;
    std::uint32_t items = 0;
  };
  std::map<std::pair<std::string_view, std::string_view>, Size> parts;  // by contract and part
  for (const contract::RenderedRecord& record : records) {
    if (record.fate == contract::RenderedRecord::Fate::kItems) {
      Size& size = parts[{record.contract, record.part}];
      size.bytes += record.text.size();
      size.items += record.items();
    }
  }
  std::size_t fresh = 0;
  for (const auto& [key, size] : parts) {
    const Open* open = Find(key.first, key.second);
    fresh += open == nullptr ? 1U : 0U;
    if (open != nullptr && !open->draft.empty() && !open->filler.Fits(size.bytes, size.items)) {
      return false;
    }
  }
  const Rollout* rollout = builder_.options_.rollout;
  const std::size_t most =
      std::max<std::size_t>(1, builder_.options_.contract->accepts().max_parts) +
      (rollout == nullptr ? 0 : std::max<std::size_t>(1, rollout->options().contract->accepts().max_parts));
  return open_.empty() || fresh == 0 || open_.size() + fresh <= most;
}

Status BatchBuilder::Assembly::Add(const queue::StoredMessage& stored, const Arrival& arrival,
                                   std::span<contract::RenderedRecord> records) {
  const auto total = static_cast<std::uint32_t>(records.size());
  for (std::uint32_t i = 0; i < total; ++i) {
    if (records[i].fate != contract::RenderedRecord::Fate::kItems) {
      unsent_.Add(stored, i, total);
      continue;
    }
    Open& open = OpenFor(records[i]);
    if (!open.draft.empty() && !open.filler.Fits(records[i].text.size(), records[i].items())) {
      CloseOne(open);
      contract::Decoded again = builder_.DecodeNew(looked_.streams, request_.lane, stored);
      if (again.records.size() != total) {
        return Error{ErrorCode::kInternal, "message " + std::to_string(stored.sequence) + " decodes in two ways"};
      }
      for (std::uint32_t rest = i; rest < total; ++rest) {
        records[rest] = builder_.RenderNew(again.records[rest], arrival, open.draft);
      }
    }
    open.filler.Add(records[i].text.size(), records[i].items());
    open.draft.Add(stored, i, total);
    open.draft.Add(std::move(records[i]));
  }
  return {};
}

bool BatchBuilder::Assembly::full() const {
  return !request_.batches.empty() ||
         std::any_of(open_.begin(), open_.end(), [](const Open& open) { return open.filler.full(); });
}

void BatchBuilder::Assembly::CloseOne(Open& open) {
  request_.batches.push_back(builder_.Compose(std::move(open.draft)));
  open = MakeOpen(open.contract, open.part, request_.batches.back()->members.back().sequence);
}

void BatchBuilder::Assembly::Close() {
  for (Open& open : open_) {
    if (!open.draft.empty()) {
      request_.batches.push_back(builder_.Compose(std::move(open.draft)));
    }
  }
  open_.clear();
  if (!unsent_.empty()) {
    request_.batches.push_back(builder_.Compose(std::move(unsent_)));
  }
}

}  // namespace packhorse::delivery
