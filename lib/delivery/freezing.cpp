// What waits becomes frozen batches: the first part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

// Batches of a lane that may be frozen ahead: one on the wire, one being prepared.
constexpr std::size_t kLineLength = 2;
// What one look at the queue takes at most.
constexpr std::uint64_t kPeekBytes = 8ULL << 20U;
constexpr auto kFreezeRetry = 1s;
// Batches frozen before their turn, as probes, and with their parts.
constexpr std::ptrdiff_t kMaxProbes = 16;
constexpr std::size_t kLongestLine = 64;
// A probe with what is newest: one message tells most, for whatever else is wrong is more likely in many.
constexpr std::uint32_t kProbeMessages = 1;

}  // namespace

void DestinationImpl::SplitAfterOutage() {
  const bool away = gate_.state() != limit::GateState::kOk;
  if (options_.live_first && was_away_ && !away) {
    for (const Lane lane : queue::kAllLanes) {
      around_.queue.Split(options_.name, lane, options_.backfill_after);
    }
  }
  was_away_ = away;
}

queue::LanePart DestinationImpl::PartOf(batch::Line at) const {
  if (!options_.live_first) {
    return at.lane;
  }
  return {at.lane, at.backlog ? queue::Part::kBacklog : queue::Part::kLive};
}

MonoTime DestinationImpl::PrepareLine(batch::Line at, MonoTime now) {
  LineState& state = StateOf(at);
  MonoTime next = now + kIdle;
  const bool open = gate_.state() == limit::GateState::kOk;
  const std::size_t ahead = open ? kLineLength : at.replay ? 0 : 1;
  if (!draining_ && !state.freezing && state.line.size() < ahead) {
    next = FreezeWhenDue(at, now);
  }
  if (state.wants != Wants::kNothing && !draining_ && !state.freezing && !at.replay) {
    PrepareOther(at, now);
  }
  return next;
}

void DestinationImpl::PrepareOther(batch::Line at, MonoTime now) {
  LineState& state = StateOf(at);
  const bool newest = state.wants == Wants::kNewest;
  const auto fits = [&](const ActivePtr& active) {
    return active->state == Active::State::kReady && (!newest || (active->newest && active->attempts == 0));
  };
  const auto ready = std::count_if(state.line.begin(), state.line.end(), fits);
  if (ready > (newest ? 0 : 1) || (newest ? !MayProbe(state) : state.line.size() >= kLongestLine) ||
      now < state.freeze_not_before || around_.queue.Waiting(options_.name, PartOf(at)).messages == 0) {
    return;
  }
  StartFreeze(at, newest, now);
}

bool DestinationImpl::MayProbe(const LineState& line) {
  const auto probes =
      std::count_if(line.line.begin(), line.line.end(), [](const ActivePtr& active) { return active->newest; });
  return probes < kMaxProbes && line.line.size() < kLongestLine;
}

batch::Options DestinationImpl::ConfiguredLimits() const {
  batch::Options limits = options_.batch;
  limits.max_records = std::min(limits.max_records, options_.contract->max_records());
  limits.max_bytes = std::min(limits.max_bytes, options_.contract->max_bytes());
  return limits;
}

batch::Options DestinationImpl::BatchLimits() const {
  batch::Options limits = ConfiguredLimits();
  limits.max_records = static_cast<std::uint32_t>(sizes_.records.Limit(limits.max_records));
  limits.max_bytes = sizes_.bytes.Limit(limits.max_bytes);
  return limits;
}

MonoTime DestinationImpl::FreezeWhenDue(batch::Line at, MonoTime now) {
  if (at.replay) {
    return options_.keeps_order ? now + kIdle : FreezeReplay(now);
  }
  if (at.backlog && !options_.live_first) {
    return now + kIdle;
  }
  const queue::LanePart part = PartOf(at);
  LineState& state = StateOf(at);
  const queue::PendingStats waiting = around_.queue.Waiting(options_.name, part);
  if (waiting.messages == 0) {
    state.oldest_seen.reset();
    WakeAt(part, 1);
    return now + kIdle;
  }
  if (!state.oldest_seen) {
    state.oldest_seen = now;
  }
  if (now < state.freeze_not_before) {
    return state.freeze_not_before;
  }
  const auto bytes = static_cast<std::uint64_t>(static_cast<double>(waiting.messages) * mean_record_bytes_);
  const batch::Options limits = BatchLimits();
  const batch::Decision decision =
      batch::Decide(limits, batch::Waiting{waiting.messages, bytes, *state.oldest_seen}, flush_ || at.backlog, now);
  if (!decision.due) {
    WakeAt(part, batch::FullAt(limits, mean_record_bytes_));
    return decision.next.value_or(now + kIdle);
  }
  StartFreeze(at, false, now);
  return now + kIdle;
}

