#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace packhorse::auth {

// Bytes that must not be shown: no stream operator, overwritten when destroyed or moved from. Move-only.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value);
  ~Secret();
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // For handing to a library. Never log or store what this returns.
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

// Where to read a secret. Same meaning as in the configuration.
struct SecretSource {
  enum class Kind { kNone, kFile, kEnv, kCredential };
  Kind kind = Kind::kNone;
  std::string name;
};

// Reads it now: at most 64 KiB, one trailing line feed is cut, empty is an error, and so are NUL and line breaks
// inside. A file that others may read or write is kPermissionDenied with the chmod that mends it. Messages name the
// place, never the value. What was read is masked in texts from outside from then on (base/mask.h).
Result<Secret> ReadSecret(const SecretSource& source);

// Names, in lower case, of the headers that a request has without Options::header: a second one would contradict it.
std::span<const std::string_view> ReservedHeaders();

struct Options {
  enum class Type { kNone, kBearer, kBasic, kHeader };
  Type type = Type::kNone;
  std::string username;
  std::string header;
  SecretSource current;
  SecretSource next;  // the other key of a rotation; may be missing until the rotation begins
};

// Headers that authenticate a request. Reads secrets when made and on Refresh(), so that a rotated file needs no
// restart. Not thread-safe (loop).
class Credentials {
 public:
  virtual ~Credentials() = default;
  // Name and value of the headers to add.
  virtual std::vector<std::pair<std::string, std::string>> Headers() const = 0;
  // Which secret Headers() is made of: another number whenever it is another one. A request remembers it.
  virtual std::uint64_t version() const = 0;
  // After a 401 or 403 for the secret in use: changes to the other secret if there is one that was not tried since the
  // last success. True: worth one more attempt at once.
  virtual bool TryOther() = 0;
  // Marks the secret in use as good.
  virtual void Succeeded() = 0;
  // Both were refused, for one request: it may be the request. The one that was good last is in use again, and
  // TryOther() may try the other one anew.
  virtual void BothRefused() = 0;
  // Reads the sources again. True when a value changed; then a secret that was refused gives way to the new one. A
  // source that cannot be read keeps the value in use and returns the error; what the other source says is taken all
  // the same.
  virtual Result<bool> Refresh() = 0;
};

// `next` is optional: where its file, variable or credential does not exist, there is only `current`.
Result<std::unique_ptr<Credentials>> MakeCredentials(const Options& options);

}  // namespace packhorse::auth
