#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/rotating_secrets.h"
#include "auth/scheme.h"
#include "base/clock.h"
#include "base/result.h"

namespace packhorse::auth {

// How a destination's requests are authenticated. A contract may give the scheme and its parameters, the configuration
// gives the rest; names are those of Schemes().
struct AuthOptions {
  std::string scheme;  // empty: as the contract says, else none
  Parameters parameters;
  SecretPlaces secrets;   // of the scheme
  SecretPlaces settings;  // secret settings of the contract: what its marks stand for (base/secret_mark.h)
};

// Adds what a contract says of authentication: its scheme where the configuration leaves it out, and parameters that
// the configuration leaves out. An empty scheme: it says nothing. kInvalidArgument: the configuration names another
// one.
Status AddFromContract(std::string_view scheme, const Parameters& parameters, AuthOptions& options);

// `request` with what authentication adds, for people: with kHidden for what is secret or made for each attempt. Reads
// no secret. Errors as those of Authorizer::Make().
Result<OutgoingRequest> ShowAuthorized(const AuthOptions& options, OutgoingRequest request);

// A request as it may be sent.
struct Authorization {
  std::string target;
  Headers headers;               // all
  std::uint64_t generation = 0;  // of which secret: a reply to an older one says nothing of the present one
};

// Authenticates the requests of one destination: fills in the secrets that a contract's path and headers have marks
// for, and signs as the scheme wants it. Reads secrets when made and on Refresh(). All secrets change places together
// in a rotation. Loop thread; nothing but reading files can take time.
class Authorizer {
 public:
  // kInvalidArgument: an unknown scheme, a parameter or secret that is missing, is not used or cannot be. What
  // ReadSecret() says otherwise.
  static Result<std::unique_ptr<Authorizer>> Make(const AuthOptions& options);

  // `request` with secrets in place of its marks, and authenticated. kUnavailable: a token is needed first.
  Result<Authorization> Authorize(OutgoingRequest request, WallTime wall, MonoTime now);

  // Whether Authorize() has the token that it needs.
  bool ready(MonoTime now) const { return scheme_->ready(now); }

  // The request for a token that is due: there is none, it expires within five minutes, or it belongs to an older
  // secret. It counts as in flight until OnToken().
  std::optional<TokenRequest> NextTokenRequest(WallTime wall, MonoTime now) {
    return scheme_->NextTokenRequest(secrets_, wall, now);
  }
  // When that is due; none: never, or it is in flight.
  std::optional<MonoTime> NextTokenAt() const { return scheme_->NextTokenAt(secrets_); }
  // The reply; status 0: none came, and `body` says why. An error says why there is no token. It is no failure of what
  // is to be sent, and is tried again after a while.
  Status OnToken(int status, std::string_view body, MonoTime now) {
    return scheme_->OnToken(status, body, secrets_, now);
  }

  // What Authorize() uses now.
  std::uint64_t generation() const { return (secrets_.version() << 32U) | scheme_->serial(); }
  // After a refusal (401, 403) of the present generation: changes to another token or secret if there is one that was
  // not tried since the last success. True: worth one more attempt at once.
  bool TryOther() { return scheme_->DropToken() || secrets_.TryOther(); }
  void Succeeded();
  // All were refused, for one request: it may be the request.
  void BothRefused();
  // Reads the secrets again: see RotatingSecrets.
  Result<bool> Refresh() { return secrets_.Refresh(); }
  bool has_secrets() const { return !secrets_.empty(); }
  // When secrets in use end that say so themselves (auth/expiry.h), by name; those of settings are "settings.NAME".
  std::vector<std::pair<std::string, WallTime>> Ends() const;
  // Whether it is worth it: a file looks different. Costs a stat() a file.
  bool SourcesChanged() const { return secrets_.SourcesChanged(); }

 private:
  Authorizer(std::unique_ptr<Scheme> scheme, RotatingSecrets secrets)
      : scheme_(std::move(scheme)), secrets_(std::move(secrets)) {}
  Result<std::string> Fill(std::string_view text, const OutgoingRequest& request) const;

  std::unique_ptr<Scheme> scheme_;
  RotatingSecrets secrets_;
};

}  // namespace packhorse::auth
