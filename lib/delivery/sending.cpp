// Which frozen batch goes next, when, and how: the second part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kMaxInFlight = 3;  // one per lane
constexpr auto kIdle = 3600s;
constexpr std::size_t kSpanBytes = 8;

}  // namespace

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
  active->credential = credentials_ != nullptr ? credentials_->version() : 0;
  upload::Request request{options_.contract->method(), active->batch.path, Headers(active->batch), active->batch.body};
  around_.uploader.Send(options_.endpoint, std::move(request),
                        [this, active, alive = std::weak_ptr<bool>(alive_)](upload::Response response) {
                          if (!alive.expired()) {
                            OnResponse(active, std::move(response));
                          }
                        });
}

}  // namespace packhorse::delivery
