// Which prepared batch goes next, when, and how: the second part of DestinationImpl.

#include <algorithm>
#include <functional>
#include <utility>

#include "base/random.h"
#include "base/text.h"
#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSpanBytes = 8;
// In a row: whatever the answer was, another connection may lead to a better backend.
constexpr std::uint32_t kFailuresToDistrust = 2;
constexpr std::uint32_t kAttemptsToDistrust = 3;  // of one batch, also where it is told to wait
constexpr std::uint32_t kMaxDoublings = 4;
constexpr std::uint32_t kManyTurns = 1'000;  // it is not counted further
constexpr std::chrono::milliseconds kLongestTimeout = 5min;

// Of two batches, whether this one is the better witness of how the destination is: one that was not tried yet, and has
// few records; else the one that was tried longer ago.
bool TellsMore(const Active& one, const Active& other) {
  if (one.attempts == 0 || other.attempts == 0) {
    return one.attempts == 0 && (other.attempts > 0 || one.batch.records < other.batch.records);
  }
  return one.tried_at < other.tried_at;
}

// What the line wants to try instead of its first; null: it is not there. Far off is what was tried longest ago, of
// what never was the furthest behind.
ActivePtr OtherThan(const Active& head, const LineState& line) {
  ActivePtr far;
  ActivePtr small;
  ActivePtr newest;
  for (const ActivePtr& active : line.line) {
    if (active.get() == &head || active->state != Active::State::kReady || active->batch.unsent()) {
      continue;
    }
    if (!far || active->tried_at <= far->tried_at) {
      far = active;
    }
    if (!small || TellsMore(*active, *small)) {
      small = active;
    }
    if (active->newest && active->attempts == 0) {
      newest = active;
    }
  }
  if (line.wants == Wants::kFar) {
    return far;
  }
  // What is newest may just be on its way into the line.
  return line.wants == Wants::kNewest && (newest || line.preparing) ? newest : small;
}

// The batch of a line that goes next where one waits for the other's reply; null: it has to wait.
ActivePtr HeadOf(const LineState& line, bool in_order) {
  for (const ActivePtr& active : line.line) {
    if (active->batch.unsent()) {
      continue;
    }
    if (active->state == Active::State::kReady) {
      if (line.wants == Wants::kNothing) {
        return active;
      }
      const ActivePtr other = OtherThan(*active, line);
      return other || line.preparing ? other : active;
    }
    // What is being confirmed may have to be sent again: nothing may overtake it where order counts.
    const bool confirming = active->state == Active::State::kConfirming && in_order;
    if (active->state == Active::State::kSending || confirming || active->has_successors) {
      break;
    }
  }
  return nullptr;
}

// Likewise where several may be on their way: as long as nothing is looked for in the line. What waits for its time is
// passed over, unless the line has to wait for it.
ActivePtr AnyOf(const LineState& line, MonoTime now, const std::function<MonoTime(const Active&)>& ready_at) {
  bool sending = false;
  for (const ActivePtr& active : line.line) {
    if (active->state == Active::State::kSending) {
      sending = true;
      if (GoesAlone(*active)) {
        return nullptr;
      }
    }
  }
  ActivePtr soonest;
  MonoTime soonest_at{};
  for (const ActivePtr& active : line.line) {
    if (active->batch.unsent() || active->state != Active::State::kReady) {
      continue;
    }
    const bool wanted = line.wants != Wants::kNothing;
    if (wanted || GoesAlone(*active) || active->held) {
      const ActivePtr other = wanted ? OtherThan(*active, line) : nullptr;
      return sending ? nullptr : other || (wanted && line.preparing) ? other : active;
    }
    const MonoTime at = ready_at(*active);
    if (at <= now) {
      return active;
    }
    if (!soonest || at < soonest_at) {
      soonest = active;
      soonest_at = at;
    }
  }
  return soonest;
}

}  // namespace

void DestinationImpl::TellOfOthers(const Active& active, Attempt& attempt) {
  for (const LineState& line : lines_) {
    for (const ActivePtr& other : line.line) {
      if (other.get() != &active && !other->batch.unsent()) {
        attempt.others_wait = true;
        attempt.untried_waits = attempt.untried_waits || other->attempts == 0;
        attempt.smallest = attempt.smallest && (other->alone() || other->batch.records + 1 >= active.batch.records);
        attempt.alone_failed += other->alone() && other->attempts > 0 ? 1U : 0U;
      }
    }
  }
  const batch::Line at = LineNameOf(active);
  if (!at.replay && deps_.queue.Waiting(options_.name, PartOf(at)).messages > 0) {
    attempt.others_wait = true;
    attempt.untried_waits = attempt.untried_waits || MayProbe(LineOf(active));
  }
}

