// What waits becomes prepared batches: the first part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

// Batches of a lane that may be prepared ahead: what is on the wire, one being settled or ready, one being prepared.
constexpr std::size_t kLineLength = 2;
// Bodies of a line beyond which nothing is prepared for several requests at once; one batch may exceed it.
constexpr std::uint64_t kAheadBytes = 32ULL << 20U;
// What a look at a replay takes at most.
constexpr std::uint64_t kPeekBytes = 8ULL << 20U;
constexpr std::size_t kPeekForParts = 4'096;  // messages
constexpr auto kPrepareRetry = 1s;
constexpr auto kHeldRetry = 10s;

std::uint64_t BodiesOf(const LineState& line) {
  std::uint64_t bytes = 0;
  for (const ActivePtr& active : line.line) {
    bytes += active->batch.body.size();
  }
  return bytes;
}

// For as many requests of a line at once as may be.
std::size_t LengthOf(const LineState& line, std::uint32_t at_once) {
  return at_once <= 1 || BodiesOf(line) >= kAheadBytes ? kLineLength : kLineLength + at_once;
}

}  // namespace

void DestinationImpl::SplitAfterOutage() {
  const bool away = breaker_.state() != limit::CircuitState::kOk;
  if (options_.live_first && was_away_ && !away) {
    for (const Lane lane : kAllLanes) {
      deps_.queue.Split(options_.name, lane, options_.backfill_after);
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
  const bool open = breaker_.state() == limit::CircuitState::kOk;
  const std::size_t ahead = open ? LengthOf(state, options_.any_order ? concurrency_.limit() : 1) : at.replay ? 0 : 1;
  const auto confirming = static_cast<std::size_t>(CountIn(state, Active::State::kConfirming));
  if (!draining_ && !state.preparing && state.line.size() - confirming < ahead && state.line.size() < kLongestLine) {
    next = PrepareWhenDue(at, now);
  }
  if (state.wants != Wants::kNothing && !draining_ && !state.preparing && !at.replay) {
    PrepareOther(at, now);
  }
  return next;
}

void DestinationImpl::PrepareOther(batch::Line at, MonoTime now) {
  LineState& state = StateOf(at);
  const bool newest = state.wants == Wants::kNewest;
  const auto fits = [&](const ActivePtr& active) {
    return active->state == Active::State::kReady && !active->batch.unsent() &&
           (!newest || (active->newest && active->attempts == 0));
  };
  const auto ready = std::count_if(state.line.begin(), state.line.end(), fits);
  if (ready > (newest ? 0 : 1) || (newest ? !MayProbe(state) : state.line.size() >= kLongestLine) ||
      now < state.prepare_not_before || deps_.queue.Waiting(options_.name, PartOf(at)).messages == 0) {
    return;
  }
  StartPrepare(at, newest, now);
}

batch::Options DestinationImpl::ConfiguredLimits() const {
  batch::Options limits = options_.batch;
  const auto obey = [&](const contract::Accepts& accepts) {
    if (accepts.max_items > 0) {
      limits.max_records = std::min(limits.max_records, accepts.max_items);
    }
    if (accepts.max_bytes > 0) {
      limits.max_bytes = std::min(limits.max_bytes, accepts.max_bytes);
    }
    if (accepts.max_sent_bytes > 0) {
      const double fits = static_cast<double>(accepts.max_sent_bytes) / coded_share_;
      limits.max_bytes = std::min(limits.max_bytes, static_cast<std::uint64_t>(fits));
    }
  };
  obey(options_.contract->accepts());
  if (rollout_) {
    obey(rollout_->options().contract->accepts());
  }
  return limits;
}

batch::Options DestinationImpl::BatchLimits() const {
  batch::Options limits = ConfiguredLimits();
  limits.max_records = static_cast<std::uint32_t>(sizes_.records.Limit(limits.max_records));
  limits.max_bytes = sizes_.bytes.Limit(limits.max_bytes);
  return limits;
}

// Of messages for several parts each fills only a request of its own.
std::size_t DestinationImpl::PeekMessages(const batch::Options& limits) const {
  const std::size_t by_present = parted_ ? std::max(1U, options_.contract->accepts().max_parts) : 1;
  const std::size_t parts = by_present + (rollout_ && rollout_->runs() ? 1U : 0U);
  return std::max<std::size_t>(limits.max_records, std::min(kPeekForParts, parts * limits.max_records));
}

MonoTime DestinationImpl::PrepareWhenDue(batch::Line at, MonoTime now) {
  if (at.replay) {
    return options_.keeps_order ? now + kIdle : PrepareReplay(now);
  }
  if (at.backlog && !options_.live_first) {
    return now + kIdle;
  }
  const queue::LanePart part = PartOf(at);
  LineState& state = StateOf(at);
  const queue::PendingStats waiting = deps_.queue.Waiting(options_.name, part);
  if (waiting.messages == 0) {
    state.oldest_seen.reset();
    state.held = false;
    WakeAt(part, 1);
    return now + kIdle;
  }
  if (!state.oldest_seen) {
    state.oldest_seen = now;
  }
  if (now < state.prepare_not_before) {
    return state.prepare_not_before;
  }
  const auto bytes = static_cast<std::uint64_t>(static_cast<double>(waiting.messages) * mean_record_bytes_);
  const batch::Options limits = BatchLimits();
  const batch::Decision decision =
      batch::Decide(limits, batch::Waiting{waiting.messages, bytes, *state.oldest_seen}, flush_ || at.backlog, now);
  if (!decision.due) {
    WakeAt(part, batch::FullAt(limits, mean_record_bytes_));
    return decision.next.value_or(now + kIdle);
  }
  StartPrepare(at, false, now);
  return state.preparing ? now + kIdle : std::max(now, state.prepare_not_before);
}

// Nothing arrives in a backlog.
void DestinationImpl::WakeAt(queue::LanePart part, std::uint64_t messages) {
  if (part.part != queue::Part::kBacklog) {
    deps_.queue.WakeAt(options_.name, part, messages);
  }
}

void DestinationImpl::StartPrepare(batch::Line at, bool newest, MonoTime now) {
  LineState& state = StateOf(at);
  const batch::Options limits = BatchLimits();
  Result<BatchBuilder::Built> built =
      newest ? builder_.BuildNewest(PartOf(at), limits) : builder_.BuildNext(PartOf(at), PeekMessages(limits), limits);
  if (newest && built && built->empty()) {
    state.wants = Wants::kFar;
    return;
  }
  if (!built) {
    last_error_ = built.error().message;
    state.prepare_not_before = now + kPrepareRetry;
    deps_.events.Raise("queue_unreadable", options_.name, built.error().message, deps_.clock.Wall());
    return;
  }
  deps_.events.Resolve("queue_unreadable", options_.name, deps_.clock.Wall());
  state.held = newest ? state.held : !built->held.empty();
  if (!built->held.empty()) {
    times_told_.why_held = "lane " + std::string(Name(at.lane)) + ": " + built->held;
  }
  if (!built->moves()) {
    state.prepare_not_before = now + kHeldRetry;
    return;
  }
  times_told_.outside.Add(built->outside, now);
  for (const queue::Resolution& resolution : built->request.resolutions) {
    if (resolution.outcome == Outcome::kQuarantined) {
      deps_.events.Raise("quarantined", resolution.reason, resolution.detail, deps_.clock.Wall());
    }
  }
  Prepare(at, newest, std::move(built->request));
}

MonoTime DestinationImpl::PrepareReplay(MonoTime now) {
  LineState& state = StateOf(batch::kReplayLine);
  const std::optional<queue::DeliveryPort::DueReplay> due = deps_.queue.NextReplay(options_.name);
  if (!due) {
    return now + kIdle;
  }
  if (now < state.prepare_not_before) {
    return state.prepare_not_before;
  }
  Result<BatchBuilder::Built> built = BuildReplay(*due);
  if (!built) {
    last_error_ = built.error().message;
    state.prepare_not_before = now + kPrepareRetry;
    return state.prepare_not_before;
  }
  std::size_t messages = 0;
  for (const auto& batch : built->request.batches) {
    messages += batch->members.size();
  }
  if (!built->outside.empty()) {
    Tell("replay_refused", "replay " + std::to_string(due->id) + ": " + TextOf(built->outside, builder_.Accepted()));
  }
  state.prepare_not_before = now + messages * std::chrono::nanoseconds(1s) / due->messages_per_second;
  Prepare(batch::kReplayLine, false, std::move(built->request));
  return now + kIdle;
}

Result<BatchBuilder::Built> DestinationImpl::BuildReplay(const queue::DeliveryPort::DueReplay& due) {
  const batch::Options limits = BatchLimits();
  const std::uint32_t most = std::min(limits.max_records, due.messages_per_second);
  Result<queue::ReplayPart> part = deps_.queue.PeekReplay(due.id, most, kPeekBytes);
  return part ? builder_.BuildReplay(due.id, *std::move(part), limits) : Result<BatchBuilder::Built>(part.error());
}

void DestinationImpl::Prepare(batch::Line at, bool newest, queue::PrepareRequest request) {
  std::vector<ActivePtr> prepared;
  for (const auto& batch : request.batches) {
    auto active = std::make_shared<Active>();
    active->batch = *batch;
    active->backlog = at.backlog;
    active->newest = newest;
    if (!batch->unsent()) {
      parted_ = parted_ || !batch->part.empty();
      const auto bytes = static_cast<double>(batch->uncompressed_bytes);
      mean_record_bytes_ = 0.8 * mean_record_bytes_ + 0.2 * bytes / std::max(1U, batch->records);
      coded_share_ = 0.8 * coded_share_ + 0.2 * static_cast<double>(batch->body.size()) / std::max(1.0, bytes);
    }
    prepared.push_back(std::move(active));
  }
  StateOf(at).preparing = true;
  deps_.queue.Prepare(std::move(request), [this, at, prepared, alive = std::weak_ptr<bool>(alive_)](
                                              const Result<std::vector<queue::BatchId>>& ids) {
    if (alive.expired()) {
      return;
    }
    LineState& line_state = StateOf(at);
    line_state.preparing = false;
    line_state.oldest_seen.reset();
    if (!ids) {
      last_error_ = ids.error().message;
      line_state.prepare_not_before = deps_.clock.Mono() + kPrepareRetry;
      return;
    }
    for (std::size_t i = 0; i < prepared.size(); ++i) {
      prepared[i]->batch.id = (*ids)[i];
      line_state.line.push_back(prepared[i]);
    }
  });
}

}  // namespace packhorse::delivery
