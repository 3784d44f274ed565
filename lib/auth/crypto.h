#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::auth {

// What signatures are made of, as bytes. Pure functions.

enum class Hash { kSha1, kSha256, kSha512 };

// FIPS 180-4.
std::string Digest(Hash hash, std::string_view bytes);
// SHA-256 of many short texts one after the other: what it needs is made once. Not thread-safe.
class ShortDigests {
 public:
  ShortDigests();
  ~ShortDigests();
  ShortDigests(const ShortDigests&) = delete;
  ShortDigests& operator=(const ShortDigests&) = delete;
  // The first eight bytes as a big-endian number.
  std::uint64_t First64(std::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};
// RFC 2104.
std::string Hmac(Hash hash, std::string_view key, std::string_view bytes);
// RFC 4648 section 4, with its padding; none where `text` is not that.
std::optional<std::string> DecodeBase64(std::string_view text);
// RFC 4648 section 5, without padding.
std::optional<std::string> DecodeBase64Url(std::string_view text);
// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3), by a private key in PEM of 2048 bits or more. The message says
// nothing of the key.
Result<std::string> SignRs256(std::string_view pem, std::string_view bytes);

}  // namespace packhorse::auth
