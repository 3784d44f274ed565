// OAuth 2.0 client credentials grant (RFC 6749 section 4.4).

#include <algorithm>

#include "auth/scheme.h"
#include "base/encode.h"
#include "base/mask.h"
#include "base/random.h"
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
std::string Form(const std::vector<std::pair<std::string_view, std::string_view>>& members) {
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

struct TokenReply {
  std::string token;
  std::string type;
  std::string error;
  std::string description;
  std::chrono::seconds lasts = kLastsUnsaid;
};

TokenReply ReadReply(std::string_view body) {
  const document::Document reply = document::ParseDocument(body);
  TokenReply out;
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

bool IsBearerToken(const std::string& token) {
  return !token.empty() && token.size() <= kMaxTokenBytes &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

class Oauth2 final : public Scheme {
 public:
  explicit Oauth2(Parameters parameters) : parameters_(std::move(parameters)), random_(RandomSeed()) {}

  Status Sign(OutgoingRequest& request, const RotatingSecrets&, WallTime, MonoTime now) override {
    if (!ready(now)) {
      return Error{ErrorCode::kUnavailable, "there is no valid token yet"};
    }
    request.headers.emplace_back("Authorization", "Bearer " + token_.Reveal());
    return {};
  }

  bool ready(MonoTime now) const override { return !token_.empty() && now < ends_; }

  std::optional<MonoTime> NextTokenAt(const RotatingSecrets& secrets) const override {
    if (in_flight_) {
      return std::nullopt;
    }
    // A token lives on where its secret was replaced: nothing waits for the next one.
    const bool present = !token_.empty() && version_ == secrets.version();
    return present ? std::max(renew_at_, not_before_) : not_before_;
  }

  std::optional<TokenRequest> NextTokenRequest(const RotatingSecrets& secrets, MonoTime now) override {
    const std::optional<MonoTime> at = NextTokenAt(secrets);
    if (!at || *at > now) {
      return std::nullopt;
    }
    in_flight_ = true;
    asked_with_ = secrets.version();
    const std::string& id = TextOf(parameters_, "client_id");
    const std::string& secret = SecretOf(secrets, "client_secret");
    const bool in_body = TextOf(parameters_, "client_auth") == "body";
    TokenRequest request;
    request.url = TextOf(parameters_, "token_url");
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
    request.body = Form({{"grant_type", "client_credentials"},
                         {"scope", TextOf(parameters_, "scope")},
                         {"audience", TextOf(parameters_, "audience")},
                         {"client_id", in_body ? id : std::string_view()},
                         {"client_secret", in_body ? secret : std::string_view()}});
    if (!in_body) {
      // RFC 6749 section 2.3.1: both are form-encoded first.
      const Secret pair(PercentEncode(id) + ":" + PercentEncode(secret));
      request.headers.emplace_back("Authorization", "Basic " + Base64(pair.Reveal()));
    }
    return request;
  }

  Status OnToken(int status, std::string_view body, RotatingSecrets& secrets, MonoTime now) override {
    in_flight_ = false;
    if (status == 0) {
      return Failed("the token endpoint cannot be reached: " + Shown(body), now);
    }
    TokenReply reply = ReadReply(body);
    if (status == 200 && IsBearerToken(reply.token) && (reply.type.empty() || Lower(reply.type) == "bearer")) {
      Take(std::move(reply), now);
      return {};
    }
    // RFC 6749 section 5.2.
    const bool refused = status == 401 || reply.error == "invalid_client" || reply.error == "unauthorized_client";
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

  std::uint32_t serial() const override { return serial_; }

  bool DropToken() override {
    if (token_.empty() || dropped_) {
      return false;
    }
    dropped_ = true;
    token_ = Secret();
    ++serial_;
    return true;
  }

  void Succeeded() override { dropped_ = false; }

 private:
  void Take(TokenReply reply, MonoTime now) {
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

  Status Failed(std::string message, MonoTime now) {
    const auto pause = kFirstPause * (1U << std::min(failures_, kMaxDoublings));
    ++failures_;
    // Up to a quarter more, so that a fleet does not ask as one.
    not_before_ = now + pause + std::chrono::milliseconds(random_.UpTo(static_cast<std::uint64_t>(pause.count()) / 4));
    return Error{ErrorCode::kUnavailable, std::move(message)};
  }

  const Parameters parameters_;
  Random random_;
  Secret token_;
  std::uint64_t version_ = 0;     // of the secret that got it
  std::uint64_t asked_with_ = 0;  // the secret of the request in flight
  std::uint32_t serial_ = 0;
  std::uint32_t failures_ = 0;  // in a row
  bool in_flight_ = false;
  bool dropped_ = false;  // one, since the last success
  MonoTime ends_{};
  MonoTime renew_at_{};
  MonoTime not_before_{};
};

}  // namespace

Result<std::unique_ptr<Scheme>> MakeOauth2(const Parameters& parameters) {
  const UrlCheck url = ParseUrl(TextOf(parameters, "token_url"), {"https", "http"});
  if (!url.url) {
    return Error{ErrorCode::kInvalidArgument, "auth: token_url: " + url.message};
  }
  // RFC 6749 section 3.2: TLS, since the secret travels in it.
  if (url.url->scheme != "https" && !IsLoopback(url.url->host)) {
    return Error{ErrorCode::kInvalidArgument, "auth: token_url must be https"};
  }
  if (TextOf(parameters, "client_id").empty()) {
    return Error{ErrorCode::kInvalidArgument, "auth: client_id is empty"};
  }
  const std::string& how = TextOf(parameters, "client_auth");
  if (!how.empty() && how != "basic" && how != "body") {
    return Error{ErrorCode::kInvalidArgument, "auth: client_auth is basic or body"};
  }
  return std::unique_ptr<Scheme>(new Oauth2(parameters));
}

}  // namespace packhorse::auth
