// Messages that wait become batches: the third part of BatchBuilder.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

#include "base/clock.h"
#include "delivery/batch_draft.h"

namespace packhorse::delivery {
namespace {

using contract::RenderedRecord;
using namespace std::chrono_literals;

// What one look at the queue takes at most.
constexpr std::uint64_t kLookBytes = 8ULL << 20U;
// A probe with what is newest: one message tells most, for whatever else is wrong is more likely in many.
constexpr std::uint32_t kProbeMessages = 1;
// How long before its batch a look may have begun: times and ages are as of then.
constexpr auto kLongestAhead = 10s;

queue::Resolution Resolve(const queue::StoredMessage& stored, const contract::Decoded& decoded) {
  const bool ignored = decoded.kind == contract::Decoded::Kind::kIgnored;
  // A message that decodes to nothing is as undecodable as any other: it must not vanish.
  return queue::Resolution{stored.sequence, ignored ? Outcome::kIgnored : Outcome::kQuarantined,
                           decoded.reason.empty() ? "no_records" : decoded.reason, decoded.detail, stored.message};
}

bool IsSkipped(const RenderedRecord& record) { return record.fate == RenderedRecord::Fate::kSkipped; }
bool IsHeld(const RenderedRecord& record) { return record.fate == RenderedRecord::Fate::kHeld; }

std::size_t CountThrough(const queue::Pending& pending, Sequence through) {
  const auto end =
      std::upper_bound(pending.messages.begin(), pending.messages.end(), through,
                       [](Sequence sequence, const queue::StoredMessage& each) { return sequence < each.sequence; });
  return static_cast<std::size_t>(end - pending.messages.begin());
}

std::uint64_t PayloadBytes(std::span<const queue::StoredMessage> messages) {
  return std::accumulate(messages.begin(), messages.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& each) { return sum + each.message.payload.size(); });
}

}  // namespace

BatchBuilder::BatchBuilder(BuilderOptions options, queue::DeliveryPort& queue, const Streams& streams,
                           const Clock& clock)
    : options_(std::move(options)), queue_(queue), streams_(streams), clock_(clock) {}

BatchBuilder::~BatchBuilder() = default;

Result<BatchBuilder::Built> BatchBuilder::BuildNext(queue::LanePart of, std::size_t most,
                                                    const batch::Options& limits) {
  std::unique_ptr<Look> look = TakeNext(of, most);
  if (look == nullptr) {
    Result<queue::Pending> pending = queue_.Peek(options_.destination, of, most, kLookBytes);
    RETURN_IF_ERROR(pending);
    look = Begin(LookAt(Start{of.lane}, *std::move(pending)));
  }
  return FillWithin(std::move(look), limits, Ahead{of, most});
}

Result<BatchBuilder::Built> BatchBuilder::BuildNewest(queue::LanePart of, const batch::Options& limits) {
  Result<queue::Pending> pending = queue_.PeekNewest(options_.destination, of, kProbeMessages, kLookBytes);
  RETURN_IF_ERROR(pending);
  return BuildThese(of.lane, *std::move(pending), limits);
}

Result<BatchBuilder::Built> BatchBuilder::BuildThese(Lane lane, queue::Pending pending, const batch::Options& limits) {
  return FillWithin(Begin(LookAt(Start{lane}, std::move(pending))), limits, std::nullopt);
}

Result<BatchBuilder::Built> BatchBuilder::BuildReplay(queue::ReplayId replay, queue::ReplayPart part,
                                                      const batch::Options& limits) {
  const Start start{part.lane, replay};
  Result<Built> built = FillWithin(Begin(LookAt(start, std::move(part.pending))), limits, std::nullopt);
  if (built) {
    queue::PrepareRequest& request = built->request;
    const auto end = std::upper_bound(part.skipped.begin(), part.skipped.end(), request.through);
    request.skipped = static_cast<std::uint64_t>(end - part.skipped.begin());
  }
  return built;
}

std::shared_ptr<BatchBuilder::Looked> BatchBuilder::LookAt(const Start& start, queue::Pending pending) const {
  auto looked = std::make_shared<Looked>();
  looked->start = start;
  looked->boot = clock_.Boot();
  looked->ages = AgesOf(start.lane, pending.messages);
  looked->pending = std::move(pending);
  looked->begin = NewDraft(start.lane, clock_.Wall(), start.replay, PresentContract());
  looked->streams = streams_;
  return looked;
}

std::unique_ptr<BatchBuilder::Look> BatchBuilder::Begin(const std::shared_ptr<Looked>& looked) {
  auto look = std::make_unique<Look>();
  look->looked = looked;
  look->made.emplace(
      *ahead_, looked->pending.messages.size(),
      [this, shared = std::shared_ptr<const Looked>(looked)](std::size_t i, std::vector<RenderedRecord>& rendered) {
        return MakeOf(*shared, i, rendered);
      });
  return look;
}

