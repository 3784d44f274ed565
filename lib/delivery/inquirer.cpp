#include "delivery/inquirer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"
#include "base/url.h"
#include "outcome/rate_headers.h"
#include "outcome/wait_hints.h"

namespace packhorse::delivery {
namespace {

constexpr std::chrono::hours kIdleInquirer{1};
// Request line and headers.
constexpr std::uint64_t kInquiryBytes = 2'048;
constexpr Pacing::Toll kInquiryToll{{1, 0, 0}, kInquiryBytes};

}  // namespace

Result<upload::Request> Authorize(auth::Authorizer& authorizer, const upload::Endpoint& endpoint,
                                  const contract::CloudContract& contract, auth::OutgoingRequest request, WallTime wall,
                                  MonoTime now) {
  const UrlParts url = SplitUrl(endpoint.base_url);
  request.host = HostHeader(url);
  request.base_path = url.path;
  request.entry = [&contract](std::string_view name) { return contract.SecretEntry(name); };
  upload::Request made{std::string(request.method), "", {}, request.body};
  Result<auth::Authorization> authorization = authorizer.Authorize(std::move(request), wall, now);
  RETURN_IF_ERROR(authorization);
  made.path = std::move(authorization->target);
  made.headers = std::move(authorization->headers);
  return made;
}

Inquirer::~Inquirer() {
  if (open_) {
    End(Error{ErrorCode::kUnavailable, "the destination was replaced, or is gone"});
  }
}

void Inquirer::Ask(Inquiry inquiry, MonoTime until, std::function<void(Result<upload::Response>)> done) {
  if (open_) {
    done(Error{ErrorCode::kBusy, "something else is being asked"});
    return;
  }
  open_.emplace(Open{std::move(inquiry), until, std::move(done)});
}

void Inquirer::End(Result<upload::Response> result) {
  const std::function<void(Result<upload::Response>)> done = std::move(open_->done);
  open_.reset();  // first: the callback may ask the next
  done(std::move(result));
}

MonoTime Inquirer::AdmittedAt(MonoTime now) const {
  if (way_.breaker.state() != limit::CircuitState::kOk || !way_.authorizer.ready(now)) {
    return MonoTime::max();
  }
  return way_.pacing.NextAdmission(kInquiryToll, now);
}

MonoTime Inquirer::Step(bool ends, MonoTime now) {
  if (!open_ || open_->sent) {
    return now + kIdleInquirer;
  }
  if (now >= open_->until || ends) {
    const std::string& reason = way_.breaker.reason();
    End(Error{ErrorCode::kUnavailable, "the destination is " + std::string(limit::Name(way_.breaker.state())) +
                                           (reason.empty() ? "" : ": " + reason)});
    return now;
  }
  if (const MonoTime at = AdmittedAt(now); at > now) {
    return std::min(at, open_->until);
  }
  Send(now);
  return now + kIdleInquirer;
}

void Inquirer::Send(MonoTime now) {
  auth::OutgoingRequest request;
  request.method = "GET";
  request.target = open_->what.path;
  request.headers = open_->what.headers;
  if (std::none_of(request.headers.begin(), request.headers.end(),
                   [](const auto& header) { return Lower(header.first) == "accept"; })) {
    request.headers.emplace_back("Accept", "application/json, application/problem+json");
  }
  Result<upload::Request> made =
      Authorize(way_.authorizer, way_.endpoint, way_.contract, std::move(request), way_.clock.Wall(), now);
  if (!made) {
    End(made.error());
    return;
  }
  open_->ticket = way_.pacing.Admit(kInquiryToll, now);
  open_->sent = true;
  ++asked_;
  open_->credential = way_.authorizer.generation();
  way_.uploader.Send(way_.endpoint, *std::move(made),
                     [this, alive = std::weak_ptr<bool>(alive_)](upload::Response response) {
                       if (!alive.expired()) {
                         OnReply(std::move(response));
                       }
                     });
}

// As of any other request: it counts there, too.
void Inquirer::LearnFrom(const upload::Response& response) {
  const MonoTime now = way_.clock.Mono();
  way_.pacing.Answered(open_->ticket, response, now);
  if (response.transport != upload::Transport::kOk) {
    return;
  }
  outcome::Reply reply;
  reply.status = response.status;
  reply.headers = response.headers;
  const WallTime wall = way_.clock.Wall();
  way_.pacing.Learn(open_->ticket,
                    {outcome::ReadAnnouncements(reply, wall), Pacing::PaceOfQuestion(response.status),
                     outcome::ReadWaitHints(reply, wall).retry_after},
                    now);
}

void Inquirer::OnReply(upload::Response response) {
  LearnFrom(response);
  const bool refused = response.status == 401 || response.status == 403;
  // An old secret says nothing of the present one; and there may be another.
  if (refused && open_->refusals++ == 0 &&
      (open_->credential != way_.authorizer.generation() || way_.authorizer.TryOther())) {
    open_->sent = false;
    return;
  }
  if (response.transport != upload::Transport::kOk) {
    End(Error{ErrorCode::kUnavailable, response.error});
    return;
  }
  End(std::move(response));
}

}  // namespace packhorse::delivery