// Nothing arrives in a backlog.
void DestinationImpl::WakeAt(queue::LanePart part, std::uint64_t messages) {
  if (part.part != queue::Part::kBacklog) {
    around_.queue.WakeAt(options_.name, part, messages);
  }
}

void DestinationImpl::StartFreeze(batch::Line at, bool newest, MonoTime now) {
  const Lane lane = at.lane;
  LineState& state = StateOf(at);
  const batch::Options limits = BatchLimits();
  const Result<queue::Pending> pending =
      newest ? around_.queue.PeekNewest(options_.name, PartOf(at), kProbeMessages, kPeekBytes)
             : around_.queue.Peek(options_.name, PartOf(at), limits.max_records, kPeekBytes);
  if (newest && pending && pending->messages.empty()) {
    state.wants = Wants::kFar;
    return;
  }
  Result<queue::FreezeRequest> request =
      pending ? builder_.Build(lane, *pending, limits) : Result<queue::FreezeRequest>(pending.error());
  if (!request) {
    last_error_ = request.error().message;
    state.freeze_not_before = now + kFreezeRetry;
    around_.events.Raise("queue_unreadable", options_.name, request.error().message, around_.clock.Wall());
    return;
  }
  around_.events.Resolve("queue_unreadable", options_.name, around_.clock.Wall());
  for (const queue::Resolution& resolution : request->resolutions) {
    if (resolution.outcome == Outcome::kQuarantined) {
      around_.events.Raise("quarantined", resolution.reason, resolution.detail, around_.clock.Wall());
    }
  }
  Freeze(at, newest, *std::move(request));
}

MonoTime DestinationImpl::FreezeReplay(MonoTime now) {
  LineState& state = StateOf(batch::kReplayLine);
  const std::optional<queue::Queue::ReplayTurn> turn = around_.queue.NextReplay(options_.name);
  if (!turn) {
    return now + kIdle;
  }
  if (now < state.freeze_not_before) {
    return state.freeze_not_before;
  }
  Result<queue::FreezeRequest> request = BuildReplay(*turn);
  if (!request) {
    last_error_ = request.error().message;
    state.freeze_not_before = now + kFreezeRetry;
    return state.freeze_not_before;
  }
  std::size_t messages = 0;
  for (const auto& batch : request->batches) {
    messages += batch->members.size();
  }
  state.freeze_not_before = now + messages * std::chrono::nanoseconds(1s) / turn->rate;
  Freeze(batch::kReplayLine, false, *std::move(request));
  return now + kIdle;
}

Result<queue::FreezeRequest> DestinationImpl::BuildReplay(const queue::Queue::ReplayTurn& turn) {
  const batch::Options limits = BatchLimits();
  const std::uint32_t most = std::min(limits.max_records, turn.rate);
  const Result<queue::ReplayPart> part = around_.queue.PeekReplay(turn.id, most, kPeekBytes);
  return part ? builder_.Build(turn.id, *part, limits) : Result<queue::FreezeRequest>(part.error());
}

void DestinationImpl::Freeze(batch::Line at, bool newest, queue::FreezeRequest request) {
  std::vector<ActivePtr> frozen;
  for (const auto& batch : request.batches) {
    auto active = std::make_shared<Active>();
    active->batch = *batch;
    active->backlog = at.backlog;
    active->newest = newest;
    mean_record_bytes_ =
        0.8 * mean_record_bytes_ + 0.2 * static_cast<double>(batch->uncompressed_bytes) / std::max(1U, batch->records);
    frozen.push_back(std::move(active));
  }
  StateOf(at).freezing = true;
  around_.queue.Freeze(std::move(request), [this, at, frozen, alive = std::weak_ptr<bool>(alive_)](
                                               const Result<std::vector<queue::BatchId>>& ids) {
    if (alive.expired()) {
      return;
    }
    LineState& line_state = StateOf(at);
    line_state.freezing = false;
    line_state.oldest_seen.reset();
    if (!ids) {
      last_error_ = ids.error().message;
      line_state.freeze_not_before = around_.clock.Mono() + kFreezeRetry;
      return;
    }
    for (std::size_t i = 0; i < frozen.size(); ++i) {
      frozen[i]->batch.id = (*ids)[i];
      line_state.line.push_back(frozen[i]);
    }
  });
}

}  // namespace packhorse::delivery
