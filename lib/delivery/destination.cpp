#include "delivery/destination.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

// Batches of a lane that may be frozen ahead: one on the wire, one being prepared.
constexpr std::size_t kLineLength = 2;
constexpr std::uint32_t kMaxInFlight = 3;  // one per lane
// What one look at the queue takes at most.
constexpr std::uint64_t kPeekBytes = 8ULL << 20U;
constexpr auto kFreezeRetry = 1s;
constexpr auto kIdle = 3600s;
constexpr std::uint32_t kRetryFloorPerMinute = 30;
constexpr std::size_t kSpanBytes = 8;

constexpr std::array kLanes = {Lane::kUrgent, Lane::kNormal, Lane::kBulk};

BuilderOptions BuilderOptionsOf(const Options& options) {
  return BuilderOptions{options.name,     options.gateway_id, options.gateway_attributes,
                        options.contract, options.gzip,       options.backfill_after};
}

}  // namespace

DestinationImpl::DestinationImpl(Options options, std::unique_ptr<auth::Credentials> credentials,
                                 Surroundings surroundings)
    : options_(std::move(options)),
      credentials_(std::move(credentials)),
      around_(surroundings),
      builder_(BuilderOptionsOf(options_), around_.queue, around_.streams, around_.clock),
      gate_(options_.gate, RandomSeed()),
      budget_(options_.retry_budget, kRetryFloorPerMinute),
      limits_(options_.limits),
      turns_(options_.backfill_share) {}

Status DestinationImpl::Start() {
  Result<std::vector<queue::FrozenBatch>> batches = around_.queue.FrozenBatches(options_.name);
  if (!batches) {
    return batches.error().With("destination " + options_.name);
  }
  for (queue::FrozenBatch& batch : *batches) {
    auto active = std::make_shared<Active>();
    active->may_have_arrived = batch.maybe_sent;
    active->batch = std::move(batch);
    LineOf(*active).line.push_back(std::move(active));
  }
  return {};
}

bool DestinationImpl::idle() const {
  return in_flight_ == 0 && std::all_of(lines_.begin(), lines_.end(), [](const LineState& state) {
           return !state.freezing && std::all_of(state.line.begin(), state.line.end(), [](const ActivePtr& active) {
             return active->state == Active::State::kReady;
           });
         });
}

MonoTime DestinationImpl::Step(MonoTime now) {
  gate_.Tick(now);
  limits_.SetFactor(gate_.RampFactor(now));
  SplitAfterOutage();
  MonoTime next = now + kIdle;
  for (std::size_t i = 0; i < batch::kLines; ++i) {
    next = std::min(next, PrepareLine(batch::LineAt(i), now));
  }
  next = std::min(next, SendInTurn(now));
  if (flush_ && std::all_of(kLanes.begin(), kLanes.end(),
                            [&](Lane lane) { return around_.queue.Waiting(options_.name, lane).messages == 0; })) {
    flush_ = false;
  }
  return next;
}

