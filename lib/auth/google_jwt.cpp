// Service accounts of Google: a JWT (RFC 7519) that is signed by the key of the account. It is the token itself where
// the API has an audience of its own, or is exchanged for one (RFC 7523 section 2.1).

#include "auth/crypto.h"
#include "auth/token_scheme.h"
#include "base/encode.h"
#include "document/document.h"
#include "format/json/writer.h"

namespace packhorse::auth {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kJwtLasts = 1h;  // the longest that is taken
constexpr std::chrono::seconds kJwtAhead = 5min;
constexpr char kAccount[] = "service_account";
constexpr char kGrant[] = "urn:ietf:params:oauth:grant-type:jwt-bearer";

// What is needed of the key file.
struct Account {
  std::string email;
  std::string key_id;
  std::string token_url;
  Secret key;
};

Result<Account> ReadAccount(std::string_view text) {
  const document::Document file = document::ParseDocument(text);
  const auto bad = [](const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; };
  if (file.problem) {
    return bad("is no JSON, as the key file of a service account is");
  }
  Account account{file.root["client_email"].text, file.root["private_key_id"].text, file.root["token_uri"].text,
                  Secret(file.root["private_key"].text)};
  if (account.email.empty() || account.key.empty()) {
    return bad("is no key file of a service account: client_email or private_key is missing");
  }
  return account;
}

void AppendClaim(std::string& json, std::string_view name, std::string_view value) {
  json += json.size() == 1 ? "" : ",";
  format::AppendString(json, name);
  json += ':';
  format::AppendString(json, value);
}

void AppendMoment(std::string& json, std::string_view name, WallTime at) {
  json += ',';
  format::AppendString(json, name);
  json += ':';
  format::AppendInteger(json, std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
}

using Claims = std::vector<std::pair<std::string_view, std::string_view>>;

// JWS Compact Serialization (RFC 7515 section 7.1).
Result<std::string> MakeJwt(const Account& account, const Claims& claims, WallTime from, WallTime until) {
  std::string header = "{";
  AppendClaim(header, "alg", "RS256");
  AppendClaim(header, "typ", "JWT");
  if (!account.key_id.empty()) {
    AppendClaim(header, "kid", account.key_id);
  }
  std::string body = "{";
  for (const auto& [name, value] : claims) {
    AppendClaim(body, name, value);
  }
  AppendMoment(body, "iat", from);
  AppendMoment(body, "exp", until);
  const std::string text = Base64Url(header + "}") + "." + Base64Url(body + "}");
  const Result<std::string> signature = SignRs256(account.key.Reveal(), text);
  RETURN_IF_ERROR(signature);
  return text + "." + Base64Url(*signature);
}

Status CheckAccount(const Secret& secret, const SecretSource& source, bool asks) {
  const auto wrong = [&](const Error& error) {
    return Error{error.code, "the secret of '" + source.name + "' " + error.message};
  };
  const Result<Account> account = ReadAccount(secret.Reveal());
  if (!account) {
    return wrong(account.error());
  }
  if (const auto signs = SignRs256(account->key.Reveal(), ""); !signs) {
    return wrong(signs.error().With("private_key"));
  }
  return asks ? CheckTokenUrl(account->token_url, "token_uri in '" + source.name + "'") : Status();
}

// The JWT is exchanged for a token.
class GoogleGrant final : public TokenScheme {
 public:
  explicit GoogleGrant(std::string scope) : scope_(std::move(scope)) {}

  Status CheckSecret(std::string_view, const Secret& secret, const SecretSource& source) const override {
    return CheckAccount(secret, source, true);
  }

 private:
  Question Ask(const RotatingSecrets& secrets, WallTime wall) const override {
    Question question;
    // It was checked when it was read.
    if (const Result<Account> account = ReadAccount(SecretOf(secrets, kAccount))) {
      const Claims claims = {{"iss", account->email}, {"scope", scope_}, {"aud", account->token_url}};
      question.url = account->token_url;
      question.form = {{"grant_type", kGrant},
                       {"assertion", MakeJwt(*account, claims, wall, wall + kJwtLasts).value_or("")}};
    }
    return question;
  }

  const std::string scope_;
};

// The JWT is the token.
class GoogleSelfSigned final : public Scheme {
 public:
  explicit GoogleSelfSigned(std::string audience) : audience_(std::move(audience)) {}

  Status CheckSecret(std::string_view, const Secret& secret, const SecretSource& source) const override {
    return CheckAccount(secret, source, false);
  }

  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime wall, MonoTime) override {
    // Also where the clock was set back: a token from far ahead is refused.
    const bool fits = wall + kJwtAhead < ends_ && wall + kJwtLasts >= ends_;
    if (!fits || version_ != secrets.version()) {
      const Result<Account> account = ReadAccount(SecretOf(secrets, kAccount));
      RETURN_IF_ERROR(account);
      const Claims claims = {{"iss", account->email}, {"sub", account->email}, {"aud", audience_}};
      Result<std::string> token = MakeJwt(*account, claims, wall, wall + kJwtLasts);
      RETURN_IF_ERROR(token);
      token_ = Secret(std::move(token).value());
      ends_ = wall + kJwtLasts;
      version_ = secrets.version();
    }
    request.headers.emplace_back("Authorization", "Bearer " + token_.Reveal());
    return {};
  }

  void Show(OutgoingRequest& request, const SecretPlaces&) const override {
    request.headers.emplace_back("Authorization", "Bearer " + std::string(kHidden));
  }

 private:
  const std::string audience_;
  Secret token_;
  WallTime ends_{};
  std::uint64_t version_ = 0;  // of the key that signed it
};

}  // namespace

Result<std::unique_ptr<Scheme>> MakeGoogleJwt(const Parameters& parameters) {
  const std::string& audience = TextOf(parameters, "audience");
  const std::string& scope = TextOf(parameters, "scope");
  if (audience.empty() == scope.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "auth: google_jwt has audience (the signed token goes to the API) or scope (it is exchanged first), "
                 "one of the two"};
  }
  return audience.empty() ? std::unique_ptr<Scheme>(new GoogleGrant(scope))
                          : std::unique_ptr<Scheme>(new GoogleSelfSigned(audience));
}

}  // namespace packhorse::auth