// About as many bytes as went into a batch that was full by them: what does not fit is made in vain. Where less
// follows, more may have arrived when it is their turn. A stamp of a clock that is not right may be corrected until
// then.
std::optional<std::uint64_t> BatchBuilder::BytesOfNext(const Ahead& ahead, const Looked& before,
                                                       Sequence through) const {
  const std::size_t taken = CountThrough(before.pending, through);
  const std::uint64_t fitted = PayloadBytes(std::span(before.pending.messages).first(taken));
  const bool by_bytes = taken < before.pending.messages.size();
  // Nothing is read that would not be used.
  const std::size_t least = by_bytes ? WorkingAhead::kWorthIt : ahead.most;
  if (ahead.most < WorkingAhead::kWorthIt || queue_.Waiting(options_.destination, ahead.of).messages < taken + least ||
      (taken > 0 && before.pending.messages[taken - 1].message.clock == ClockState::kUnsynchronized)) {
    return std::nullopt;
  }
  return by_bytes ? fitted + fitted / 8 : kLookBytes;
}

// An error comes again when it is their turn.
void BatchBuilder::BeginNext(const Ahead& ahead, const Start& start, Sequence through, std::uint64_t bytes) {
  Result<queue::Pending> pending =
      queue_.PeekBehind(through, options_.destination, ahead.of, ahead.most, bytes, std::exchange(room_, {}));
  if (!pending) {
    return;
  }
  const std::vector<queue::StoredMessage>& messages = pending->messages;
  const bool full = messages.size() == ahead.most || PayloadBytes(messages) >= bytes - bytes / 8;
  const bool stamped = std::none_of(messages.begin(), messages.end(), [](const queue::StoredMessage& each) {
    return each.message.clock == ClockState::kUnsynchronized;
  });
  if (full && stamped && messages.size() >= WorkingAhead::kWorthIt) {
    next_ = Begin(LookAt(start, *std::move(pending)));
    next_->ahead = ahead;
  }
}

void BatchBuilder::ForgetOldLook() {
  if (next_ == nullptr) {
    return;
  }
  const auto since = clock_.Wall() - next_->looked->begin.batch->created_at;
  if (since < 0s || since >= kLongestAhead || clock_.Boot() - next_->looked->boot >= kLongestAhead) {
    next_ = nullptr;
    room_ = {};
  }
}

std::unique_ptr<BatchBuilder::Look> BatchBuilder::TakeNext(queue::LanePart of, std::size_t most) {
  ForgetOldLook();
  if (next_ == nullptr) {
    return nullptr;
  }
  if (next_->ahead->of.lane != of.lane || next_->ahead->of.part != of.part) {
    return nullptr;  // its turn comes
  }
  const Looked& looked = *next_->looked;
  std::unique_ptr<Look> next = std::move(next_);
  const queue::Pending& pending = looked.pending;
  const queue::PendingStats waiting = queue_.Waiting(options_.destination, of);
  // Whether a record goes out behind later ones is as it was.
  const bool same_order = CountThrough(pending, queue_.HighestTaken(options_.destination, of.lane)) ==
                          CountThrough(pending, looked.begin.taken);
  const bool holds = next->ahead->most == most && looked.streams.IsSame(streams_) && same_order &&
                     waiting.from == pending.from && waiting.through >= pending.through &&
                     looked.begin.batch->contract == PresentContract();
  return holds ? std::move(next) : nullptr;
}

// How far bytes can be coded is only known afterwards. Each round allows fewer items, until each record is alone.
Result<BatchBuilder::Built> BatchBuilder::FillWithin(std::unique_ptr<Look> look, batch::Options limits,
                                                     const std::optional<Ahead>& ahead) {
  std::uint64_t most = options_.contract->accepts().max_sent_bytes;
  if (options_.rollout != nullptr) {
    const std::uint64_t newer = options_.rollout->options().contract->accepts().max_sent_bytes;
    most = most == 0 || newer == 0 ? std::max(most, newer) : std::min(most, newer);
  }
  while (true) {
    const std::shared_ptr<Looked> looked = look->looked;
    Result<Built> built = Fill(std::move(look), limits, ahead);
    if (!built) {
      return built;
    }
    const auto& batches = built->request.batches;
    const auto over = std::find_if(batches.begin(), batches.end(), [most](const auto& batch) {
      return most > 0 && batch->records > 1 && batch->body.size() > most;
    });
    if (over == batches.end()) {
      if (ahead) {  // nobody looks at these messages any more
        room_ = next_ != nullptr ? std::move(looked->pending) : queue::Pending{};
      }
      return built;
    }
    const queue::PreparedBatch& batch = **over;
    const double share = static_cast<double>(most) / static_cast<double>(batch.body.size());
    const auto items = static_cast<std::uint32_t>(static_cast<double>(batch.item_count()) * share);
    limits.max_bytes = static_cast<std::uint64_t>(static_cast<double>(batch.uncompressed_bytes) * share);
    limits.max_records = std::max(1U, std::min(limits.max_records - 1, items));
    if (ahead) {
      next_ = nullptr;
    }
    look = Begin(looked);
  }
}

