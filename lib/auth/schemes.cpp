// The table of schemes, and those that need no computation: none, header, bearer, basic, query.

#include <openssl/crypto.h>

#include <algorithm>
#include <array>

#include "auth/scheme.h"
#include "base/encode.h"
#include "base/text.h"

namespace packhorse::auth {
namespace {

bool HasControl(std::string_view text) { return std::any_of(text.begin(), text.end(), IsControl); }

Error BadBlank(const SecretSource& source) {
  return {ErrorCode::kInvalidArgument, "the secret of '" + source.name + "' contains a blank where none may be"};
}

class NoScheme final : public Scheme {
 public:
  Status Sign(OutgoingRequest&, const RotatingSecrets&, WallTime, MonoTime) override { return {}; }
  void Show(OutgoingRequest&, const SecretPlaces&) const override {}
};

class HeaderScheme final : public Scheme {
 public:
  explicit HeaderScheme(std::string header) : header_(std::move(header)) {}
  Status CheckSecret(std::string_view name, const Secret& secret, const SecretSource& source) const override {
    RETURN_IF_ERROR(Scheme::CheckSecret(name, secret, source));
    const std::string& value = secret.Reveal();
    return value.front() == ' ' || value.back() == ' ' ? Status(BadBlank(source)) : Status();
  }
  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime, MonoTime) override {
    request.headers.emplace_back(header_, SecretOf(secrets, "value"));
    return {};
  }
  void Show(OutgoingRequest& request, const SecretPlaces&) const override {
    request.headers.emplace_back(header_, kHidden);
  }

 private:
  const std::string header_;
};

class BearerScheme final : public Scheme {
 public:
  // RFC 6750 section 2.1: a bearer token has no blanks. One at an end is a slip of the editor that would cost a 401.
  Status CheckSecret(std::string_view name, const Secret& secret, const SecretSource& source) const override {
    RETURN_IF_ERROR(Scheme::CheckSecret(name, secret, source));
    return secret.Reveal().find(' ') != std::string::npos ? Status(BadBlank(source)) : Status();
  }
  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime, MonoTime) override {
    request.headers.emplace_back("Authorization", "Bearer " + SecretOf(secrets, "token"));
    return {};
  }
  void Show(OutgoingRequest& request, const SecretPlaces&) const override {
    request.headers.emplace_back("Authorization", "Bearer " + std::string(kHidden));
  }
};

class BasicScheme final : public Scheme {
 public:
  explicit BasicScheme(std::string username) : username_(std::move(username)) {}
  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime, MonoTime) override {
    std::string pair = username_ + ":" + SecretOf(secrets, "password");
    request.headers.emplace_back("Authorization", "Basic " + Base64(pair));
    OPENSSL_cleanse(pair.data(), pair.size());
    return {};
  }
  void Show(OutgoingRequest& request, const SecretPlaces&) const override {
    request.headers.emplace_back("Authorization", "Basic " + std::string(kHidden));
  }

 private:
  const std::string username_;
};

// A parameter of the query, for APIs that take a key nowhere else.
class QueryScheme final : public Scheme {
 public:
  explicit QueryScheme(std::string parameter) : parameter_(std::move(parameter)) {}
  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime, MonoTime) override {
    Add(request, PercentEncode(SecretOf(secrets, "value")));
    return {};
  }
  void Show(OutgoingRequest& request, const SecretPlaces&) const override { Add(request, kHidden); }

 private:
  void Add(OutgoingRequest& request, const std::string& value) const {
    request.target += request.target.find('?') == std::string::npos ? "?" : "&";
    request.target += PercentEncode(parameter_) + "=" + value;
  }

  const std::string parameter_;
};

Result<std::unique_ptr<Scheme>> MakeNone(const Parameters&) { return std::unique_ptr<Scheme>(new NoScheme()); }

Result<std::unique_ptr<Scheme>> MakeBearer(const Parameters&) { return std::unique_ptr<Scheme>(new BearerScheme()); }

Result<std::unique_ptr<Scheme>> MakeHeader(const Parameters& parameters) {
  const std::string& name = TextOf(parameters, "header");
  const std::span<const std::string_view> reserved = ReservedHeaders();
  if (!IsToken(name) || std::find(reserved.begin(), reserved.end(), Lower(name)) != reserved.end()) {
    return Error{ErrorCode::kInvalidArgument, "auth: '" + name + "' cannot be used as header name"};
  }
  return std::unique_ptr<Scheme>(new HeaderScheme(name));
}

Result<std::unique_ptr<Scheme>> MakeBasic(const Parameters& parameters) {
  const std::string& username = TextOf(parameters, "username");
  // RFC 7617 section 2: the first colon ends the user name, and control characters are excluded.
  if (username.find(':') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "auth: a user name for basic authentication cannot contain ':'"};
  }
  if (HasControl(username) || username.size() > 4096) {
    return Error{ErrorCode::kInvalidArgument, "auth: the user name has control characters or more than 4096 bytes"};
  }
  return std::unique_ptr<Scheme>(new BasicScheme(username));
}

