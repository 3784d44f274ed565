#include "auth/token_scheme.h"

#include <algorithm>

#include "base/encode.h"
#include "base/mask.h"
#include "base/text.h"
#include "base/url.h"
#include "document/document.h"

namespace packhorse::auth {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kRenewAhead = 5min;
constexpr std::chrono::seconds kLastsUnsaid = 1h;  // where the reply does not say
constexpr std::chrono::seconds kLongest = 24h;     // a token is renewed at least so often
constexpr std::chrono::milliseconds kFirstPause = 1s;
constexpr std::uint32_t kMaxDoublings = 6;  // about a minute
constexpr std::size_t kMaxTokenBytes = 65'536;
constexpr std::size_t kMaxShown = 200;

// RFC 6749 appendix B. A blank may also be %20 there.
std::string Form(const std::vector<std::pair<std::string_view, std::string>>& members) {
  std::string out;
  for (const auto& [name, value] : members) {
    if (!value.empty()) {
      out += (out.empty() ? "" : "&") + std::string(name) + "=" + PercentEncode(value);
    }
  }
  return out;
}

// A text of the token endpoint, to be shown.
std::string Shown(std::string_view text) {
  std::string out;
  AppendPrintable(out, MaskSecrets(text));
  out.resize(Utf8PrefixBytes(std::string_view(out).substr(0, kMaxShown)));
  return out;
}

bool IsBearerToken(const std::string& token) {
  return !token.empty() && token.size() <= kMaxTokenBytes &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace

struct TokenScheme::Reply {
  std::string token;
  std::string type;
  std::string error;
  std::string description;
  std::chrono::seconds lasts = kLastsUnsaid;
};

TokenScheme::Reply TokenScheme::ReadReply(std::string_view body) {
  const document::Document reply = document::ParseDocument(body);
  Reply out;
  if (reply.problem) {
    return out;
  }
  out.token = reply.root["access_token"].text;
  out.type = reply.root["token_type"].text;
  out.error = reply.root["error"].text;
  out.description = reply.root["error_description"].text;
  const document::Node& lasts = reply.root["expires_in"];
  std::int64_t seconds = lasts.integer;
  // Some servers write the number as text.
  if (lasts.kind == document::Node::Kind::kInteger || ReadNumber(lasts.text, seconds)) {
    out.lasts = std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, std::chrono::seconds(kLongest).count()));
  }
  return out;
}

Status TokenScheme::Sign(OutgoingRequest& request, const RotatingSecrets&, WallTime, MonoTime now) {
  if (!ready(now)) {
    return Error{ErrorCode::kUnavailable, "there is no valid token yet"};
  }
  request.headers.emplace_back("Authorization", "Bearer " + token_.Reveal());
  return {};
}

void TokenScheme::Show(OutgoingRequest& request, const SecretPlaces&) const {
  request.headers.emplace_back("Authorization", "Bearer " + std::string(kHidden));
}

std::optional<MonoTime> TokenScheme::NextTokenAt(const RotatingSecrets& secrets) const {
  if (in_flight_) {
    return std::nullopt;
  }
  // A token lives on where its secret was replaced: nothing waits for the next one.
  const bool present = !token_.empty() && version_ == secrets.version();
  return present ? std::max(renew_at_, not_before_) : not_before_;
}

std::optional<TokenRequest> TokenScheme::NextTokenRequest(const RotatingSecrets& secrets, WallTime wall, MonoTime now) {
  const std::optional<MonoTime> at = NextTokenAt(secrets);
  if (!at || *at > now) {
    return std::nullopt;
  }
  in_flight_ = true;
  asked_with_ = secrets.version();
  Question question = Ask(secrets, wall);
  TokenRequest request;
  request.url = std::move(question.url);
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  request.headers.insert(request.headers.end(), question.headers.begin(), question.headers.end());
  request.body = Form(question.form);
  return request;
}

Status TokenScheme::OnToken(int status, std::string_view body, RotatingSecrets& secrets, MonoTime now) {
  in_flight_ = false;
  if (status == 0) {
    return Failed("the token endpoint cannot be reached: " + Shown(body), now);
  }
  Reply reply = ReadReply(body);
  if (status == 200 && IsBearerToken(reply.token) && (reply.type.empty() || Lower(reply.type) == "bearer")) {
    Take(std::move(reply), now);
    return {};
  }
  // RFC 6749 section 5.2, RFC 7523 section 3.1.
  const bool refused = status == 401 || reply.error == "invalid_client" || reply.error == "unauthorized_client" ||
                       reply.error == "invalid_grant";
  if (refused && asked_with_ == secrets.version() && !secrets.TryOther()) {
    secrets.BothRefused();
  }
  std::string message = "the token endpoint answers " + std::to_string(status);
  if (status == 200) {
    message += " without a bearer token";
  }
  if (!reply.error.empty()) {
    message += ": " + Shown(reply.error);
  }
  if (!reply.description.empty()) {
    message += " (" + Shown(reply.description) + ")";
  }
  return Failed(std::move(message), now);
}

bool TokenScheme::DropToken() {
  if (token_.empty() || dropped_) {
    return false;
  }
  dropped_ = true;
  token_ = Secret();
  ++serial_;
  return true;
}

void TokenScheme::Take(Reply reply, MonoTime now) {
  RememberSecret(reply.token);
  token_ = Secret(std::move(reply.token));
  version_ = asked_with_;
  ends_ = now + reply.lasts;
  renew_at_ = ends_ - std::min<std::chrono::seconds>(kRenewAhead, reply.lasts / 2);
  // Not in a loop where a token lasts for no time at all.
  not_before_ = now + kFirstPause;
  failures_ = 0;
  ++serial_;
}

Status TokenScheme::Failed(std::string message, MonoTime now) {
  const auto pause = kFirstPause * (1U << std::min(failures_, kMaxDoublings));
  ++failures_;
  // Up to a quarter more, so that a fleet does not ask as one.
  not_before_ = now + pause + std::chrono::milliseconds(random_.UpTo(static_cast<std::uint64_t>(pause.count()) / 4));
  return Error{ErrorCode::kUnavailable, std::move(message)};
}

Status CheckTokenUrl(const std::string& text, const std::string& name) {
  const UrlCheck url = ParseUrl(text, {"https", "http"});
  if (!url.url) {
    return Error{ErrorCode::kInvalidArgument, "auth: " + name + ": " + url.message};
  }
  if (url.url->scheme != "https" && !IsLoopback(url.url->host)) {
    return Error{ErrorCode::kInvalidArgument, "auth: " + name + " must be https"};
  }
  return {};
}

}  // namespace packhorse::auth