Result<BatchBuilder::Built> BatchBuilder::Fill(std::unique_ptr<Look> look, const batch::Options& limits,
                                               const std::optional<Ahead>& ahead) {
  const std::shared_ptr<const Looked> looked = look->looked;
  const queue::Pending& pending = looked->pending;
  Built built{
      {options_.destination, looked->start.lane, pending.from, pending.from - 1, {}, {}, looked->start.replay}, {}, {}};
  Assembly assembly(*this, built.request, limits, *looked);
  bool all = true;
  for (std::size_t i = 0; i < pending.messages.size() && all; ++i) {
    const Result<bool> taken = FillOne(*look, i, assembly, built);
    RETURN_IF_ERROR(taken);
    all = *taken;
  }
  look = nullptr;  // the other thread is free for the next one
  if (all) {
    built.request.through = pending.through;
  }
  const bool goes_on = ahead && built.held.empty() && next_ == nullptr;
  RETURN_IF_ERROR(FinishAndBeginNext(assembly, built.request, goes_on ? ahead : std::nullopt, *looked));
  return built;
}

// The other thread reads what is next and begins with it meanwhile. It alone has the queue until the batches are done.
Status BatchBuilder::FinishAndBeginNext(Assembly& assembly, queue::PrepareRequest& request,
                                        const std::optional<Ahead>& ahead, const Looked& looked) {
  std::optional<WorkingAhead::Task> next;
  const auto bytes = ahead ? BytesOfNext(*ahead, looked, request.through) : std::optional<std::uint64_t>();
  if (bytes) {
    next.emplace(*ahead_, [&] { BeginNext(*ahead, looked.start, request.through, *bytes); });
  }
  assembly.Close();
  for (const std::unique_ptr<queue::PreparedBatch>& batch : request.batches) {
    RETURN_IF_ERROR(Code(*batch));
  }
  return {};
}

// A newer contract is asked on the loop: what becomes of a record by it is noted.
contract::Decoded BatchBuilder::MakeOf(const Looked& looked, std::size_t i,
                                       std::vector<RenderedRecord>& rendered) const {
  constexpr std::size_t kSpareFields = 256;
  thread_local std::vector<CanonicalRecord> spare;
  const queue::StoredMessage& stored = looked.pending.messages[i];
  contract::Decoded decoded = DecodeNew(looked.streams, looked.start.lane, stored, &spare);
  if (options_.rollout == nullptr) {
    const Arrival arrival = ArrivalOf(stored, looked.ages[i]);
    for (CanonicalRecord& record : decoded.records) {
      rendered.push_back(RenderBy(looked.begin.batch->contract, record, arrival, looked.begin, Times::kJudged));
    }
    const bool small = decoded.records.size() == 1 && decoded.records[0].measurements.size() <= kSpareFields &&
                       decoded.records[0].attributes.size() <= kSpareFields;
    spare = small ? std::move(decoded.records) : std::vector<CanonicalRecord>();
    decoded.records.clear();
  }
  return decoded;
}

Result<bool> BatchBuilder::FillOne(Look& look, std::size_t i, Assembly& assembly, Built& built) const {
  queue::PrepareRequest& request = built.request;
  if (assembly.full()) {
    return false;
  }
  const queue::StoredMessage& stored = look.looked->pending.messages[i];
  auto [decoded, rendered] = look.made->Next();
  const Arrival arrival = ArrivalOf(stored, look.looked->ages[i]);
  for (std::size_t r = 0; r < rendered.size(); ++r) {
    if (rendered[r].unfit_items > 0) {
      const auto record = static_cast<std::uint32_t>(r);
      const auto total = static_cast<std::uint32_t>(rendered.size());
      TellLeftOut(RecordIdAt(request.lane, stored.sequence, record, total), rendered[r]);
    }
  }
  std::vector<RenderedRecord> on_loop;
  for (CanonicalRecord& record : decoded.records) {
    on_loop.push_back(RenderNew(record, arrival, assembly.draft()));
  }
  if (!on_loop.empty()) {
    rendered = on_loop;
  }
  if (rendered.empty()) {
    request.resolutions.push_back(Resolve(stored, decoded));
  } else if (const auto held = std::find_if(rendered.begin(), rendered.end(), IsHeld); held != rendered.end()) {
    built.held = held->reason + ": " + held->detail;
    return false;
  } else if (std::all_of(rendered.begin(), rendered.end(), IsSkipped)) {
    request.resolutions.push_back(queue::Resolution{stored.sequence, Outcome::kSkipped, rendered.front().reason,
                                                    rendered.front().detail, stored.message});
    for (const RenderedRecord& record : rendered) {
      built.outside.Add(record);
    }
  } else if (!assembly.HasRoom(rendered)) {
    return false;
  } else {
    RETURN_IF_ERROR(assembly.Add(stored, arrival, rendered));
  }
  request.through = stored.sequence;
  look.made->Take();
  return true;
}

}  // namespace packhorse::delivery
