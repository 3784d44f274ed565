// How requests are authenticated, and what becomes of those that are refused for it: a part of DestinationImpl.

#include <algorithm>
#include <utility>

#include "delivery/destination.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kLookAtSecrets = 10s;
// Clouds that check times take five minutes of difference, most of them.
constexpr std::chrono::minutes kClockTolerance{5};

}  // namespace

// Looks for changed secrets every ten seconds, and asks for a token that is due.
MonoTime DestinationImpl::StepAuthorization(MonoTime now) {
  MonoTime next = now + kIdle;
  if (authorizer_->has_secrets()) {
    if (now >= secrets_looked_at_ + kLookAtSecrets) {
      secrets_looked_at_ = now;
      if (authorizer_->SourcesChanged() && RefreshSecrets() && breaker_.state() == limit::CircuitState::kHeld) {
        Nudge(now);  // somebody mended something
      }
    }
    next = std::min(next, secrets_looked_at_ + kLookAtSecrets);
  }
  if (!draining_) {
    AskForToken(now);
  }
  return std::min(next, authorizer_->NextTokenAt().value_or(next));
}

bool DestinationImpl::RefreshSecrets() {
  const Result<bool> changed = authorizer_->Refresh();
  const Status proxy = ReadProxyPassword();
  const std::string why = !changed ? changed.error().message : !proxy ? proxy.error().message : "";
  deps_.events.Follow(!why.empty(), "secret_unreadable", options_.name, why, deps_.clock.Wall());
  return changed && *changed;
}

void DestinationImpl::AskForToken(MonoTime now) {
  std::optional<auth::TokenRequest> token = authorizer_->NextTokenRequest(deps_.clock.Wall(), now);
  if (!token) {
    return;
  }
  // Whoever signs the certificate of the API is taken to sign the one of its tokens, and the way to it is the same;
  // what is ours alone stays here.
  upload::Endpoint endpoint;
  endpoint.base_url = token->url;
  endpoint.ca = options_.endpoint.ca;
  endpoint.proxy = options_.endpoint.proxy;
  endpoint.bind = options_.endpoint.bind;
  endpoint.connect_timeout = options_.endpoint.connect_timeout;
  endpoint.timeout = options_.endpoint.timeout;
  const auto body = std::make_shared<auth::Secret>(std::move(token->body));
  deps_.uploader.Send(endpoint, upload::Request{"POST", "", std::move(token->headers), body->Reveal()},
                      [this, body, alive = std::weak_ptr<bool>(alive_)](const upload::Response& response) {
                        if (!alive.expired()) {
                          OnTokenReply(response);
                        }
                      });
}

void DestinationImpl::OnTokenReply(const upload::Response& response) {
  const bool complete = response.transport == upload::Transport::kOk;
  const Status got = authorizer_->OnToken(complete ? response.status : 0, complete ? response.body : response.error,
                                          deps_.clock.Mono());
  if (!got) {
    last_error_ = got.error().message + ClockDoubt(response);
  }
  deps_.events.Follow(!got, "token_unavailable", options_.name, got ? "" : last_error_, deps_.clock.Wall());
}

// The bytes that are sent, with all headers. The batch itself has no secret in it.
Result<upload::Request> DestinationImpl::RequestFor(const Active& active, MonoTime now) {
  auth::OutgoingRequest request;
  request.method = ContractOf(active.batch).method();
  request.target = active.batch.path;
  request.headers = Headers(active.batch);
  request.body = active.batch.body;
  return Authorized(active, std::move(request), now);
}

// `request` about this batch, with its secrets. Its body is to live until the reply.
Result<upload::Request> DestinationImpl::Authorized(const Active& active, auth::OutgoingRequest request, MonoTime now) {
  request.batch_id = active.batch.idempotency_key;
  return Authorize(*authorizer_, options_.endpoint, ContractOf(active.batch), std::move(request), deps_.clock.Wall(),
                   now);
}

// A refusal of a secret that is no longer the one in use says nothing of the present one.
bool DestinationImpl::RefusesAnOldSecret(const Active& active, int status) const {
  return (status == 401 || status == 403) && active.credential != authorizer_->generation();
}

// What to add to the reason of a refusal where the reply's Date is far from our clock; else empty. A refused signature
// or token may have one cause that no other key mends.
std::string DestinationImpl::ClockDoubt(const upload::Response& response) const {
  const std::optional<WallTime> theirs = ParseHttpDate(response.Header("date"));
  if (!theirs) {
    return "";
  }
  const WallTime ours = deps_.clock.Wall();
  const auto apart = std::chrono::duration_cast<std::chrono::minutes>(ours > *theirs ? ours - *theirs : *theirs - ours);
  if (apart <= kClockTolerance) {
    return "";
  }
  return "; by the Date of the reply this gateway's clock is " + std::to_string(apart.count()) + " minutes " +
         (ours > *theirs ? "fast" : "slow") + ": the clock may be what is wrong, and not the key";
}

void DestinationImpl::OnUnauthorized(const ActivePtr& active, const Answer& answer) {
  if (active->credential != authorizer_->generation()) {
    return;  // still ready: goes again at once, with the present one
  }
  if (!active->other_credential_tried) {
    active->other_credential_tried = true;
    if (authorizer_->TryOther()) {
      return;  // likewise
    }
  }
  if (!active->credentials_refreshed) {
    active->credentials_refreshed = true;
    if (RefreshSecrets()) {
      active->other_credential_tried = false;
      return;
    }
  }
  active->other_credential_tried = false;
  active->credentials_refreshed = false;
  authorizer_->BothRefused();
  OnFault(active, Fault::kForbidden, answer);
}

}  // namespace packhorse::delivery