Result<std::unique_ptr<Scheme>> MakeQuery(const Parameters& parameters) {
  const std::string& name = TextOf(parameters, "parameter");
  if (name.empty() || HasControl(name) || name.size() > 256) {
    return Error{ErrorCode::kInvalidArgument,
                 "auth: the name of a query parameter has 1 to 256 bytes without control characters"};
  }
  return std::unique_ptr<Scheme>(new QueryScheme(name));
}

constexpr SchemeKey Parameter(std::string_view name) { return {name, false, true, false}; }
constexpr SchemeKey SecretKey(std::string_view name) { return {name, true, true, false}; }
// Of an API: a contract knows it.
constexpr SchemeKey OfApi(std::string_view name, bool required = true) { return {name, false, required, true}; }

constexpr std::array kBearerKeys{SecretKey("token")};
constexpr std::array kBasicKeys{Parameter("username"), SecretKey("password")};
constexpr std::array kHeaderKeys{Parameter("header"), SecretKey("value")};
constexpr std::array kQueryKeys{OfApi("parameter"), SecretKey("value")};
constexpr std::array kOauth2Keys{OfApi("token_url"),    Parameter("client_id"),   SecretKey("client_secret"),
                                 OfApi("scope", false), OfApi("audience", false), OfApi("client_auth", false)};
constexpr std::array kSigV4Keys{OfApi("service"), OfApi("region"), SecretKey("access_key_id"),
                                SecretKey("secret_access_key"), SchemeKey{"session_token", true, false, false}};
constexpr std::array kAzureSasKeys{OfApi("resource"), OfApi("policy", false), OfApi("key_encoding", false),
                                   SecretKey("key")};
constexpr std::array kGoogleJwtKeys{SchemeKey{"service_account", true, true, false, true}, OfApi("audience", false),
                                    OfApi("scope", false)};
constexpr std::array kHmacKeys{OfApi("hash", false), OfApi("sign"), OfApi("key_encoding", false), SecretKey("key")};

constexpr std::array<SchemeEntry, 10> kSchemes{{{"none", {}, "", false, MakeNone},
                                                {"bearer", kBearerKeys, "", false, MakeBearer},
                                                {"basic", kBasicKeys, "", true, MakeBasic},
                                                {"header", kHeaderKeys, "", false, MakeHeader},
                                                {"query", kQueryKeys, "", false, MakeQuery},
                                                {"oauth2", kOauth2Keys, "", true, MakeOauth2},
                                                {"google_jwt", kGoogleJwtKeys, "", true, MakeGoogleJwt},
                                                {"sigv4", kSigV4Keys, "", true, MakeSigV4},
                                                {"azure_sas", kAzureSasKeys, "", true, MakeAzureSas},
                                                {"hmac", kHmacKeys, "headers.", true, MakeHmacSignature}}};

}  // namespace

std::span<const SchemeEntry> Schemes() { return kSchemes; }

const SchemeEntry* FindScheme(std::string_view name) {
  const auto* found =
      std::find_if(kSchemes.begin(), kSchemes.end(), [&](const SchemeEntry& entry) { return entry.name == name; });
  return found == kSchemes.end() ? nullptr : found;
}

Status Scheme::CheckSecret(std::string_view, const Secret& secret, const SecretSource& source) const {
  if (HasControl(secret.Reveal())) {
    return Error{ErrorCode::kInvalidArgument, "the secret of '" + source.name + "' contains a control character"};
  }
  return {};
}

std::optional<TokenRequest> Scheme::NextTokenRequest(const RotatingSecrets&, WallTime, MonoTime) {
  return std::nullopt;
}

std::optional<MonoTime> Scheme::NextTokenAt(const RotatingSecrets&) const { return std::nullopt; }

Status Scheme::OnToken(int, std::string_view, RotatingSecrets&, MonoTime) {
  return Error{ErrorCode::kInternal, "this kind of authentication has no tokens"};
}

std::span<const std::string_view> ReservedHeaders() {
  static constexpr std::string_view kReserved[] = {"accept-encoding",
                                                   "connection",
                                                   "content-encoding",
                                                   "content-length",
                                                   "content-type",
                                                   "expect",
                                                   "host",
                                                   "idempotency-key",
                                                   "te",
                                                   "traceparent",
                                                   "trailer",
                                                   "transfer-encoding",
                                                   "upgrade",
                                                   "user-agent"};
  return kReserved;
}

const std::string& TextOf(const Parameters& parameters, std::string_view name) {
  static const std::string kNone;
  const auto found = parameters.find(name);
  return found == parameters.end() ? kNone : found->second;
}

const std::string& SecretOf(const RotatingSecrets& secrets, std::string_view name) {
  static const std::string kNone;
  const std::string* value = secrets.Value(name);
  return value == nullptr ? kNone : *value;
}

}  // namespace packhorse::auth