// Whether what is made next cannot change whose turn it is: every lane that has something has a batch ready, and
// nothing else waits for a place.
bool DestinationImpl::TurnIsKnown(MonoTime now) const {
  if (!HasPlace() || breaker_.state() != limit::CircuitState::kOk || !suspect_ids_.empty() || !trying_.empty() ||
      !authorizer_->ready(now)) {
    return false;
  }
  for (std::size_t i = 0; i < batch::kLines; ++i) {
    const batch::Line at = batch::LineAt(i);
    const LineState& line = lines_.at(i);
    const bool ready = std::any_of(line.line.begin(), line.line.end(), [&](const ActivePtr& active) {
      return active->state == Active::State::kReady && !active->batch.unsent() && ReadyAt(*active, now) <= now;
    });
    const bool waits = at.replay ? !line.line.empty()  // what is live goes first, also what comes next
                                 : !ready && (!at.backlog || options_.live_first) &&
                                       deps_.queue.Waiting(options_.name, PartOf(at)).messages > 0;
    if (waits || line.wants != Wants::kNothing || CountIn(line, Active::State::kConfirming) > 0) {
      return false;
    }
  }
  return true;
}

MonoTime DestinationImpl::SendInTurn(MonoTime now) {
  MonoTime next = now + kIdle;
  waits_.reset();
  const auto next_of = [&](const LineState& line) {
    return options_.any_order ? AnyOf(line, now, [&](const Active& active) { return ReadyAt(active, now); })
                              : HeadOf(line, options_.keeps_order);
  };
  while (true) {
    batch::Ready ready{};
    for (std::size_t i = 0; i < batch::kLines; ++i) {
      if (const ActivePtr head = next_of(lines_.at(i))) {
        const MonoTime at = ReadyAt(*head, now);
        ready.at(i) = at <= now;
        next = at > now ? std::min(next, at) : next;
        if (head->search() && head->not_before <= now && SearchAdmittedAt(CostOf(*head), now) > now) {
          TellSearchIsSlow(now);
        }
      }
    }
    const std::optional<batch::Line> turn = scheduler_.Next(ready);
    if (!turn || !HasPlace()) {
      return next;
    }
    if (!breaker_.MaySend(now)) {
      return breaker_.NextSend(now).value_or(now + kIdle);
    }
    // Whoever has the turn waits for the limits with it: what is smaller must not slip past for ever.
    const ActivePtr head = next_of(StateOf(*turn));
    if ((waits_ = WaitOf(*head, now))) {
      TellBudgetSpent(*head, now);
      return std::min(next, waits_->until);
    }
    if (IsOutdated(*head)) {
      SettleUnsent(head, now);
      continue;
    }
    Send(head, now);
    scheduler_.Took(*turn, ready);
  }
}

// For one more request on its way, whatever it is for.
bool DestinationImpl::HasPlace() const { return in_flight_ < breaker_.MaxInFlight(concurrency_.limit()); }

MonoTime DestinationImpl::ReadyAt(const Active& active, MonoTime now) const {
  MonoTime at = std::max({now, active.not_before, OpenAt(active.batch.lane, now)});
  if (active.search()) {
    at = std::max(at, SearchAdmittedAt(CostOf(active), now));
  }
  if (active.rests > 0) {
    at = std::max(at, budget_.NextRetry(now));
  }
  return active.attempts > 0 && breaker_.state() == limit::CircuitState::kRetrying
             ? std::max(at, budget_.NextRetry(now))
             : at;
}

MonoTime DestinationImpl::SearchAdmittedAt(const limit::Cost& cost, MonoTime now) const {
  return std::max(search_budget_.NextRetry(now), search_limits_.NextAdmission(cost, now));
}

std::optional<Pacing::Wait> DestinationImpl::WaitOf(const Active& active, MonoTime now) const {
  return pacing_.WaitOf({CostOf(active), BytesOf(active)}, now);
}

