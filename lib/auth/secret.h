#pragma once

#include <string>

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
  bool document = false;  // a key file of several lines, and not one line of text
};

// Reads it now: at most 64 KiB, one trailing line feed is cut, empty is an error, and so are NUL and, unless it is a
// document, line breaks inside. A file that others may read or write is kPermissionDenied with the chmod that mends it.
// Messages name the place, never the value. What was read is masked in texts from outside from then on (base/mask.h).
Result<Secret> ReadSecret(const SecretSource& source);

// Something that changes when the bytes behind a file or credential may have changed (stat: inode, size, times), empty
// where there is none. An environment variable never changes. Never blocks on a FIFO.
std::string StampOf(const SecretSource& source);

}  // namespace packhorse::auth
