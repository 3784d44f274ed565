#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/rotating_secrets.h"
#include "base/clock.h"
#include "base/result.h"

namespace packhorse::auth {

using Headers = std::vector<std::pair<std::string, std::string>>;
using Parameters = std::map<std::string, std::string, std::less<>>;

inline constexpr char kHidden[] = "***";

// A request as it is about to be sent: a scheme adds to its headers or its target.
struct OutgoingRequest {
  std::string_view method;
  std::string_view host;       // as in the header Host: with its port where that is not the scheme's own
  std::string_view base_path;  // of the destination's URL; the target comes behind it
  std::string target;          // path and query
  Headers headers;
  std::string_view body;  // as it is sent, after coding
  std::string_view batch_id;
  // Of secrets that are not the authorizer's own: the value of a mark, null where there is none (base/secret_mark.h).
  std::function<const std::string*(std::string_view name)> entry = {};
};

// A request that gets a token. The caller sends it: one at a time.
struct TokenRequest {
  std::string url;
  Headers headers;
  std::string body;
};

// One way to authenticate requests. Loop thread; never blocks.
class Scheme {
 public:
  virtual ~Scheme() = default;
  // Whether a value can be used. The message names the place only.
  virtual Status CheckSecret(std::string_view name, const Secret& secret, const SecretSource& source) const;
  // kUnavailable: a token is needed first.
  virtual Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime wall, MonoTime now) = 0;
  // What Sign() adds, for people: with kHidden in the place of secrets, tokens, signatures and times. Of `secrets` the
  // names count.
  virtual void Show(OutgoingRequest& request, const SecretPlaces& secrets) const = 0;

  // --- schemes with tokens of their own ---
  // Whether Sign() has the token that it needs.
  virtual bool ready(MonoTime /*now*/) const { return true; }
  // Due now; it counts as in flight until OnToken().
  virtual std::optional<TokenRequest> NextTokenRequest(const RotatingSecrets& secrets, WallTime wall, MonoTime now);
  // When the next one is due; none: never, or one is in flight.
  virtual std::optional<MonoTime> NextTokenAt(const RotatingSecrets& secrets) const;
  // Its reply; status 0: there was none, and `body` says why. An error says what is wrong, without a secret.
  virtual Status OnToken(int status, std::string_view body, RotatingSecrets& secrets, MonoTime now);
  // Which token is in use: another number for another one.
  virtual std::uint32_t serial() const { return 0; }
  // A request with the token in use was refused. True: another one is to be fetched.
  virtual bool DropToken() { return false; }
  virtual void Succeeded() {}
};

// What a scheme needs, as configured or as a contract says.
struct SchemeKey {
  std::string_view name;
  bool secret = false;
  bool required = true;
  bool from_contract = false;  // a contract may give it
  bool document = false;       // a secret of several lines
};
struct SchemeEntry {
  std::string_view name;
  std::span<const SchemeKey> keys;
  std::string_view free_prefix;  // parameters that begin so may have any name after it; empty: there are none
  // A contract may name it: what has to be computed for a request. What a contract can write itself, as a header with a
  // secret setting, it does not say so.
  bool in_contracts;
  // kInvalidArgument: a parameter cannot be used. The keys are checked before.
  Result<std::unique_ptr<Scheme>> (*make)(const Parameters& parameters);
};
// All there are; what is not here does not exist.
std::span<const SchemeEntry> Schemes();
// Null: there is none of that name.
const SchemeEntry* FindScheme(std::string_view name);

// Names, in lower case, of the headers that a request has without authentication: a second one would contradict it.
std::span<const std::string_view> ReservedHeaders();

// The makers of the table.
Result<std::unique_ptr<Scheme>> MakeOauth2(const Parameters& parameters);
Result<std::unique_ptr<Scheme>> MakeSigV4(const Parameters& parameters);
Result<std::unique_ptr<Scheme>> MakeAzureSas(const Parameters& parameters);
Result<std::unique_ptr<Scheme>> MakeHmacSignature(const Parameters& parameters);
Result<std::unique_ptr<Scheme>> MakeGoogleJwt(const Parameters& parameters);

// The text of a parameter; empty where there is none.
const std::string& TextOf(const Parameters& parameters, std::string_view name);
// The value of a secret; empty where there is none.
const std::string& SecretOf(const RotatingSecrets& secrets, std::string_view name);

}  // namespace packhorse::auth