// The contract that made the batch: after an update it may be another one than what makes new ones.
const contract::CloudContract& DestinationImpl::ContractOf(const queue::PreparedBatch& batch) {
  if (batch.contract == options_.contract->name()) {
    return *options_.contract;
  }
  if (rollout_ && batch.contract == rollout_->newer()) {
    return *rollout_->options().contract;
  }
  const auto [known, fresh] = other_contracts_.try_emplace(batch.contract);
  if (fresh) {
    if (auto found = contract::FindCloudContract(batch.contract, options_.settings)) {
      known->second = *std::move(found);
    }
  }
  return known->second ? *known->second : *options_.contract;
}

std::vector<std::pair<std::string, std::string>> DestinationImpl::Headers(const queue::PreparedBatch& batch) {
  std::vector<std::pair<std::string, std::string>> headers = {
      {"Content-Type", batch.content_type},
      // W3C Trace Context: one trace per batch, one span per attempt.
      {"traceparent", "00-" + batch.trace_id + "-" + RandomHex(kSpanBytes) + "-01"}};
  if (!batch.content_encoding.empty()) {
    headers.emplace_back("Content-Encoding", batch.content_encoding);
  }
  bool accept = false;
  for (auto& header : ContractOf(batch).RequestHeaders(builder_.HeaderOf(batch))) {
    accept = accept || Lower(header.first) == "accept";
    headers.push_back(std::move(header));
  }
  if (!accept) {
    headers.emplace_back("Accept", "application/json, application/problem+json");
  }
  return headers;
}

// The same bytes get twice as long with each attempt whose outcome is unknown.
upload::Endpoint DestinationImpl::EndpointFor(const Active& active) const {
  upload::Endpoint endpoint = options_.endpoint;
  const std::uint32_t doubled = std::min(active.unknown_outcomes, kMaxDoublings);
  endpoint.timeout = std::max(endpoint.timeout, std::min(endpoint.timeout * (1U << doubled), kLongestTimeout));
  if (doubled > 0) {
    endpoint.stall_timeout = std::max(endpoint.stall_timeout, endpoint.timeout);
  }
  return endpoint;
}

void DestinationImpl::CountAttempt(const Active& active, MonoTime now) {
  if (active.attempts == 0 && active.rests == 0) {
    budget_.CountFirst(now);
    search_budget_.CountFirst(now);
  } else {
    budget_.CountRetry(now);
  }
}

// What is accepted was worth its request.
void DestinationImpl::CountSearch(const Active& active, MonoTime now) {
  search_limits_.Admit(CostOf(active), now);
  search_budget_.CountRetry(now);
}

// Nothing passes, whatever the answers are: the kept connection may lead to a backend that is the only one to say so.
bool DestinationImpl::DoubtsConnection(const Active& active) const {
  return breaker_.state() == limit::CircuitState::kHeld || breaker_.consecutive_failures() >= kFailuresToDistrust ||
         active.attempts > kAttemptsToDistrust || evidence_.DoubtsConnection();
}

void DestinationImpl::Send(const ActivePtr& active, MonoTime now) {
  Result<upload::Request> made = RequestFor(*active, now);
  if (!made) {
    Hold(made.error().message, now);
    return;
  }
  upload::Request request = std::move(made).value();
  active->ticket = pacing_.Admit({CostOf(*active), BytesOf(*active)}, now);
  if (!active->search()) {
    CountAttempt(*active, now);
  }
  traffic_.possible_duplicates += std::exchange(active->from_before, false) ? 1U : 0U;
  traffic_.retries += active->attempts > 0 || active->rests > 0 || active->search() ? 1U : 0U;
  since_suspect_ = active->suspicion ? 0 : std::min(since_suspect_, kManyTurns) + 1;
  if (!active->suspicion) {
    const bool wanted = std::exchange(LineOf(*active).wants, Wants::kNothing) != Wants::kNothing;
    active->goes_alone = active->goes_alone || wanted;
  }
  ++active->attempts;
  active->waits_for_other = false;
  active->tried_at = now;
  ++traffic_.requests;
  active->flight = concurrency_.Start(++in_flight_);
  active->state = Active::State::kSending;
  active->credential = authorizer_->generation();
  // What is known against a record, or against the destination, is to come over different connections.
  request.new_connection = active->newest || (active->alone() && evidence_.Knows(active->first()));
  request.leave_kept = DoubtsConnection(*active);
  active->sent = SentRequest{request.method, request.path, request.headers};
  deps_.uploader.Send(EndpointFor(*active), std::move(request),
                      [this, active, alive = std::weak_ptr<bool>(alive_)](upload::Response response) {
                        if (!alive.expired()) {
                          OnResponse(active, std::move(response));
                        }
                      });
}

}  // namespace packhorse::delivery