void DestinationImpl::SplitAfterOutage() {
  const bool away = gate_.state() != limit::GateState::kOk;
  if (options_.live_first && was_away_ && !away) {
    for (const Lane lane : kLanes) {
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
  if (state.line.empty() && !state.suspects.empty() && !state.freezing) {
    // Nothing else to try: whether the other side has come to its senses.
    state.line.push_back(std::move(state.suspects.front()));
    state.suspects.pop_front();
  }
  return next;
}

DestinationImpl::ActivePtr DestinationImpl::HeadOf(const LineState& line) {
  for (const ActivePtr& active : line.line) {
    if (active->state == Active::State::kReady) {
      return active;
    }
    if (active->state == Active::State::kSending || active->has_successors) {
      break;
    }
  }
  return nullptr;
}

MonoTime DestinationImpl::SendInTurn(MonoTime now) {
  MonoTime next = now + kIdle;
  while (true) {
    batch::Ready ready{};
    for (std::size_t i = 0; i < batch::kLines; ++i) {
      if (const ActivePtr head = HeadOf(lines_.at(i))) {
        const MonoTime at = ReadyAt(*head, now);
        ready.at(i) = at <= now;
        next = at > now ? std::min(next, at) : next;
      }
    }
    const std::optional<batch::Line> turn = turns_.Next(ready);
    if (!turn || in_flight_ >= gate_.MaxInFlight(kMaxInFlight)) {
      return next;
    }
    if (!gate_.MaySend(now)) {
      return gate_.NextSend(now).value_or(now + kIdle);
    }
    // Whoever has the turn waits for the limits with it: what is smaller must not slip past for ever.
    const ActivePtr head = HeadOf(StateOf(*turn));
    if (const MonoTime at = AdmittedAt(*head, now); at > now) {
      return std::min(next, at);
    }
    Send(head, now);
    turns_.Took(*turn, ready);
  }
}

batch::Options DestinationImpl::BatchLimits() const {
  batch::Options limits = options_.batch;
  limits.max_records = std::min(limits.max_records, options_.contract->max_records());
  limits.max_bytes = std::min(limits.max_bytes, options_.contract->max_bytes());
  if (learnt_max_bytes_ > 0) {
    limits.max_bytes = std::min(limits.max_bytes, learnt_max_bytes_);
  }
  return limits;
}

MonoTime DestinationImpl::FreezeWhenDue(batch::Line at, MonoTime now) {
  if (at.replay) {
    return FreezeReplay(now);
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
  StartFreeze(at, now);
  return now + kIdle;
}

// Nothing arrives in a backlog.
void DestinationImpl::WakeAt(queue::LanePart part, std::uint64_t messages) {
  if (part.part != queue::Part::kBacklog) {
    around_.queue.WakeAt(options_.name, part, messages);
  }
}

void DestinationImpl::StartFreeze(batch::Line at, MonoTime now) {
  const Lane lane = at.lane;
  LineState& state = StateOf(at);
  const batch::Options limits = BatchLimits();
  const Result<queue::Pending> pending = around_.queue.Peek(options_.name, PartOf(at), limits.max_records, kPeekBytes);
  Result<queue::FreezeRequest> request =
      pending ? builder_.Build(lane, *pending, limits) : Result<queue::FreezeRequest>(pending.error());
  if (!request) {
    last_error_ = request.error().message;
    state.freeze_not_before = now + kFreezeRetry;
    around_.events.Raise(health::Severity::kP0, "queue_unreadable", options_.name, request.error().message,
                         around_.clock.Wall());
    return;
  }
  around_.events.Resolve("queue_unreadable", options_.name, around_.clock.Wall());
  for (const queue::Resolution& resolution : request->resolutions) {
    if (resolution.outcome == Outcome::kQuarantined) {
      around_.events.Raise(health::Severity::kP3, "quarantined", resolution.reason, resolution.detail,
                           around_.clock.Wall());
    }
  }
  Freeze(at, *std::move(request));
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
  Freeze(batch::kReplayLine, *std::move(request));
  return now + kIdle;
}

Result<queue::FreezeRequest> DestinationImpl::BuildReplay(const queue::Queue::ReplayTurn& turn) {
  const batch::Options limits = BatchLimits();
  const std::uint32_t most = std::min(limits.max_records, turn.rate);
  const Result<queue::ReplayPart> part = around_.queue.PeekReplay(turn.id, most, kPeekBytes);
  return part ? builder_.Build(turn.id, *part, limits) : Result<queue::FreezeRequest>(part.error());
}

void DestinationImpl::Freeze(batch::Line at, queue::FreezeRequest request) {
  std::vector<ActivePtr> frozen;
  for (const auto& batch : request.batches) {
    auto active = std::make_shared<Active>();
    active->batch = *batch;
    active->backlog = at.backlog;
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

limit::Cost DestinationImpl::CostOf(const Active& active) const {
  return limit::Cost{1, active.batch.records, active.batch.body.size()};
}

MonoTime DestinationImpl::ReadyAt(const Active& active, MonoTime now) const {
  const MonoTime at = std::max(now, active.not_before);
  return active.attempts > 0 && gate_.state() == limit::GateState::kRetrying ? std::max(at, budget_.NextRetry(now))
                                                                             : at;
}

MonoTime DestinationImpl::AdmittedAt(const Active& active, MonoTime now) const {
  const limit::Cost cost = CostOf(active);
  MonoTime at = limits_.NextAdmission(cost, now);
  if (around_.shared != nullptr) {
    at = std::max(at, around_.shared->NextAdmission(cost, now));
  }
  return at;
}

std::vector<std::pair<std::string, std::string>> DestinationImpl::Headers(const queue::FrozenBatch& batch) const {
  std::vector<std::pair<std::string, std::string>> headers = {
      {"Content-Type", batch.content_type},
      {"Accept", "application/json, application/problem+json"},
      // W3C Trace Context: one trace per batch, one span per attempt.
      {"traceparent", "00-" + batch.trace_id + "-" + RandomHex(kSpanBytes) + "-01"}};
  if (!batch.content_encoding.empty()) {
    headers.emplace_back("Content-Encoding", batch.content_encoding);
  }
  if (const std::string& name = options_.contract->idempotency_header(); !name.empty()) {
    // A structured field String: the quotes are part of the value (IETF httpapi idempotency-key draft).
    headers.emplace_back(name, "\"" + batch.idempotency_key + "\"");
  }
  if (credentials_ != nullptr) {
    for (auto& header : credentials_->Headers()) {
      headers.push_back(std::move(header));
    }
  }
  return headers;
}

void DestinationImpl::Send(const ActivePtr& active, MonoTime now) {
  const limit::Cost cost = CostOf(*active);
  limits_.Admit(cost, now);
  if (around_.shared != nullptr) {
    around_.shared->Admit(cost, now);
  }
  if (active->attempts == 0) {
    budget_.CountFirst(now);
  } else {
    budget_.CountRetry(now);
    ++retries_;
  }
  ++active->attempts;
  ++requests_;
  ++in_flight_;
  active->state = Active::State::kSending;
  upload::Request request{options_.contract->method(), active->batch.path, Headers(active->batch), active->batch.body};
  around_.uploader.Send(options_.endpoint, std::move(request),
                        [this, active, alive = std::weak_ptr<bool>(alive_)](upload::Response response) {
                          if (!alive.expired()) {
                            OnResponse(active, std::move(response));
                          }
                        });
}

void DestinationImpl::Nudge(MonoTime now) {
  if (credentials_ != nullptr) {
    if (const Result<bool> refreshed = credentials_->Refresh(); !refreshed) {
      around_.events.Raise(health::Severity::kP1, "secret_unreadable", options_.name, refreshed.error().message,
                           around_.clock.Wall());
    } else {
      around_.events.Resolve("secret_unreadable", options_.name, around_.clock.Wall());
    }
  }
  for (const LineState& state : lines_) {
    for (const ActivePtr& active : state.line) {
      active->other_credential_tried = false;
      active->credentials_refreshed = false;
    }
  }
  gate_.Nudge(now);
}

void DestinationImpl::Pause(std::optional<std::chrono::milliseconds> duration, MonoTime now) {
  gate_.Pause(duration ? std::optional(now + *duration) : std::nullopt, around_.clock.Wall());
}

void DestinationImpl::Resume(MonoTime now) { gate_.Resume(now); }

void DestinationImpl::ReplayDead(const std::vector<queue::DeadLetter>& letters,
                                 std::function<void(Result<std::uint32_t>)> done) {
  std::map<Lane, std::vector<queue::DeadLetter>> by_lane;
  for (const queue::DeadLetter& letter : letters) {
    by_lane[letter.lane].push_back(letter);
  }
  if (by_lane.empty()) {
    done(0U);
    return;
  }
  if (by_lane.size() > 1 || letters.size() > BatchLimits().max_records) {
    done(Error{ErrorCode::kLimitExceeded,
               "replay dead letters of one lane, at most " + std::to_string(BatchLimits().max_records) + " at a time"});
    return;
  }
  const Lane lane = by_lane.begin()->first;
  Result<std::unique_ptr<queue::FrozenBatch>> batch = builder_.Replay(lane, letters);
  if (!batch) {
    done(batch.error());
    return;
  }
  std::vector<std::int64_t> ids;
  for (const queue::DeadLetter& letter : letters) {
    ids.push_back(letter.id);
  }
  auto active = std::make_shared<Active>();
  active->batch = **batch;
  around_.queue.ReplayDead(
      std::move(ids), *std::move(batch),
      [this, active, done = std::move(done), alive = std::weak_ptr<bool>(alive_)](const Result<queue::BatchId>& id) {
        if (!id) {
          done(id.error());
          return;
        }
        const std::uint32_t records = active->batch.records;
        if (!alive.expired()) {
          active->batch.id = *id;
          LineOf(*active).line.push_back(active);
        }
        done(records);
      });
}

std::uint64_t DestinationImpl::BacklogMessages(const DestinationStatus& status) const {
  if (!options_.live_first) {
    const bool late = around_.clock.Wall() - status.oldest_at >= options_.backfill_after;
    return late ? status.pending : 0;
  }
  std::uint64_t messages = 0;
  for (std::size_t i = 0; i < batch::kLines; ++i) {
    const batch::Line at = batch::LineAt(i);
    if (!at.backlog) {
      continue;
    }
    messages += around_.queue.Waiting(options_.name, PartOf(at)).messages;
    for (const ActivePtr& active : StateOf(at).line) {
      messages += active->batch.members.size();
    }
  }
  return messages;
}

DestinationStatus DestinationImpl::Snapshot(MonoTime now) const {
  DestinationStatus status;
  status.name = options_.name;
  status.url = options_.endpoint.base_url;
  status.state = gate_.state();
  status.reason = gate_.reason();
  status.since = gate_.since();
  for (const Lane lane : kLanes) {
    const queue::PendingStats waiting = around_.queue.Waiting(options_.name, lane);
    status.pending += waiting.messages + waiting.frozen_messages;
    status.in_flight += waiting.frozen_messages;
  }
  if (status.pending > 0 && status.state != limit::GateState::kOk && !gate_.MaySend(now)) {
    if (const std::optional<MonoTime> next = gate_.NextSend(now)) {
      status.next_attempt_in = std::chrono::duration_cast<std::chrono::milliseconds>(*next - now);
    }
  }
  status.oldest_at = around_.queue.OldestPending(options_.name);
  status.backlog = BacklogMessages(status);
  status.backlog_eta = status.backlog > 0 ? drained_.Eta(status.backlog, now) : std::nullopt;
  status.requests = requests_;
  status.retries = retries_;
  status.possible_duplicates = possible_duplicates_;
  status.records_delivered = records_delivered_;
  status.bytes_sent = bytes_sent_;
  status.replies = replies_;
  status.p50 = latency_.Quantile(0.50, now);
  status.p95 = latency_.Quantile(0.95, now);
  status.p99 = latency_.Quantile(0.99, now);
  status.last_success_at = last_success_at_;
  status.last_error = last_error_;
  return status;
}

Result<std::unique_ptr<Destination>> MakeDestination(Options options, std::unique_ptr<auth::Credentials> credentials,
                                                     Surroundings surroundings) {
  auto destination = std::make_unique<DestinationImpl>(std::move(options), std::move(credentials), surroundings);
  if (Status started = destination->Start(); !started) {
    return started.error();
  }
  return std::unique_ptr<Destination>(std::move(destination));
}

}  // namespace packhorse::delivery
