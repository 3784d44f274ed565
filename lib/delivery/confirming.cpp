// Batches that are stored when a second request says so: a part of DestinationImpl.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/units.h"
#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

// What is known of a batch that was not confirmed in time, by what the contract says of it.
outcome::Verdict NotConfirmed(const contract::Confirmation& how, const std::string& last) {
  outcome::Verdict verdict;
  verdict.reason = "not confirmed within " + FormatDuration(how.within) + ": " + last;
  verdict.action = how.otherwise == contract::RuleVerdict::kAccepted ? outcome::Action::kDelivered
                   : how.otherwise == contract::RuleVerdict::kHold   ? outcome::Action::kHold
                                                                     : outcome::Action::kRetry;
  return verdict;
}

// What it refers to must outlive it.
auth::OutgoingRequest QuestionOf(contract::ConfirmRequest& written, const std::string& body) {
  auth::OutgoingRequest request;
  request.method = written.method;
  request.target = std::move(written.path);
  request.headers = std::move(written.headers);
  request.headers.emplace_back("Accept", "application/json, application/problem+json");
  request.body = body;
  return request;
}

}  // namespace

void DestinationImpl::OnConfirm(const ActivePtr& active, const Answer& answer) {
  const contract::Confirmation& how = *ContractOf(active->batch).confirmation();
  Works(*active, answer);
  active->state = Active::State::kConfirming;
  active->may_have_arrived = true;
  active->confirming = {answer.verdict.confirm_key, answer.now + how.every, answer.now + how.within, false,
                        "it was not asked for yet"};
}

// Asks for one batch at a time.
MonoTime DestinationImpl::StepConfirmations(MonoTime now) {
  std::vector<ActivePtr> waiting;
  bool asking = draining_;
  const auto collect = [&](const ActivePtr& active) {
    if (active->state == Active::State::kConfirming) {
      asking = asking || active->confirming.asking;
      waiting.push_back(active);
    }
  };
  for (const LineState& line : lines_) {
    std::for_each(line.line.begin(), line.line.end(), collect);
  }
  std::for_each(trying_.begin(), trying_.end(), collect);
  MonoTime next = now + kIdle;
  if (asking) {
    return next;  // the reply leads here again
  }
  for (const ActivePtr& active : waiting) {
    next = std::min(next, Confirm(active, now));
    if (active->confirming.asking) {
      break;
    }
  }
  return next;
}

// Asks whether this one is stored, within the limits and the budget, or gives that up. When it is to be called again.
MonoTime DestinationImpl::Confirm(const ActivePtr& active, MonoTime now) {
  Active::Confirming& confirming = active->confirming;
  const contract::CloudContract& contract = ContractOf(active->batch);
  if (now >= confirming.until) {
    active->state = Active::State::kReady;
    Answer answer;
    answer.now = now;
    answer.verdict = NotConfirmed(*contract.confirmation(), confirming.last);
    if (answer.verdict.action != outcome::Action::kDelivered) {
      CountUnknown(*active);
    }
    Apply(active, std::move(answer));
    return now;
  }
  MonoTime at = std::max(confirming.ask_at, pacing_.NextAdmission({{1, 0, 0}, kHeadBytes}, now));
  if (!breaker_.MaySend(now)) {
    at = std::max(at, breaker_.NextSend(now).value_or(confirming.until));
  }
  if (at > now) {
    return std::min(at, confirming.until);
  }
  if (!HasPlace()) {
    return confirming.until;  // a reply leads here again
  }
  Result<contract::ConfirmRequest> written =
      contract.RenderConfirmation(builder_.HeaderOf(active->batch), confirming.key);
  const auto sent = std::make_shared<SentRequest>();
  const std::string& body = sent->body.emplace(written ? written->body : "");
  Result<upload::Request> made =
      written ? Authorized(*active, QuestionOf(*written, body), now) : Result<upload::Request>(written.error());
  if (!made) {
    confirming.last = made.error().message;
    confirming.ask_at = now + contract.confirmation()->every;
    return std::min(confirming.ask_at, confirming.until);
  }
  active->ticket = pacing_.Admit({{1, 0, body.size()}, kHeadBytes + body.size()}, now);
  confirming.asking = true;
  ++traffic_.requests;
  active->flight = concurrency_.Start(++in_flight_);
  sent->method = made->method;
  sent->path = made->path;
  sent->headers = made->headers;
  deps_.uploader.Send(options_.endpoint, *std::move(made),
                      [this, active, sent, alive = std::weak_ptr<bool>(alive_)](upload::Response response) {
                        if (!alive.expired()) {
                          OnConfirmReply(active, *sent, std::move(response));
                        }
                      });
  return confirming.until;
}

void DestinationImpl::OnConfirmReply(const ActivePtr& active, const SentRequest& sent, upload::Response response) {
  const contract::CloudContract& contract = ContractOf(active->batch);
  Active::Confirming& confirming = active->confirming;
  --in_flight_;
  traffic_.bytes_sent += response.bytes_sent;
  NoteOddReply(response);
  confirming.asking = false;
  Answer answer;
  answer.status = response.status;
  answer.transport = response.transport;
  answer.connection = response.connection;
  answer.now = deps_.clock.Mono();
  pacing_.Answered(active->ticket, response, answer.now);
  const std::chrono::microseconds elapsed = response.elapsed;
  const outcome::Reply reply = ToReply(std::move(response));
  answer.verdict =
      outcome::JudgeConfirmation(reply, *contract.response().confirm, confirming.key.text, deps_.clock.Wall());
  if (!reply.complete || reply.status / 100 != 2) {  // "not yet" is no failure
    exchanges_.Note(active->batch, sent, reply, answer.verdict, elapsed, deps_.clock.Wall());
  }
  LearnRate(*active, answer, LearnConcurrency(*active, answer, elapsed));
  if (RefusesPace(*active, answer)) {
    breaker_.Record(limit::Effect::kThrottled, answer.verdict.reason, answer.verdict.retry_after, answer.now,
                    deps_.clock.Wall());
  }
  if (answer.verdict.action == outcome::Action::kDelivered) {
    active->state = Active::State::kReady;
    OnDelivered(active, answer);
    return;
  }
  confirming.last = answer.verdict.reason;
  confirming.ask_at = answer.now + std::max(contract.confirmation()->every,
                                            answer.verdict.retry_after.value_or(std::chrono::milliseconds(0)));
}

}  // namespace packhorse::delivery
